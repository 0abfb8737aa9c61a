"""The values that the knowledge base takes in and gives out."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

from langchain_core.documents import Document


def text_hash(text: str) -> str:
    """Identity of a chunk's text, under which its embedding is stored."""
    return hashlib.sha256(text.encode()).hexdigest()


def chunk_id(content_hash: str, start: int, end: int) -> str:
    """Identity of a chunk: the same file content cut in the same place has the same id everywhere."""
    return hashlib.sha256(f"{content_hash}:{start}:{end}".encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file as the manifest knows it."""

    path: str
    content_hash: str | None
    size_bytes: int
    mtime_ns: int
    status: Literal["indexed", "failed"]
    problems: tuple[str, ...] = ()
    n_pages: int = 0
    n_chunks: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The form in which `list --json` prints a file."""
        return {"file": self.path, **{k: v for k, v in asdict(self).items() if k != "path"}}


@dataclass(frozen=True, slots=True)
class PreparedDocument:
    """A file that is loaded, cut and embedded, and not yet visible."""

    file: FileRecord
    content_hash: str
    loader: str
    pages: tuple[Document, ...]
    chunks: tuple[Document, ...]

    def chunk_ids(self) -> list[str]:
        """The ids of its chunks, in order."""
        return [chunk_id(self.content_hash, c.metadata["start"], c.metadata["end"]) for c in self.chunks]

    def chunk_rows(self) -> list[tuple[Any, ...]]:
        """Rows of the manifest's table `chunks`."""
        return [
            (
                identity,
                self.content_hash,
                ordinal,
                chunk.metadata["start"],
                chunk.metadata["end"],
                chunk.metadata["page_start"],
                chunk.metadata["page_end"],
                json.dumps(chunk.metadata["page_offsets"]),
                text_hash(chunk.page_content),
                chunk.page_content,
            )
            for ordinal, (identity, chunk) in enumerate(zip(self.chunk_ids(), self.chunks, strict=True))
        ]


Outcome = Literal["added", "updated", "unchanged", "duplicate", "failed"]


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one file; `detail` is the reason of a failure or the name of the twin."""

    path: str
    outcome: Outcome
    n_chunks: int = 0
    detail: str | None = None
    hint: str | None = None
    problems: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The form in which `ingest --json` prints a file."""
        return {"file": self.path, **{k: v for k, v in asdict(self).items() if k != "path"}}


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What became of every file of one run, in the order of the run."""

    outcomes: tuple[FileOutcome, ...] = ()
    ignored: tuple[str, ...] = ()  # files of unknown type met in folders

    def of(self, *kinds: Outcome) -> list[FileOutcome]:
        """The outcomes of these kinds."""
        return [outcome for outcome in self.outcomes if outcome.outcome in kinds]

    def to_dict(self) -> dict[str, Any]:
        """The form in which `ingest --json` prints a report."""
        kinds: tuple[Outcome, ...] = ("added", "updated", "unchanged", "duplicate", "failed")
        return {
            **{kind: len(self.of(kind)) for kind in kinds},
            "ignored": list(self.ignored),
            "files": [outcome.to_dict() for outcome in self.outcomes],
        }


@dataclass(frozen=True, slots=True)
class IngestProgress:
    """A moment of an ingest run. `done_bytes` counts a file in work by its share of embedded chunks."""

    path: str
    n_files_done: int
    n_files: int
    n_pages: int
    n_chunks: int  # cut and embedded in this run so far
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class KnowledgeBaseStatus:
    """Counts and identity of a knowledge base."""

    folder: str
    n_files: int
    n_failed: int
    n_documents: int
    n_chunks: int
    size_bytes: int
    embedding: dict[str, Any] | None
    splitter: dict[str, Any] | None
    clean: bool

    def to_dict(self) -> dict[str, Any]:
        """The form in which `status --json` prints it."""
        return asdict(self)
