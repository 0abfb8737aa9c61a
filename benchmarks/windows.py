"""No prompt is over the window: the whole chain over the questions of all sets, at windows of 2K to 64K tokens.

    python benchmarks/windows.py --data FOLDER [--questions 20] [--windows 2048 4096 16384 65536]

The prompts are counted by the model family's own tokenizer (FOLDER/../tokenizer/tokenizer.model) in its own template;
a stand-in speaks in the model's place, and refuses what is over its window, as a runtime does. As many passages are
found, by BM25, as would fill the window twice. Exit status 1 when any prompt is over.
"""

import argparse
import itertools
import statistics
import sys
from pathlib import Path

import sentencepiece
from question_sets import Set, load_set, sample

from chinese_llm_rag.chains import build_qa_chain
from chinese_llm_rag.errors import ContextWindowExceededError
from chinese_llm_rag.llms.alpaca import ChatChineseAlpaca
from chinese_llm_rag.llms.backend import Control, Prompt, prompt_parts
from chinese_llm_rag.prompts import REFUSAL
from chinese_llm_rag.retrievers.bm25 import BM25Retriever
from chinese_llm_rag.testing import ScriptedBackend
from chinese_llm_rag.text_splitters import ChineseTextSplitter

MAX_TOKENS = 400
TOKENS_A_PASSAGE = 150  # about, of chunks of at most 400 characters


class FamilyTokens(ScriptedBackend):
    """Says that the documents do not say, and counts as the family's models do."""

    def __init__(self, tokenizer: sentencepiece.SentencePieceProcessor, context_window: int) -> None:
        super().__init__(itertools.cycle([REFUSAL]), context_window=context_window)
        self._tokenizer = tokenizer

    def count_tokens(self, prompt: Prompt) -> int:
        """Tokens by sentencepiece, a control token being one."""
        parts = prompt_parts(prompt)
        return sum(1 if isinstance(part, Control) else len(self._tokenizer.encode(part)) for part in parts)


def overflows(
    data: Set, tokenizer: sentencepiece.SentencePieceProcessor, window: int, n: int
) -> tuple[int, list[float]]:
    """Prompts over the window, and of each question the share of the window that its prompt took."""
    k = max(8, 2 * window // TOKENS_A_PASSAGE)
    retriever = BM25Retriever.from_documents(ChineseTextSplitter().split_documents(data.pages()), k=k)
    n_over, shares = 0, []
    for row in sample(data.questions, n):
        backend = FamilyTokens(tokenizer, window)
        model = ChatChineseAlpaca(backend=backend, max_tokens=MAX_TOKENS)
        chain = build_qa_chain(retriever, model, strategy="stuff", min_coverage=0.0)
        try:
            chain.invoke(row["question"])
        except ContextWindowExceededError as error:
            n_over += 1
            print(f"over: {error}: {row['question']}", file=sys.stderr)
        shares += [(1 + backend.count_tokens(prompt) + MAX_TOKENS) / window for prompt, _ in backend.history]
    return n_over, shares


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, help="tokenizer.model; by default FOLDER/../tokenizer's")
    parser.add_argument("--questions", type=int, default=20, help="of each set, seeded; 0 for all")
    parser.add_argument("--windows", type=int, nargs="+", default=[2048, 4096, 16384, 65536])
    options = parser.parse_args()
    path = options.tokenizer or options.data.parent / "tokenizer" / "tokenizer.model"
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(path))
    sets = [load_set(folder.parent) for folder in sorted(options.data.glob("*/queries.jsonl"))]
    n_over = 0
    for window in options.windows:
        found = [overflows(data, tokenizer, window, options.questions) for data in sets if data.questions]
        over, shares = sum(one for one, _ in found), [share for _, several in found for share in several]
        n_over += over
        print(
            f"window {window}: {len(shares)} prompts, {over} over; filled: "
            f"mean {statistics.mean(shares):.2f}, most {max(shares):.4f}",
            flush=True,
        )
    sys.exit(n_over > 0)


if __name__ == "__main__":
    main()
