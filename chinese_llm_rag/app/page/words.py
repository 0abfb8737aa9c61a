"""The language of one window: texts, and what is said on its behalf further down."""

from contextlib import AbstractContextManager
from typing import Literal

from chinese_llm_rag.language import speaking

Language = Literal["zh", "en"]
NAMES: dict[Language, str] = {"zh": "中文", "en": "English"}


class Words:
    """Texts in one language.

    Args:
        language: of the window.
    """

    def __init__(self, language: Language) -> None:
        self.language = language

    def __call__(self, english: str, chinese: str) -> str:
        """The one of two wordings that fits."""
        return chinese if self.language == "zh" else english

    def spoken(self) -> AbstractContextManager[None]:
        """Around calls whose messages the user reads."""
        return speaking(self.language)


def size_text(n_bytes: int) -> str:
    """A number of bytes as people say it."""
    size = float(n_bytes)
    for unit in ("B", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit != "MB" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def duration_text(seconds: float, words: Words) -> str:
    """A time as people say it."""
    if seconds < 90:
        return words(f"{seconds:.0f} s", f"{seconds:.0f} 秒")
    if seconds < 5400:
        return words(f"{seconds / 60:.0f} min", f"{seconds / 60:.0f} 分钟")
    return words(f"{seconds / 3600:.1f} h", f"{seconds / 3600:.1f} 小时")
