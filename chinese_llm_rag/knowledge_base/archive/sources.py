"""The files that a base was made of: where they are, and the copies of them that an import has put beside it."""

import tempfile
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Literal

from chinese_llm_rag.errors import DocumentError
from chinese_llm_rag.knowledge_base.parsing import content_hash
from chinese_llm_rag.knowledge_base.records import FileRecord

FOLDER = "sources"
_IN_MEMORY_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class MissingSource:
    """A file of the base that cannot be carried along, since it is gone or is another one now."""

    file: str
    reason: Literal["gone", "changed"]

    def to_dict(self) -> dict[str, Any]:
        """The form in which `kb export --json` prints it."""
        return asdict(self)


def source_file(base_folder: Path, record: FileRecord) -> Path | None:
    """A file that holds the very bytes that the base was made of.

    Args:
        base_folder: of the base.
        record: of the file, as the base lists it.

    Returns:
        the file under its own name, else the copy that came with an archive; None where neither has the
        content on record, or the file was never taken in.
    """
    if record.content_hash is None:
        return None
    copies = (base_folder / FOLDER).glob(f"{record.content_hash}*")
    return next((path for path in (Path(record.path), *sorted(copies)) if _holds(path, record.content_hash)), None)


def forget_sources(base_folder: Path, kept: Collection[str]) -> None:
    """Delete the copies of contents that are in the base no more.

    Args:
        base_folder: of the base.
        kept: the content hashes of its documents.
    """
    folder = base_folder / FOLDER
    if folder.is_dir():
        for copy in list(folder.iterdir()):
            if copy.name.partition(".")[0] not in kept:
                copy.unlink(missing_ok=True)


def spooled(base_folder: Path, records: Iterable[FileRecord], work_folder: Path) -> IO[bytes] | None:
    """The content of records that have the same, copied before it is trusted: a file may change while it is read.

    Args:
        base_folder: of the base.
        records: with the same content hash.
        work_folder: where a large copy lies meanwhile.

    Returns:
        the copy, to be closed by the caller; None where no file has the content.
    """
    import hashlib  # noqa: PLC0415

    for record in records:
        path = source_file(base_folder, record)
        if path is None:
            continue
        copy = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES, dir=str(work_folder))  # noqa: SIM115  (the caller closes it)
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
                copy.write(block)
        if digest.hexdigest() == record.content_hash:
            copy.seek(0)
            return copy
        copy.close()
    return None


def reason_missing(record: FileRecord) -> MissingSource:
    """Why a record's content could not be had."""
    return MissingSource(record.path, "changed" if Path(record.path).is_file() else "gone")


def _holds(path: Path, wanted: str) -> bool:
    try:
        return path.is_file() and content_hash(path) == wanted
    except DocumentError:
        return False
