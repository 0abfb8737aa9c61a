"""Question sets on disk, for benchmarks: a folder a set with docs.jsonl and queries.jsonl, one JSON object a line."""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from langchain_core.documents import Document

RowT = TypeVar("RowT")


@dataclass(frozen=True)
class Set:
    """Documents' texts by id, and questions as they stand in the file."""

    texts: dict[str, str]
    questions: list[dict[str, Any]]

    def pages(self, ids: Sequence[str] | None = None) -> list[Document]:
        """Documents of one page each, as a loader of ours gives them."""
        return [
            Document(text, metadata={"source": i, "content_hash": i, "page": 1, "n_pages": 1, "start": 0})
            for i, text in self.texts.items()
            if ids is None or i in ids
        ]


def load_set(folder: Path) -> Set:
    texts = {row["id"]: row["text"] for row in _lines(folder / "docs.jsonl")}
    return Set(texts, list(_lines(folder / "queries.jsonl")))


def sample(rows: Sequence[RowT], n: int) -> list[RowT]:
    """So many of them, always the same; all where n is 0."""
    return random.Random(0).sample(rows, min(n, len(rows))) if n else list(rows)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)
