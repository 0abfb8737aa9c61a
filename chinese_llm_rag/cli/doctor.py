"""Commands that look at models and at this machine without loading anything."""

from pathlib import Path
from typing import Annotated, cast

import typer

from chinese_llm_rag import console
from chinese_llm_rag.cli import model_pages
from chinese_llm_rag.cli.app import app, models_app
from chinese_llm_rag.cli.options import EXAMPLE, Json, Window, option
from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say

KvType = Annotated[
    str, option("Type of the KV cache: f16, q8_0 or q4_0.", "KV 缓存类型：f16、q8_0 或 q4_0。", "--kv-type")
]


def _kv_type(given: str) -> str:
    if given not in ("f16", "q8_0", "q4_0"):
        raise ConfigError(
            say(f"kv_type={given!r}: expected f16, q8_0 or q4_0", f"kv_type={given!r} 无效，应为 f16、q8_0 或 q4_0"),
            setting="kv_type",
            origin="flag --kv-type",
        )
    return given


@models_app.command(
    "check",
    help=say(
        "What a model file or folder is, what it needs, and whether it fits this machine. Status 1 where it does not.",
        "查看模型文件：是什么模型、需要什么、本机能否运行。不能运行时退出码为 1。",
    ),
    epilog=f"{EXAMPLE}: clrag models check chinese-alpaca-2-7b-16k.gguf --context-window 16384 --kv-type q8_0",
)
def models_check(
    path: Annotated[Path, typer.Argument(help=say("GGUF file, or folder.", "GGUF 文件或模型文件夹。"))],
    *,
    context_window: Window = None,
    kv_type: KvType = "f16",
    json: Json = False,
) -> None:
    from chinese_llm_rag.doctor import inspect_model  # noqa: PLC0415
    from chinese_llm_rag.llms.memory_need import KvType as KnownType  # noqa: PLC0415

    report = inspect_model(
        path.expanduser(), context_window=context_window, kv_type=cast("KnownType", _kv_type(kv_type))
    )
    if json:
        console.out_json(report.to_dict())
    else:
        model_pages.print_check(report)
    if report.problems or report.fits is False:
        raise typer.Exit(1)


@app.command(
    "doctor",
    help=say("What this machine has, and what each model given needs.", "查看本机环境，以及给定模型的需求。"),
    epilog=f"{EXAMPLE}: clrag doctor --json",
)
def doctor(
    path: Annotated[Path | None, typer.Argument(help=say("GGUF file, or folder.", "GGUF 文件或模型文件夹。"))] = None,
    *,
    json: Json = False,
) -> None:
    from chinese_llm_rag.doctor import inspect_machine, inspect_model  # noqa: PLC0415

    machine = inspect_machine()
    model = None if path is None else inspect_model(path.expanduser())
    if json:
        console.out_json({"machine": machine.to_dict(), "model": None if model is None else model.to_dict()})
        return
    model_pages.print_machine(machine)
    if model is not None:
        console.out()
        model_pages.print_check(model)
