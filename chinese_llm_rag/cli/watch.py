"""The command that follows folders."""

from pathlib import Path
from typing import Annotated

import typer

from chinese_llm_rag import console
from chinese_llm_rag.cli.app import app
from chinese_llm_rag.cli.options import EXAMPLE, Encoding, Home, Kb, NoOcr, Password, Prune, option, settings_of
from chinese_llm_rag.language import say

Poll = Annotated[
    bool,
    option(
        "Look again and again, for network drives that tell nothing.", "轮询检查，适用于不通知变化的网络盘。", "--poll"
    ),
]


@app.command(
    help=say("Keep the knowledge base up to date with folders until Ctrl-C.", "持续跟踪文件夹的变化，按 Ctrl-C 结束。"),
    epilog=f"{EXAMPLE}: clrag watch ~/文档 --prune",
)
def watch(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help=say("Files and folders.", "文件和文件夹。"), metavar="PATH")],
    *,
    prune: Prune = False,
    poll: Poll = False,
    encoding: Encoding = None,
    password: Password = None,
    no_ocr: NoOcr = False,
    home: Home = None,
    kb: Kb = None,
) -> None:
    from chinese_llm_rag.document_loaders.page_texts import LoadOptions  # noqa: PLC0415
    from chinese_llm_rag.wiring import follow  # noqa: PLC0415

    console.note(say("following; Ctrl-C ends it", "正在跟踪；按 Ctrl-C 结束"))
    with console.ingest_progress() as progress:
        follow(
            settings_of(context, home=home, kb=kb),
            paths,
            options=LoadOptions(encoding, tuple(password or ()), not no_ocr),
            prune=prune,
            poll=poll,
            on_progress=progress,
            on_report=console.print_changes,
            on_trouble=console.print_error,
        )
