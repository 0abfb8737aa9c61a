"""A second question on the same document, through the whole chain: time to the first token by what is in memory.

    python benchmarks/second_question.py --data FOLDER [--tokens 8000]

The model of the extra `offline` reads a document of FOLDER/longbench_multifieldqa_zh whole. Claim: the second
question's first token takes at most 3% of the time of the first's.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from question_sets import load_set

from chinese_llm_rag.chains import build_qa_chain
from chinese_llm_rag.chains.qa_prompt import QAPromptStyle
from chinese_llm_rag.llms.alpaca import ChineseAlpacaLLM
from chinese_llm_rag.llms.llamacpp import LlamaCppBackend
from chinese_llm_rag.llms.packaged import packaged_model_path
from chinese_llm_rag.packing import format_context
from chinese_llm_rag.schema import Passage

CLAIM = 0.03


class Whole(BaseRetriever):
    """One document, whatever is asked."""

    document: Document

    def _get_relevant_documents(self, query: str, *, run_manager: object) -> list[Document]:  # noqa: ARG002
        return [self.document]


class FirstToken(BaseCallbackHandler):
    """Notes when the first token came."""

    at: float | None = None

    def on_llm_new_token(self, token: str, **kwargs: Any) -> None:  # noqa: ANN401, ARG002
        """The time of the first one that is no empty text."""
        if self.at is None and token:
            self.at = time.perf_counter()


def completion(question: str, passages: Sequence[Passage], **_: object) -> str:
    """The evidence, then the question: what a model that only completes is asked."""
    return f"{format_context(passages)}\n\n问题：{question}\n答案："


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tokens", type=int, default=8000)
    options = parser.parse_args()
    data = load_set(options.data / "longbench_multifieldqa_zh")
    text = max(data.texts.values(), key=len)
    with tempfile.TemporaryDirectory() as folder:
        path = packaged_model_path("gemma-3-270m-base", Path(folder))
        backend = LlamaCppBackend(path, context_window=options.tokens + 1024)
        while backend.count_tokens(text) > options.tokens:
            text = text[: int(len(text) * 0.95)]
        retriever = Whole(document=Document(text, metadata={"source": "document"}))
        model = ChineseAlpacaLLM(backend=backend, max_tokens=16, temperature=0.0)
        chain = build_qa_chain(retriever, model, style=QAPromptStyle(completion, ("\n",)), min_coverage=0.0)
        seconds = []
        for question in (text[:12], text[40:52], text[-30:-18]):
            handler, began = FirstToken(), time.perf_counter()
            chain.invoke(question, {"callbacks": [handler]})
            seconds.append((handler.at or time.perf_counter()) - began)
    n_tokens = backend.count_tokens(text)
    share = seconds[1] / seconds[0]
    print(f"document of {n_tokens} tokens; first token after {', '.join(f'{s:.3f} s' for s in seconds)}")
    print(f"second question: {share:.2%} of the first (claim: at most {CLAIM:.0%})")
    sys.exit(share > CLAIM)


if __name__ == "__main__":
    main()
