"""Which language the program speaks to its user: Chinese under a Chinese locale, English otherwise.

Knows nothing about documents: answers are in the language of the prompts, whatever the locale.
"""

import os

LANGUAGE_VARIABLES = ("CHINESE_LLM_RAG_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


def speaks_chinese() -> bool:
    """True when the first set variable of LANGUAGE_VARIABLES names a Chinese locale."""
    value = next((v for name in LANGUAGE_VARIABLES if (v := os.environ.get(name))), "")
    return value.lower().startswith("zh")


def say(english: str, chinese: str) -> str:
    """The one of two wordings that fits the user's locale."""
    return chinese if speaks_chinese() else english
