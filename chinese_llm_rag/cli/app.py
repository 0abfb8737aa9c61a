"""The program itself: its groups of commands, what stands before a command, and how it ends."""

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from chinese_llm_rag import __version__, console
from chinese_llm_rag.cli.options import Home, Kb, option
from chinese_llm_rag.errors import ConfigError, RagError
from chinese_llm_rag.language import say

app = typer.Typer(
    name="clrag",
    help=say(
        "Ask questions of your own Chinese documents, offline; every answer cites page and span.",
        "离线对自己的中文文档提问；每个回答都注明页码和原文位置。",
    ),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
config_app = typer.Typer(help=say("Settings and where they come from.", "查看设置及其来源。"), no_args_is_help=True)
models_app = typer.Typer(help=say("The models this program knows.", "本程序了解的模型。"), no_args_is_help=True)
kb_app = typer.Typer(help=say("The upkeep of knowledge bases.", "维护知识库。"), no_args_is_help=True)
sessions_app = typer.Typer(help=say("Conversations that were kept.", "已保存的会话。"), no_args_is_help=True)
app.add_typer(kb_app, name="kb")
app.add_typer(sessions_app, name="sessions")
app.add_typer(config_app, name="config")
app.add_typer(models_app, name="models")


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    home: Home = None,
    kb: Kb = None,
    *,
    traceback: Annotated[bool, option("Show where an error arose.", "出错时显示调用栈。", "--traceback")] = False,  # noqa: ARG001  (main takes it)
    version: Annotated[bool, option("Print the version.", "显示版本。", "--version")] = False,
) -> None:
    if version:
        console.out(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        console.out(context.get_help())
        raise typer.Exit(2)
    context.obj = {"home": home, "kb": kb}


def main() -> NoReturn:
    """Run the command line. Exit status 0, 1 (an error), 2 (wrong usage) or 130 (interrupted)."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    traceback = "--traceback" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--traceback"]  # wherever it stands
    status = 1
    try:
        app(arguments, prog_name=Path(sys.argv[0]).name if "clrag" in sys.argv[0] else "chinese-llm-rag")
    except RagError as error:
        if traceback:
            raise
        console.print_error(error)
        if isinstance(error, ConfigError) and (error.origin or "").startswith("flag "):
            status = 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader went away; nothing to tell it
    except Exception as error:
        if traceback:
            raise
        console.note(f"error: {type(error).__name__}: {error}")
        console.note(
            say(
                "hint: a mistake of this program; see more with --traceback",
                "hint: 程序内部错误；加 --traceback 查看详情",
            )
        )
    sys.exit(status)
