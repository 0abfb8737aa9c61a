"""Reading an archive that anybody may have written: nothing in it is believed before it was checked."""

import hashlib
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from chinese_llm_rag.errors import KnowledgeBaseError
from chinese_llm_rag.knowledge_base.archive.contents import (
    INDEX,
    ArchiveIndex,
    Member,
    damaged,
    foreign,
    is_member_name,
    parse_index,
    repeated,
    unsafe,
)
from chinese_llm_rag.language import say

BLOCK_BYTES = 1 << 20
_MOST_INDEX_BYTES = 64 << 20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_LOCAL_HEADER = b"PK\x03\x04"
# All that zipfile and zlib say of bytes that are no whole ZIP file.
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OverflowError, RuntimeError)


class ArchiveReader:
    """An archive whose index was checked. What its members hold is checked as they are extracted.

    Raises:
        KnowledgeBaseError: unreadable, cut short, of another program, of a newer format, or with members
            that no export writes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = _opened(path)
        try:
            with _archive_errors(path):
                self._zip = zipfile.ZipFile(self._file)
            self._entries = self._checked_entries()
            self.index = self._read_index()
        except KnowledgeBaseError:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def members(self, prefix: str) -> list[Member]:
        """The members whose names begin so."""
        return [member for member in self.index.members if member.name.startswith(prefix)]

    def extract(self, member: Member, target: Path, on_bytes: Callable[[int], None] = lambda _: None) -> None:
        """Write a member to a new file, no more than its size; the file is no good unless this returns.

        Raises:
            KnowledgeBaseError: it is not what the index says.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            for block in self._blocks(member):
                file.write(block)
                on_bytes(len(block))

    def _blocks(self, member: Member) -> Iterator[bytes]:
        digest, left = hashlib.sha256(), member.size_bytes
        with _archive_errors(self.path), self._zip.open(self._entries[member.name]) as stream:
            while block := stream.read(min(BLOCK_BYTES, left + 1)):
                left -= len(block)
                if left < 0:
                    raise damaged(self.path, _not_as_listed(member.name))
                digest.update(block)
                yield block
        if left or digest.hexdigest() != member.sha256:
            raise damaged(self.path, _not_as_listed(member.name))

    def _checked_entries(self) -> dict[str, zipfile.ZipInfo]:
        entries = self._zip.infolist()
        if INDEX not in {entry.filename for entry in entries}:
            raise foreign(self.path)
        for entry in entries:
            kind = stat.S_IFMT(entry.external_attr >> 16)
            plain = entry.compress_type in _METHODS and not entry.flag_bits & _ENCRYPTED
            named = entry.filename == INDEX or is_member_name(entry.filename)
            if not (named and plain and kind in (0, stat.S_IFREG)):
                raise unsafe(self.path, entry.filename)
        if twin := repeated(entry.filename for entry in entries):
            raise unsafe(self.path, twin)
        return {entry.filename: entry for entry in entries}

    def _read_index(self) -> ArchiveIndex:
        entry = self._entries[INDEX]
        if entry.file_size > _MOST_INDEX_BYTES:
            raise damaged(self.path, _not_as_listed(INDEX))
        with _archive_errors(self.path), self._zip.open(entry) as stream:
            content = stream.read(_MOST_INDEX_BYTES + 1)
        index = parse_index(content, self.path)
        listed = {member.name: member.size_bytes for member in index.members}
        found = {name: entry.file_size for name, entry in self._entries.items() if name != INDEX}
        if listed != found:
            first = next(name for name in sorted({*listed, *found}) if listed.get(name) != found.get(name))
            raise damaged(self.path, _not_as_listed(first))
        return index


def _opened(path: Path) -> BinaryIO:
    try:
        file = path.open("rb")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise KnowledgeBaseError(
            say(f"cannot read the archive {str(path)!r}: {reason}", f"无法读取归档文件 {str(path)!r}：{reason}"),
            folder=path,
            hint=say("check the path, and that you may read the file", "请检查路径和读取权限"),
        ) from error
    if zipfile.is_zipfile(file):
        return file
    file.seek(0)
    begins_as_one = file.read(len(_LOCAL_HEADER)) == _LOCAL_HEADER
    file.close()
    raise damaged(path, say("it is cut short", "文件不完整")) if begins_as_one else foreign(path)


@contextmanager
def _archive_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (*_ZIP_ERRORS, OSError) as error:
        raise damaged(path, str(error) or type(error).__name__) from error


def _not_as_listed(name: str) -> str:
    return say(f"{name!r} is not as its index says", f"{name!r} 与索引不符")
