"""The values that the knowledge base takes in and gives out."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from langchain_core.documents import Document


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
    tags: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The form in which `list --json` prints a file."""
        return {"file": self.path, **{k: v for k, v in asdict(self).items() if k != "path"}}


@dataclass(frozen=True, slots=True)
class PreparedDocument:
    """A file that is loaded and cut, and not yet visible."""

    file: FileRecord
    content_hash: str
    loader: str
    pages: tuple[Document, ...]
    chunks: tuple[Document, ...]


@dataclass(frozen=True, slots=True)
class FurnitureRecord:
    """A running header or footer, and the pages it was met on (the first and the last)."""

    source: str
    page_start: int
    page_end: int
    text: str


Outcome = Literal["added", "updated", "unchanged", "moved", "duplicate", "removed", "missing", "failed"]
_OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one file; `detail` is the reason of a failure, the twin's name, or the name before a move.

    "missing" is a file of the base that is no longer where it was; with prune it is "removed".
    """

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
        return {
            **{kind: len(self.of(kind)) for kind in _OUTCOMES},
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
