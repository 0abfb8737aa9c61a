"""Commands that make one form of a model from another."""

from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from chinese_llm_rag import console
from chinese_llm_rag.cli import model_pages
from chinese_llm_rag.cli.app import models_app
from chinese_llm_rag.cli.options import EXAMPLE, Json, option
from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say

Base = Annotated[Path, option("Folder of the full base model.", "基座模型的文件夹。", "--base")]
Lora = Annotated[
    list[Path],
    option(
        "Folder of a LoRA package; several apply one after another.", "LoRA 文件夹；可多次指定，依次合并。", "--lora"
    ),
]
OutFolder = Annotated[Path, option("The folder to make.", "输出文件夹。", "--out")]
OutFile = Annotated[Path, option("The GGUF file to make.", "输出的 GGUF 文件。", "--out")]
Dtype = Annotated[str, option("f16, f32 or bf16.", "f16、f32 或 bf16。", "--dtype")]
Type = Annotated[str, option("Q4_K_M, Q6_K, Q8_0...", "Q4_K_M、Q6_K、Q8_0 等。", "--type")]


@models_app.command(
    "merge",
    help=say(
        "Full weights from a base and LoRA packages, in little memory, checked at the end.",
        "将 LoRA 合并到基座模型，占用内存很少，并检查结果。",
    ),
    epilog=f"{EXAMPLE}: clrag models merge --base Llama-2-7b-hf --lora chinese-alpaca-2-lora-7b --out alpaca-7b",
)
def models_merge(*, base: Base, lora: Lora, out: OutFolder, json: Json = False) -> None:
    from chinese_llm_rag.model_tools.merge import merge_adapters  # noqa: PLC0415

    with model_pages.byte_progress() as move:
        done = merge_adapters(base, lora, out, on_progress=move)
    if json:
        console.out_json(done.to_dict())
    else:
        console.out(str(done.folder))


@models_app.command(
    "convert",
    help=say("A GGUF file from a folder of full weights.", "将完整权重文件夹转换为 GGUF 文件。"),
    epilog=f"{EXAMPLE}: clrag models convert alpaca-7b --out alpaca-7b-f16.gguf",
)
def models_convert(
    folder: Annotated[Path, typer.Argument(help=say("Folder of the model.", "模型文件夹。"))],
    *,
    out: OutFile,
    dtype: Dtype = "f16",
    json: Json = False,
) -> None:
    from chinese_llm_rag.model_tools.convert import convert_to_gguf  # noqa: PLC0415

    if dtype not in ("f16", "f32", "bf16"):
        raise ConfigError(
            say(f"dtype={dtype!r}: expected f16, f32 or bf16", f"dtype={dtype!r} 无效，应为 f16、f32 或 bf16"),
            setting="dtype",
            origin="flag --dtype",
        )
    with model_pages.byte_progress() as move:
        done = convert_to_gguf(folder, out, dtype=cast("Literal['f16', 'f32', 'bf16']", dtype), on_progress=move)
    if json:
        console.out_json(done.to_dict())
    else:
        console.out(str(done.path))


@models_app.command(
    "quantize",
    help=say("A smaller GGUF file from a whole one.", "将 GGUF 文件量化为更小的文件。"),
    epilog=f"{EXAMPLE}: clrag models quantize alpaca-7b-f16.gguf alpaca-7b-q4_k_m.gguf --type Q4_K_M",
)
def models_quantize(
    source: Annotated[
        Path, typer.Argument(help=say("GGUF file in f16, f32 or bf16.", "f16、f32 或 bf16 的 GGUF 文件。"))
    ],
    out: Annotated[Path, typer.Argument(help=say("The file to make.", "输出文件。"))],
    *,
    kind: Type,
    json: Json = False,
) -> None:
    from chinese_llm_rag.model_tools.quantize import quantize_gguf  # noqa: PLC0415

    done = quantize_gguf(source, out, kind)
    if json:
        console.out_json(done.to_dict())
    else:
        console.out(f"{done.path}  {done.size_bytes / 1e9:.2f} GB")
