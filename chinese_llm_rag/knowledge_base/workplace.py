"""A folder to work in beside what is being made: cleared of what a killed run left, and gone afterwards."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chinese_llm_rag.errors import KnowledgeBaseBusyError
from chinese_llm_rag.language import say

_LOCK = "lock"


@contextmanager
def workplace(folder: Path) -> Iterator[Path]:
    """The folder, empty but for its lock, for this process alone.

    Raises:
        KnowledgeBaseBusyError: another process is at work in it.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415  (keeps `--help` instant)

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FileLock(folder / _LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise KnowledgeBaseBusyError(
            say(f"another process is at work in {str(folder)!r}", f"另一个进程正在 {str(folder)!r} 中工作"),
            folder=folder,
            hint=say("wait until it has finished, or end that process", "请等它完成，或结束该进程"),
        ) from error
    try:
        _clear(folder)
        yield folder
    finally:
        _clear(folder)
        lock.release()
        shutil.rmtree(folder, ignore_errors=True)


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != _LOCK:
            path.unlink(missing_ok=True)
