"""Question sets for measuring retrieval: which there are, samples of them, and their documents cut as a base cuts them.

A set is a folder with docs.jsonl ({"id", "text"}) and queries.jsonl ({"id", "question", "doc_ids"}).
"""

import argparse
import hashlib
import json
import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from langchain_core.documents import Document

from chinese_llm_rag.text_splitters import ChineseTextSplitter

# Questions that can be asked without naming a document. Left out are needle_counting_stars_zh (two different questions)
# and vcsum_* (one).
SETS = (
    "cmrc2018",
    "drcd",
    "xquad_zh",
    "xquad_en",
    "c3",
    "csl_abstract_title",
    "dragonball_finance_zh",
    "longbench_multifieldqa_zh",
    "longbench_passage_retrieval_zh",
    "rgb_zh_fact",
    "rgb_zh_int",
    "rgb_zh_refine",
)
# Documents without questions, which lie in the pooled index beside the others.
DISTRACTORS = ("crud_news_distractors", "dragonball_law_medical_zh_docs")
NOT_POOLED = ("xquad_en",)  # its questions are those of xquad_zh
SEED = 2024

Half = Literal["dev", "test"]


def sampling_parser(description: str) -> argparse.ArgumentParser:
    """Of a command over samples of the sets: which, how large, and where their vectors are kept."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS, metavar="SET")
    parser.add_argument("--documents", type=int, default=1000, help="most documents of a set; 0 for all")
    parser.add_argument("--questions", type=int, default=600, help="most questions of a set; 0 for all")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "chinese-llm-rag-vectors")
    return parser


@dataclass(frozen=True)
class Question:
    """A question, and the documents that answer it, as they are called in an index."""

    set_name: str
    id: str
    text: str
    documents: frozenset[str]

    @property
    def half(self) -> Half:
        """Which half of its set it is in: weights are fitted on "dev" and reported on "test"."""
        digest = hashlib.sha256(f"{self.set_name}:{self.id}".encode()).digest()
        return "test" if digest[0] % 2 else "dev"


@dataclass(frozen=True)
class QuestionSet:
    """A set, or a sample of one: its documents by what they are called, and its questions."""

    name: str
    documents: dict[str, str]
    questions: tuple[Question, ...]


def load_set(data: Path, name: str, n_documents: int | None, n_questions: int | None) -> QuestionSet:
    """A set; where it is larger, a sample that holds the documents of all questions asked.

    Args:
        data: the folder of all sets.
        name: of the set.
        n_documents: the most documents, unless the questions need more; None for all.
        n_questions: the most questions; None for all.
    """
    documents = _rows(data / name / "docs.jsonl")
    chance = random.Random(f"{name}-{SEED}")
    asked = [
        row for row in _rows(data / name / "queries.jsonl") if row["doc_ids"] and row.get("answerable") is not False
    ]
    asked = chance.sample(asked, len(asked) if n_questions is None else min(n_questions, len(asked)))
    needed = {identity for row in asked for identity in row["doc_ids"]}
    kept = needed
    if n_documents is not None:
        others = [row["id"] for row in documents if row["id"] not in needed]
        kept = needed | set(chance.sample(others, max(0, min(len(others), n_documents - len(needed)))))
    texts = {f"{name}/{row['id']}": row["text"] for row in documents if n_documents is None or row["id"] in kept}
    questions = tuple(
        Question(name, row["id"], row["question"], frozenset(f"{name}/{identity}" for identity in row["doc_ids"]))
        for row in sorted(asked, key=lambda row: str(row["id"]))
    )
    return QuestionSet(name, texts, questions)


def pooled(sets: Sequence[QuestionSet]) -> QuestionSet:
    """All documents of several sets in one, with all their questions."""
    documents = {identity: text for one in sets for identity, text in one.documents.items()}
    return QuestionSet("pooled", documents, tuple(question for one in sets for question in one.questions))


def iter_chunks(documents: dict[str, str]) -> Iterator[Document]:
    """Chunks with ids and ChunkMetadata, each document a text file of its own, cut as a new knowledge base cuts it."""
    splitter = ChineseTextSplitter()
    number = 0
    for source, text in documents.items():
        place = {"source": source, "content_hash": source, "page": 1, "n_pages": 1, "start": 0}
        for chunk in splitter.split_documents([Document(text, metadata=place)]):
            identity = f"{number:06d}"
            number += 1
            yield Document(chunk.page_content, id=identity, metadata={**chunk.metadata, "chunk_id": identity})


def _rows(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
