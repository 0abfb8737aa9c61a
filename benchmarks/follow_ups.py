"""What completing follow-up questions is worth to search, on questions that people wrote one after another.

    python benchmarks/follow_ups.py --data FOLDER [--sets cmrc2018 drcd]

Of two neighbouring questions on one paragraph that begin with the same name, the second is asked as a follow-up: with
它 in the place of the name, or without it. Printed is the share of follow-ups whose paragraph is among the first 4
passages of BM25: for the question as it was written (the ceiling), for the follow-up as typed, as the rules complete
it, and in both forms.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise, takewhile
from pathlib import Path

from langchain_core.documents import Document

from chinese_llm_rag import BM25Retriever
from chinese_llm_rag.chains.conversation import Exchange, leaning, standalone
from chinese_llm_rag.chains.qa_readings import merged
from chinese_llm_rag.chinese_text import is_han

K = 4
SHORTEST_NAME = 3


@dataclass(frozen=True)
class FollowUp:
    """A question with the one before it, as it would be typed, and as it was written."""

    before: Exchange
    question: str
    written: str
    doc_id: str


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def follow_ups(queries: list[dict], make: Callable[[str], str]) -> Iterator[FollowUp]:
    for first, second in pairwise(queries):
        if first["doc_ids"] != second["doc_ids"] or not first["answers"]:
            continue
        pairs = takewhile(lambda pair: pair[0] == pair[1], zip(first["question"], second["question"], strict=False))
        name = "".join(character for character, _ in pairs).rstrip("的在是于由有")
        rest = second["question"][len(name) :]
        if len(name) >= SHORTEST_NAME and all(map(is_han, name)) and len(rest) > SHORTEST_NAME:
            before = Exchange(first["question"], first["answers"][0])
            yield FollowUp(before, make(rest), second["question"], second["doc_ids"][0])


def share_found(retriever: BM25Retriever, asked: list[FollowUp], form: Callable[[FollowUp], list[str]]) -> float:
    found = 0
    for one in asked:
        documents = merged([retriever.invoke(query) for query in form(one)])
        found += any(document.metadata["doc_id"] == one.doc_id for document in documents)
    return found / len(asked)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=["cmrc2018", "drcd"])
    arguments = parser.parse_args()
    forms: dict[str, Callable[[FollowUp], list[str]]] = {
        "as written": lambda one: [one.written],
        "as typed": lambda one: [one.question],
        "completed": lambda one: [standalone(one.question, [one.before])],
        "both forms": lambda one: [standalone(one.question, [one.before]), one.question],
    }
    print(f"{'set':10} {'follow-up':10} {'n':>5} {'leaning seen':>13}", *(f"{name:>11}" for name in forms))
    for name in arguments.sets:
        texts = rows(arguments.data / name / "docs.jsonl")
        queries = rows(arguments.data / name / "queries.jsonl")
        documents = [Document(row["text"], metadata={"doc_id": row["id"]}) for row in texts]
        retriever = BM25Retriever.from_documents(documents, k=K)
        for kind, make in (("它", lambda rest: f"它{rest}"), ("left out", lambda rest: rest.lstrip("的"))):
            asked = list(follow_ups(queries, make))
            seen = sum(leaning(one.question) is not None for one in asked) / len(asked)
            shares = (share_found(retriever, asked, form) for form in forms.values())
            print(
                f"{name:10} {kind:10} {len(asked):5} {seen:13.3f}", *(f"{share:11.3f}" for share in shares), flush=True
            )


if __name__ == "__main__":
    main()
