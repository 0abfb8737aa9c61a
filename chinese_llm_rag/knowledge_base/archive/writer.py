"""Writing an archive: members one after another, hashed as they pass, the index last."""

import hashlib
import os
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from chinese_llm_rag.knowledge_base.archive.contents import INDEX, ArchiveIndex, Member

_BLOCK_BYTES = 1 << 20
_SAMPLE_BYTES = 1 << 18
_PAYS = 0.8  # what a deflated sample may have of its size, for deflating to be worth the time
_LEVEL = 3  # higher ones win some percent more in several times the time
_TIMELESS = (1980, 1, 1, 0, 0, 0)  # equal contents give equal archives
_REGULAR_FILE = 0o100600 << 16


class ArchiveWriter:
    """An archive in the making; use it as a context manager, and call `finish` last."""

    def __init__(self, path: Path, on_bytes: Callable[[str, int], None]) -> None:
        self._file = path.open("xb")
        self._zip = zipfile.ZipFile(self._file, "w", allowZip64=True)
        self._on_bytes = on_bytes
        self.members: list[Member] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self._file.close()
            return
        for part in (self._zip, self._file):
            with suppress(OSError, ValueError):  # where the disk is full these fail too; the first error counts
                part.close()

    def add(self, name: str, stream: BinaryIO) -> Member:
        """Write what is left of a stream, deflated where that pays."""
        block = stream.read(_SAMPLE_BYTES)
        entry = _entry(name, zipfile.ZIP_DEFLATED if _pays(block) else zipfile.ZIP_STORED)
        digest, size_bytes = hashlib.sha256(), 0
        with self._zip.open(entry, "w", force_zip64=True) as member:
            while block:
                member.write(block)
                digest.update(block)
                size_bytes += len(block)
                self._on_bytes(name, len(block))
                block = stream.read(_BLOCK_BYTES)
        self.members.append(Member(name, size_bytes, digest.hexdigest()))
        return self.members[-1]

    def finish(self, index: ArchiveIndex) -> None:
        """Write the index, and all of it to the disk."""
        self._zip.writestr(_entry(INDEX, zipfile.ZIP_DEFLATED), index.to_json(), compresslevel=_LEVEL)
        self._zip.close()
        self._file.flush()
        os.fsync(self._file.fileno())


def _pays(sample: bytes) -> bool:
    return len(zlib.compress(sample, _LEVEL)) < _PAYS * len(sample)


def _entry(name: str, method: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _TIMELESS)
    entry.compress_type = method
    entry._compresslevel = _LEVEL  # type: ignore[attr-defined]  # noqa: SLF001  (open() has no argument for it)
    entry.external_attr = _REGULAR_FILE
    return entry
