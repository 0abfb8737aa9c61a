"""How much of a prompt to read in one step, so that a reader who wants to stop need not wait long."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

_LONGEST_S = 1.0
_FEWEST = 32


class Pace:
    """Tokens a step: as many as the runtime takes at once, fewer where a step takes longer than a second."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.n_tokens = most

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Time the step in the block and choose the size of the next."""
        started = time.monotonic()
        yield
        self.adapt(time.monotonic() - started)

    def adapt(self, seconds: float) -> None:
        """Halve after a slow step, go back up after a quick one."""
        if seconds > _LONGEST_S:
            self.n_tokens = max(min(_FEWEST, self._most), self.n_tokens // 2)
        elif seconds < _LONGEST_S / 4:
            self.n_tokens = min(self._most, self.n_tokens * 2)
