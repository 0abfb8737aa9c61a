"""One question after another on a file: follow-ups are completed from what was said, and the conversation is kept.

    python examples/conversation.py
    python examples/conversation.py 告示.md 图书馆几点闭馆？ 那周末呢？

Each line shows the question, what the documents were asked, and the answer. Any LangChain retriever and model will do.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from chinese_llm_rag import (
    BM25Retriever,
    ChineseAlpacaLLM,
    ChineseFileLoader,
    ChineseTextSplitter,
    SessionStore,
    build_conversation_chain,
)
from chinese_llm_rag.chains.conversation import session_markdown
from chinese_llm_rag.llms.packaged import packaged_model_path
from chinese_llm_rag.settings import load_settings

SAMPLE = "南桥社区活动室每周二和周四开放，羽毛球场需要提前一天预约。乒乓球拍可以免费借用，押金五十元。"
QUESTIONS = ("乒乓球拍可以免费借用吗？", "押金是多少？")


def main() -> None:
    """Ask in one session, and print it as it was kept."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("questions", nargs="*", default=QUESTIONS)
    arguments = parser.parse_args()
    model_path = packaged_model_path("gemma-3-270m-base", load_settings().settings.models_folder)
    sampling = {"temperature": 0, "repetition_penalty": 1.0, "max_tokens": 64}
    llm = ChineseAlpacaLLM.from_gguf(str(model_path), backend_options={"context_window": 4096}, **sampling)
    with TemporaryDirectory() as temporary:
        sample = Path(temporary, "活动室.txt")
        sample.write_text(SAMPLE, encoding="utf-8")
        chunks = ChineseTextSplitter(200).split_documents(ChineseFileLoader(arguments.file or sample).load())
        store = SessionStore(Path(temporary, "sessions.sqlite"))
        chain = build_conversation_chain(BM25Retriever.from_documents(chunks, k=3), llm, sessions=store)
        for question in arguments.questions:
            reply = chain.invoke({"question": question, "session": "活动室"})
            print(f"{reply.question} -> {reply.query} -> {reply.text}")
        print(f"\n{session_markdown(store.get('活动室'))}")


if __name__ == "__main__":
    main()
