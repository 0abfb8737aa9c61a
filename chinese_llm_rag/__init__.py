"""Offline question answering over your own Chinese documents.

The names of `__all__` load their module, and what it needs, when they are first used.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Answer": "schema",
    "Citation": "schema",
    "RagError": "errors",
}

__all__ = ["Answer", "Citation", "RagError", "__version__"]


def __getattr__(name: str) -> Any:  # noqa: ANN401  (PEP 562)
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
