"""Text that a user gives as an argument, on standard input, or line by line."""

import sys

import typer

from chinese_llm_rag.language import say


def given_text(given: str, name: str) -> str:
    """The text of an argument; - reads standard input."""
    text = sys.stdin.read() if given == "-" else given
    if not text.strip():
        raise typer.BadParameter(say("is empty", "不能为空"), param_hint=name)
    return text.strip()


def next_line(prompt: str) -> str | None:
    """The next line a user types; None at the end of input."""
    try:
        return input(prompt if sys.stdin.isatty() else "").strip()
    except EOFError:
        return None
