"""Which index of a base is in force, and how another takes its place in one step.

An index is a folder with a manifest, vectors and words that belong together. The first one is the base's own
folder; what `reindex`, `compact` and `repair` build lies beside it as `index-1`, `index-2` and so on. The
file `current` names the one in force; replacing that file is the switch. A reader holds the index that it opened by a
lock of its own, so that an old index is thrown away only when nobody reads it any more.
"""

import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from chinese_llm_rag.errors import KnowledgeBaseError
from chinese_llm_rag.knowledge_base.durable import sync_file, sync_folder
from chinese_llm_rag.language import say

MANIFEST = "manifest.sqlite3"
_CURRENT = "current"
_READERS = "readers"
_NAME = re.compile(r"index-(\d+)")
_PARTS = re.compile(r"manifest\.sqlite3(-wal|-shm)?|chroma|words.*|readers")  # of an index in the base's own folder


class Hold:
    """An index that is being read; it is not thrown away before `release`."""

    def __init__(self, folder: Path) -> None:
        from filelock import FileLock  # noqa: PLC0415  (keeps `--help` instant)

        self.folder = folder
        readers = folder / _READERS
        readers.mkdir(exist_ok=True)
        self._file = readers / f"{os.getpid()}-{uuid.uuid4().hex}.lock"
        self._lock = FileLock(self._file, timeout=0)
        self._lock.acquire()

    def release(self) -> None:
        """Let go of the index."""
        self._file.unlink(missing_ok=True)
        self._lock.release()


class Generations:
    """The indexes in the folder of one base."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def current(self) -> Path:
        """The folder of the index in force.

        Raises:
            KnowledgeBaseError: the index that `current` names is not there.
        """
        try:
            name = (self._root / _CURRENT).read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return self._root
        folder = self._root / name
        if not _NAME.fullmatch(name) or not (folder / MANIFEST).exists():
            raise KnowledgeBaseError(
                say(
                    f"the index {name!r} is missing in {str(self._root)!r}", f"{str(self._root)!r} 中缺少索引 {name!r}"
                ),
                folder=self._root,
                hint=say("bring the folder back from a copy", "请从备份恢复该文件夹"),
            )
        return folder

    def exists(self) -> bool:
        """Whether there is a base at all."""
        return (self._root / MANIFEST).exists() or (self._root / _CURRENT).exists()

    def hold(self) -> Hold:
        """The index in force, held for reading."""
        from filelock import Timeout  # noqa: PLC0415

        while True:
            folder = self.current()
            try:
                held = Hold(folder)
            except (FileNotFoundError, Timeout):  # another took its place, and it is being thrown away
                if self.current() != folder:
                    continue
                raise
            if self.current() == folder:
                return held
            held.release()

    def others(self) -> list[Path]:
        """Indexes that are not in force: begun, or replaced. The base's own folder is not among them."""
        current = self.current()
        found = [path for path in self._root.iterdir() if _NAME.fullmatch(path.name) and path != current]
        return sorted(found, key=lambda path: int(path.name.removeprefix("index-")))

    def new(self) -> Path:
        """The folder for another index, made."""
        numbers = [int(match[1]) for path in self._root.iterdir() if (match := _NAME.fullmatch(path.name))]
        folder = self._root / f"index-{max(numbers, default=0) + 1}"
        folder.mkdir(mode=0o700)
        return folder

    def switch(self, folder: Path) -> None:
        """Put another index in force, in one step that survives a power cut."""
        draft = self._root / f"{_CURRENT}.new"
        with draft.open("w", encoding="utf-8") as file:
            file.write(folder.name)
        sync_file(draft)
        draft.replace(self._root / _CURRENT)
        sync_folder(self._root)

    def collect(self, *, keep: Path | None = None) -> None:
        """Throw away indexes that are neither in force nor read; the caller is the only writer.

        Args:
            keep: one that is being built.
        """
        current = self.current()
        for folder in self.others():
            if folder != keep and not _is_read(folder):
                shutil.rmtree(folder)
        if current != self._root and not _is_read(self._root):
            for part in self._parts_of_first():
                if part.is_dir():
                    shutil.rmtree(part)
                else:
                    part.unlink()

    def _parts_of_first(self) -> Iterator[Path]:
        """The manifest last, as long as which the others belong to something."""
        parts = [path for path in self._root.iterdir() if _PARTS.fullmatch(path.name)]
        yield from sorted(parts, key=lambda path: path.name.startswith(MANIFEST))


def _is_read(folder: Path) -> bool:
    """Whether a living reader holds the index; what dead ones have left is cleared away."""
    from filelock import FileLock, Timeout  # noqa: PLC0415

    readers = folder / _READERS
    if not readers.is_dir():
        return False
    read = False
    for file in list(readers.iterdir()):
        lock = FileLock(file, timeout=0)
        try:
            lock.acquire()
        except Timeout:
            read = True
        else:
            with suppress(FileNotFoundError):
                file.unlink()
            lock.release()
    return read
