"""One budget of threads for the process, shared by every part that computes.

An embedder and a model each bring a thread pool of their own. Two busy pools on the same cores slow
each other down by more than an order of magnitude, because waiting threads spin. So both are given
the same number of threads, and each takes the compute slot for one batch or one decoding step at a time.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_slot = threading.RLock()


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


@contextmanager
def compute_slot() -> Iterator[None]:
    """Hold the right to keep all cores busy. Hold it briefly: one batch, one decoding step."""
    with _slot:
        yield
