"""How a reader that takes long for a good reason, as OCR does, keeps its worker from being taken for hung."""

from collections.abc import Callable

_listeners: list[Callable[[], None]] = []


def beat() -> None:
    """Say that work goes on: the time limit of the file begins anew. Does nothing outside a worker process."""
    for listener in _listeners:
        listener()


def on_beat(listener: Callable[[], None]) -> None:
    """Have a function called at each beat; a worker process does so once."""
    _listeners.append(listener)
