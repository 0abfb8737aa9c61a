"""What the controller gives out: plain values that name documents by id, never by where they lie on this machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from chinese_llm_rag.app.jobs import Job
from chinese_llm_rag.app.names import document_id
from chinese_llm_rag.schema import Answer, Citation, Passage

if TYPE_CHECKING:
    from chinese_llm_rag.knowledge_base import FileRecord

DocumentStatus = Literal["waiting", "reading", "indexed", "failed"]


@dataclass(frozen=True, slots=True)
class DocumentView:
    """A document of a knowledge base, or one that is on its way into it.

    Attributes:
        name: of an uploaded one as it was uploaded, with folders; else of its file.
        uploaded: whether the file is ours, and is deleted with the document.
        problems: what the user must know about it.
        job: that it waits for.
    """

    id: str
    name: str
    status: DocumentStatus
    size_bytes: int
    n_pages: int
    n_chunks: int
    problems: tuple[str, ...]
    tags: tuple[str, ...]
    uploaded: bool
    job: str | None


@dataclass(frozen=True, slots=True)
class BaseView:
    """A knowledge base in counts."""

    name: str
    n_files: int
    n_failed: int
    n_chunks: int
    size_bytes: int
    n_waiting: int


@dataclass(frozen=True, slots=True)
class Understood:
    """A question that leans on earlier ones, as it stands by itself; comes before the answer."""

    query: str


def document_view(record: "FileRecord", folder: Path, job: Job | None) -> DocumentView:
    """A file of the manifest.

    Args:
        record: the file.
        folder: of the uploaded documents.
        job: that it waits for.
    """
    path = Path(record.path)
    return DocumentView(
        id=document_id(record.path),
        name=name_of(path, folder),
        status=record.status if job is None else _on_its_way(job),
        size_bytes=record.size_bytes,
        n_pages=record.n_pages,
        n_chunks=record.n_chunks,
        problems=record.problems,
        tags=record.tags,
        uploaded=folder in path.parents,
        job=None if job is None else job.id,
    )


def waiting_view(path: Path, folder: Path, job: Job) -> DocumentView:
    """A document that the manifest does not know yet."""
    size_bytes = path.stat().st_size if path.exists() else 0
    return DocumentView(
        document_id(str(path)),
        name_of(path, folder),
        _on_its_way(job),
        size_bytes,
        n_pages=0,
        n_chunks=0,
        problems=(),
        tags=(),
        uploaded=True,
        job=job.id,
    )


def name_of(path: Path, folder: Path) -> str:
    """What a document is called before its user."""
    return path.relative_to(folder).as_posix() if folder in path.parents else path.name


def _on_its_way(job: Job) -> DocumentStatus:
    return "reading" if job.state == "running" else "waiting"


def answer_dict(answer: Answer, folder: Path) -> dict[str, Any]:
    """An answer in the form that `ask --json` prints, with documents in place of files."""
    values = answer.to_dict()
    for key in ("citations", "passages", "dropped"):
        values[key] = [_with_document(entry, folder) for entry in values[key]]
    for sentence in (*values["sentences"], *values["removed"]):
        sentence["contradicted_by"] = [_with_document(entry, folder) for entry in sentence["contradicted_by"]]
    return values


def passage_dict(passage: Passage, folder: Path) -> dict[str, Any]:
    """A passage in the form that `search --json` prints, with its document in place of its file."""
    return _with_document(passage.to_dict(), folder)


def citation_dict(citation: Citation, folder: Path) -> dict[str, Any]:
    """A citation, with its document in place of its file."""
    return _with_document(citation.to_dict(), folder)


def _with_document(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    path = values.pop("file")
    return {"document": document_id(path), "name": name_of(Path(path), folder), **values}
