"""Which language the program speaks to its user: Chinese under a Chinese locale, English otherwise.

Knows nothing about documents: answers are in the language of the prompts, whatever the locale.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

LANGUAGE_VARIABLES = ("CHINESE_LLM_RAG_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


_chosen: ContextVar[str | None] = ContextVar("chinese_llm_rag_language", default=None)


@contextmanager
def speaking(language: str | None) -> Iterator[None]:
    """Speak "zh" or "en" while the block runs, whatever the locale, for one user of several; None changes nothing."""
    token = _chosen.set(language or _chosen.get())
    try:
        yield
    finally:
        _chosen.reset(token)


def speaks_chinese() -> bool:
    """True when `speaking` says so, else when the first set variable of LANGUAGE_VARIABLES names a Chinese locale."""
    if (chosen := _chosen.get()) is not None:
        return chosen == "zh"
    value = next((v for name in LANGUAGE_VARIABLES if (v := os.environ.get(name))), "")
    return value.lower().startswith("zh")


def say(english: str, chinese: str) -> str:
    """The one of two wordings that fits the user's locale."""
    return chinese if speaks_chinese() else english
