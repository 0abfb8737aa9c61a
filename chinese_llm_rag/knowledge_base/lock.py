"""One writer at a time: a lock file that says who holds it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chinese_llm_rag.errors import KnowledgeBaseBusyError
from chinese_llm_rag.language import say


@contextmanager
def writer_lock(folder: Path) -> Iterator[None]:
    """Hold the right to write to the knowledge base in `folder`.

    The operating system gives the lock back when its holder dies, however it dies.

    Raises:
        KnowledgeBaseBusyError: another process or thread holds it; says which.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415  (keeps `--help` instant)

    holder = folder / "writer.pid"
    lock = FileLock(folder / "writer.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        pid = holder.read_text().strip() if holder.exists() else "?"
        raise KnowledgeBaseBusyError(
            say(
                f"the knowledge base {str(folder)!r} is being written to by process {pid}",
                f"知识库 {str(folder)!r} 正由进程 {pid} 写入",
            ),
            folder=folder,
            hint=say("wait until it has finished, or end that process", "请等它完成，或结束该进程"),
        ) from error
    try:
        holder.write_text(str(os.getpid()))
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()
