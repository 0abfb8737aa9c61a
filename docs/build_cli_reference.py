"""Write docs/cli.md from the commands' own help.

python docs/build_cli_reference.py docs/cli.md
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_WIDTH = 100

_INTRODUCTION = """# Command line

Made by `make docs` from the commands' own help. `chinese-llm-rag` is the long name of `clrag`.

Results go to stdout, progress and trouble to stderr. Exit status: 0 done, 1 an error or a file that
failed, 2 wrong usage, 130 interrupted (the knowledge base stays whole). A flag goes before a variable of
the environment (`CHINESE_LLM_RAG_K=8`), that before the settings file (`clrag config path`), that before
the default.
"""


def commands() -> Iterator[tuple[str, Any]]:
    """Name and command of `clrag` and everything below it."""
    os.environ["CHINESE_LLM_RAG_LANGUAGE"] = "en"  # before the texts are chosen, at import
    import typer  # noqa: PLC0415

    from chinese_llm_rag.cli import app  # noqa: PLC0415

    def below(name: str, command: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401  (typer's own click)
        yield name, command
        for child, sub in getattr(command, "commands", {}).items():
            yield from below(f"{name} {child}", sub)

    yield from below("clrag", typer.main.get_command(app))


def help_of(name: str, command: Any) -> str:  # noqa: ANN401
    """The help text as printed, at a fixed width."""
    context = command.context_class(command, info_name=name, terminal_width=_WIDTH, max_content_width=_WIDTH)
    return str(command.get_help(context)).rstrip()


def reference() -> str:
    """The whole page."""
    parts = [_INTRODUCTION]
    parts.extend(f"## `{name}`\n\n```text\n{help_of(name, command)}\n```\n" for name, command in commands())
    return "\n".join(parts)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
