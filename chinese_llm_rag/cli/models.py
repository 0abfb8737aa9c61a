"""Commands that look models up and fetch them."""

from pathlib import Path
from typing import Annotated

import typer

from chinese_llm_rag import console
from chinese_llm_rag.cli import model_pages
from chinese_llm_rag.cli.app import models_app
from chinese_llm_rag.cli.options import EXAMPLE, Home, Json, option, settings_of
from chinese_llm_rag.language import say

Name = Annotated[str, typer.Argument(help=say("As `models list` names it.", "模型名称，见 models list。"))]
Quant = Annotated[
    str | None,
    option(
        "Quantization of a GGUF file: Q4_K_M, Q8_0...; Q4_K_M-im is the one made with an importance matrix.",
        "GGUF 文件的量化类型：Q4_K_M、Q8_0 等；Q4_K_M-im 为 imatrix 量化版本。",
        "--quant",
    ),
]
Source = Annotated[
    str,
    option(
        "huggingface, modelscope, or the address of a mirror of Hugging Face.",
        "huggingface、modelscope，或 Hugging Face 镜像的地址。",
        "--source",
    ),
]
To = Annotated[
    Path | None, option("Folder for models, instead of the home's.", "存放模型的文件夹（默认在数据文件夹中）。", "--to")
]
Full = Annotated[bool, option("The full weights, not a GGUF file.", "下载完整权重而不是 GGUF 文件。", "--full")]


@models_app.command(
    "list",
    help=say("The models of the family, and packaged ones.", "列出模型家族和软件包自带的模型。"),
    epilog=f"{EXAMPLE}: clrag models list --json",
)
def models_list(*, json: Json = False) -> None:
    from chinese_llm_rag.models import describe_models  # noqa: PLC0415

    rows = describe_models()
    if json:
        console.out_json(rows)
    else:
        model_pages.print_models(rows)


@models_app.command(
    "show",
    help=say(
        "One model: what it is for, its window, sizes and measured perplexity.",
        "查看一个模型：用途、上下文窗口、各量化版本的大小和困惑度。",
    ),
    epilog=f"{EXAMPLE}: clrag models show chinese-alpaca-2-7b-16k",
)
def models_show(name: Name, *, json: Json = False) -> None:
    from chinese_llm_rag.models import describe_model  # noqa: PLC0415

    page = describe_model(name)
    if json:
        console.out_json(page)
    else:
        model_pages.print_model(page)


@models_app.command(
    "fetch",
    help=say(
        "Download a model of the family (the only command that goes to the network). "
        "Run it again to go on after an interruption.",
        "下载家族中的模型（唯一会访问网络的命令）。中断后再次运行即可续传。",
    ),
    epilog=f"{EXAMPLE}: clrag models fetch chinese-alpaca-2-7b --quant Q4_K_M --source https://hf-mirror.com",
)
def models_fetch(
    context: typer.Context,
    name: Name,
    *,
    quant: Quant = None,
    full: Full = False,
    source: Source = "huggingface",
    to: To = None,
    home: Home = None,
    json: Json = False,
) -> None:
    from chinese_llm_rag.model_tools.fetch import fetch_model  # noqa: PLC0415
    from chinese_llm_rag.model_tools.hubs import hub_named  # noqa: PLC0415

    folder = to or settings_of(context, home=home).models_folder
    with model_pages.byte_progress() as move:
        try:
            done = fetch_model(
                name,
                hub_named(source),
                folder.expanduser(),
                quantization=quant,
                full=full,
                on_progress=lambda at: move(at.file, at.done_bytes, at.total_bytes),
            )
        except KeyboardInterrupt:
            console.note(say("interrupted; run the same command again to go on", "已中断；再次运行同一命令即可继续"))
            raise
    if json:
        console.out_json(done.to_dict())
    else:
        model_pages.print_fetched(done)
