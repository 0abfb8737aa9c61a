"""Follow folders: a run at the start, and one whenever something in them has changed and come to rest."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from chinese_llm_rag.errors import DocumentError, KnowledgeBaseBusyError, RagError
from chinese_llm_rag.language import say

_REST_MS = 1_000  # without a change, before a run: a file that is being copied is not read by halves
_LONGEST_MS = 60_000  # of changes without a rest, after which a run is made all the same
_RETRY_MS = 5_000


def watch(
    paths: Sequence[Path],
    run: Callable[[], None],
    *,
    on_trouble: Callable[[RagError], None],
    poll: bool = False,
    stop: threading.Event | None = None,
) -> None:
    """Call `run` now, and after every change below `paths`, until `stop` is set or the user interrupts.

    Args:
        paths: files and folders.
        run: brings the base up to date. While another process writes to the base, or a folder is empty or
            away, it is called again every few seconds.
        on_trouble: told what keeps a run from being made, once.
        poll: look at the files every now and then instead of being told by the system, for network drives
            that tell nothing.
        stop: ends it.

    Raises:
        DocumentError: a path does not exist.
    """
    from watchfiles import watch as changes_of  # noqa: PLC0415  (loads a library in Rust)

    _check(paths)
    runs = _Runs(run, on_trouble)
    runs.make()
    for changes in changes_of(
        *paths,
        step=_REST_MS,
        debounce=_LONGEST_MS,
        rust_timeout=_RETRY_MS,
        yield_on_timeout=True,
        stop_event=stop,
        force_polling=poll or None,
        ignore_permission_denied=True,
    ):
        if changes or runs.is_due:
            runs.make()


class _Runs:
    """Runs, and whether the last one is still to be made."""

    def __init__(self, run: Callable[[], None], on_trouble: Callable[[RagError], None]) -> None:
        self._run = run
        self._on_trouble = on_trouble
        self._trouble = ""

    @property
    def is_due(self) -> bool:
        """Whether the last run could not be made."""
        return bool(self._trouble)

    def make(self) -> None:
        """One run, or word of what kept it from being made."""
        try:
            self._run()
        except (KnowledgeBaseBusyError, DocumentError) as error:
            if str(error) != self._trouble:
                self._on_trouble(error)
            self._trouble = str(error)
        else:
            self._trouble = ""


def _check(paths: Sequence[Path]) -> None:
    for path in paths:
        if not path.exists():
            raise DocumentError(
                say(f"{str(path)!r} does not exist", f"{str(path)!r} 不存在"),
                path=path,
                hint=say("check the spelling of the path", "请检查路径是否写对"),
            )
