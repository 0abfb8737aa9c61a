"""What stands beside the weights of a merged model: its configuration, its tokenizer, its licence."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.hf.config import HfFolder
from chinese_llm_rag.llms.hf.stored_weights import read_json
from chinese_llm_rag.llms.rope_in_file import rope_of_config
from chinese_llm_rag.model_tools.adapter import Adapter
from chinese_llm_rag.models import LORA, LoraPackage, Rope

_TOKENIZER = (
    "tokenizer.model",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
)
_VOCABULARIES = ("tokenizer.model", "tokenizer.json")
_PAPERS = ("LICENSE", "LICENSE.txt", "NOTICE", "Notice", "USE_POLICY.md")


def copy_papers(out: Path, base: Path, adapters: Sequence[Path]) -> None:
    """The tokenizer of the last package that brings one, else the base's; generation settings; licences."""
    sources = [*reversed(adapters), base]
    source = next((s for s in sources if any((s / name).is_file() for name in _VOCABULARIES)), None)
    if source is None:
        raise ModelLoadError(
            say("neither the packages nor the base bring a tokenizer", "LoRA 和基座中都没有分词器"),
            hint=say("tokenizer.model belongs into the LoRA's folder", "tokenizer.model 应位于 LoRA 文件夹中"),
        )
    for name in _TOKENIZER:
        if (source / name).is_file():
            shutil.copyfile(source / name, out / name)
    generation = next((s / "generation_config.json" for s in sources if (s / "generation_config.json").is_file()), None)
    if generation is not None:
        shutil.copyfile(generation, out / "generation_config.json")
    for name in _PAPERS:
        if (base / name).is_file():
            shutil.copyfile(base / name, out / name)


def config_of(base: HfFolder, adapters: Sequence[Adapter], vocabulary_size: int) -> dict[str, Any]:
    """The configuration: of the last package that brings one, else the base's; with the vocabulary's size.

    A package of the family for a long window whose configuration says nothing of positions gets what its
    model was trained with; one that says something else is an error.
    """
    own = [a.path / "config.json" for a in reversed(adapters) if (a.path / "config.json").is_file()]
    config = read_json(own[0]) if own else dict(base.config)
    config["vocab_size"] = vocabulary_size
    config.pop("auto_map", None)  # names code that is not copied; none of these models needs it
    package = _package_of(adapters[-1].path)
    if package is None:
        return config
    stated, trained = rope_of_config(config), package.merged.rope
    if stated.method == "none" and trained.method != "none":
        _set_rope(config, trained)
    elif (stated.method, stated.factor) != (trained.method, trained.factor):
        raise ModelLoadError(
            say(
                f"{package.name!r} was trained with rope {trained.method} x{trained.factor:g}, "
                f"its configuration says {stated}",
                f"{package.name!r} 训练时的 RoPE 为 {trained.method} x{trained.factor:g}，配置中却是 {stated}",
            ),
            hint=say("fetch the package again", "请重新下载"),
        )
    return config


def _package_of(path: Path) -> LoraPackage | None:
    """The family's package that a folder is named after."""
    name = path.absolute().name.casefold()
    return next((package for package in LORA if package.name == name), None)


def _set_rope(config: dict[str, Any], rope: Rope) -> None:
    stated = config.pop("rope_parameters", None) or {}
    if "rope_theta" in stated:
        config["rope_theta"] = stated["rope_theta"]
    scaling: dict[str, Any] = {"type": rope.method, "factor": rope.factor}
    if rope.method == "yarn":
        scaling["original_max_position_embeddings"] = rope.original_window
        config["max_position_embeddings"] = round(rope.original_window * rope.factor)
    config["rope_scaling"] = scaling
