"""The gate before the model: how well it tells questions that the passages answer from those that they do not.

    python benchmarks/refusal.py --data FOLDER [--questions 0] [--k 4]

FOLDER has the sets rgb_zh_refine and dragonball_finance_zh. Of rgb_zh_refine each question is asked twice: over all
passages, and over those that only look right, its own taken away. Of dragonball_finance_zh, which has questions
without an answer, all are asked over all reports. Passages are found by BM25. Printed: the operating curve (refused
of those to refuse, wrongly refused of the others, by threshold), its area, and what a threshold fitted on one half of
the questions for at most 0.10 wrong refusals does on the other half.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from langchain_core.documents import Document
from question_sets import Set, load_set, sample

from chinese_llm_rag.evidence import MIN_COVERAGE, check_evidence
from chinese_llm_rag.retrievers.bm25 import BM25Retriever
from chinese_llm_rag.text_splitters import ChineseTextSplitter

MOST_WRONG = 0.10
DEEP = 60  # passages found where a question's own are taken away


@dataclass(frozen=True)
class Asked:
    """One asking: how much evidence there is, at the gate's own measure, and whether the answer is there."""

    score: float
    answerable: bool
    fitted_on: bool  # its half


def rgb(data: Set, k: int, n: int) -> list[Asked]:
    retriever = BM25Retriever.from_documents(ChineseTextSplitter().split_documents(data.pages()), k=DEEP)
    asked = []
    for number, row in enumerate(sample(data.questions, n)):
        found = retriever.invoke(row["question"])
        own = set(row["doc_ids"])
        without = [passage for passage in found if passage.metadata["source"] not in own]
        for passages, answerable in ((found[:k], True), (without[:k], False)):
            if not answerable or any(passage.metadata["source"] in own for passage in passages):
                asked.append(Asked(score(row["question"], passages), answerable, number % 2 == 0))
    return asked


def dragonball(data: Set, k: int, n: int) -> list[Asked]:
    retriever = BM25Retriever.from_documents(ChineseTextSplitter().split_documents(data.pages()), k=k)
    rows = sample([row for row in data.questions if row["answerable"]], n)
    rows += [row for row in data.questions if not row["answerable"]]
    return [
        Asked(score(row["question"], retriever.invoke(row["question"])), row["answerable"], number % 2 == 0)
        for number, row in enumerate(rows)
    ]


def score(question: str, passages: Sequence[Document]) -> float:
    return check_evidence(question, [passage.page_content for passage in passages]).score


# --- the curve ------------------------------------------------------------------------------------


def rates(asked: Sequence[Asked], threshold: float) -> tuple[float, float]:
    """Share refused of what should be, and of what should not be."""
    wrong = [one.score < threshold for one in asked if one.answerable]
    right = [one.score < threshold for one in asked if not one.answerable]
    return sum(right) / len(right), sum(wrong) / len(wrong)


def area(asked: Sequence[Asked]) -> float:
    """Share of pairs in which the question with an answer has more evidence; half where both have as much."""
    there = [one.score for one in asked if one.answerable]
    absent = [one.score for one in asked if not one.answerable]
    return sum((a > b) + 0.5 * (a == b) for a in there for b in absent) / (len(there) * len(absent))


def fitted(asked: Sequence[Asked]) -> float:
    """The highest threshold with at most MOST_WRONG wrong refusals."""
    fits = [one.score for one in asked if rates(asked, one.score)[1] <= MOST_WRONG]
    return max(fits, default=0.0)


def report(name: str, asked: Sequence[Asked]) -> None:
    n_absent = sum(not one.answerable for one in asked)
    print(f"\n{name}: {n_absent} without an answer, {len(asked) - n_absent} with one; area {area(asked):.3f}")
    for step in range(11):
        threshold = step / 10
        refused, wrong = rates(asked, threshold)
        print(f"  threshold {threshold:.1f}: refused {refused:.3f}, wrongly {wrong:.3f}")
    refused, wrong = rates(asked, MIN_COVERAGE)
    print(f"  default {MIN_COVERAGE}: refused {refused:.3f}, wrongly {wrong:.3f}")
    half, other = [[one for one in asked if one.fitted_on == which] for which in (True, False)]
    threshold = fitted(half)
    refused, wrong = rates(other, threshold)
    print(f"  fitted on one half, {threshold:.3f}; on the other: refused {refused:.3f}, wrongly {wrong:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=0, help="of each set, seeded; 0 for all")
    parser.add_argument("--k", type=int, default=4)
    options = parser.parse_args()
    every = []
    for name, ask in (("rgb_zh_refine", rgb), ("dragonball_finance_zh", dragonball)):
        asked = ask(load_set(options.data / name), options.k, options.questions)
        report(name, asked)
        every += asked
    report("both", every)


if __name__ == "__main__":
    main()
