"""One budget of threads for the process, shared by every part that computes.

An embedder and a model each bring a thread pool of their own. Two busy pools on the same cores slow
each other down by more than an order of magnitude, because waiting threads spin. So both are given
the same number of threads, and each takes the compute slot for one batch or one decoding step at a time.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_GRACE_S = 0.005  # how long a thread that let go is still expected back
_CREDIT_S = 2.0  # time that a thread may have used less than another, some batches long
_AWAY_S = 1.0  # after so long without the slot a thread's account is closed


def thread_budget(requested: int | None = None) -> int:
    """Threads that a pool may have: `requested`, or all cores this process may run on."""
    if requested is not None:
        return requested
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def limit_pools(n_threads: int) -> None:
    """Tell OpenMP runtimes that are loaded later how many threads they have and not to spin when idle.

    Variables that the user has set are left alone.
    """
    os.environ.setdefault("OMP_NUM_THREADS", str(n_threads))
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


class FairSlot:
    """A lock that shares time, not turns.

    An embedding batch holds the slot thirty times as long as a decoding step. Handed out by turns, or to
    whoever asks first, decoding would nearly stand still beside an ingest. So of two threads that want the
    slot, the one that has used it less goes first; and since a decoding thread asks again some moments
    after it let go, others wait that long for it. May be entered again by the thread that holds it.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._holder: threading.Thread | None = None
        self._waiting: set[threading.Thread] = set()
        self._used_s: dict[threading.Thread, float] = {}
        self._left_at: dict[threading.Thread, float] = {}

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the slot while the block runs."""
        me = threading.current_thread()  # not its ident, which a later thread may get again
        if self._holder == me:
            yield
            return
        self._acquire(me)
        taken_at = time.monotonic()
        try:
            yield
        finally:
            self._release(me, taken_at)

    def _acquire(self, me: threading.Thread) -> None:
        with self._changed:
            self._join(me, time.monotonic())
            self._waiting.add(me)
            try:
                while self._holder is not None or self._is_behind(me, time.monotonic()):
                    self._changed.wait(_GRACE_S)
                self._holder = me
            finally:
                self._waiting.discard(me)

    def _release(self, me: threading.Thread, taken_at: float) -> None:
        with self._changed:
            now = time.monotonic()
            self._holder = None
            self._left_at[me] = now
            self._used_s[me] += now - taken_at
            self._changed.notify_all()

    def _join(self, me: threading.Thread, now: float) -> None:
        """Open or balance the account of a thread that wants the slot.

        A new one starts level with the one that has used most, and nobody stays more than _CREDIT_S
        below that: so nobody waits longer than that for somebody who had saved up time.
        """
        for thread in [t for t, left in self._left_at.items() if now - left > _AWAY_S and t != self._holder]:
            if thread not in self._waiting:
                del self._used_s[thread], self._left_at[thread]
        most = max((used for thread, used in self._used_s.items() if thread != me), default=0.0)
        self._used_s[me] = max(self._used_s[me], most - _CREDIT_S) if me in self._used_s else most
        self._left_at.setdefault(me, now)

    def _is_behind(self, me: threading.Thread, now: float) -> bool:
        """Whether another thread that wants the slot, or just had it, has used it less."""
        return any(
            self._used_s[other] < self._used_s[me]
            for other in self._used_s
            if other != me and (other in self._waiting or now - self._left_at[other] < _GRACE_S)
        )


_slot = FairSlot()


@contextmanager
def compute_slot() -> Iterator[None]:
    """Hold the right to keep all cores busy. Hold it briefly: one batch, one decoding step."""
    with _slot.hold():
        yield
