"""An answer as it comes: `stream` in plain code, `astream` beside other work of an event loop.

    python examples/stream_an_answer.py
    python examples/stream_an_answer.py 图书馆几点闭馆？ 告示.md

Pieces are Answers that add up with `+`: text first, and last a piece with the sentences and their citations. Any
LangChain retriever will do; here it is one over the chunks of a file, without a knowledge base.
"""

import argparse
import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from langchain_core.runnables import Runnable

from chinese_llm_rag import (
    Answer,
    BM25Retriever,
    ChineseAlpacaLLM,
    ChineseFileLoader,
    ChineseTextSplitter,
    build_qa_chain,
)
from chinese_llm_rag.llms.packaged import packaged_model_path
from chinese_llm_rag.settings import load_settings

SAMPLE = "南桥社区活动室每周二和周四开放，羽毛球场需要提前一天预约。乒乓球拍可以免费借用，押金五十元。"


def build_chain(file: Path) -> Runnable[str, Answer]:
    """Retriever and model, joined. Quoting wants greedy sampling without a penalty for repeating."""
    chunks = ChineseTextSplitter(200).split_documents(ChineseFileLoader(file).load())
    model_path = packaged_model_path("gemma-3-270m-base", load_settings().settings.models_folder)
    sampling = {"temperature": 0, "repetition_penalty": 1.0, "max_tokens": 64}
    llm = ChineseAlpacaLLM.from_gguf(str(model_path), backend_options={"context_window": 4096}, **sampling)
    chain: Runnable[str, Answer] = build_qa_chain(BM25Retriever.from_documents(chunks, k=3), llm)
    return chain


async def print_async(chain: Runnable[str, Answer], question: str) -> None:
    """Print every piece before a bar, while other coroutines may run."""
    async for piece in chain.astream(question):
        print(piece.text, end="|", flush=True)
    print()


def main() -> None:
    """Stream in plain code, then in an event loop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("question", nargs="?", default="活动室每周哪几天开放？")
    parser.add_argument("file", nargs="?", type=Path)
    arguments = parser.parse_args()
    with TemporaryDirectory() as temporary:
        sample = Path(temporary, "活动室.txt")
        sample.write_text(SAMPLE, encoding="utf-8")
        chain = build_chain(arguments.file or sample)
    whole = Answer()
    for piece in chain.stream(arguments.question):
        print(piece.text, end="|", flush=True)
        whole += piece
    print(f"\n{whole.reason}" if whole.refused else f"\ncited: {[place.quote for place in whole.citations]}")
    asyncio.run(print_async(chain, arguments.question))


if __name__ == "__main__":
    main()
