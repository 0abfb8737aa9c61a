"""Base and LoRA packages -> full Hugging Face weights, block by block: a few MB in memory whatever the model's size.

The new folder appears under its name when it is whole and has been checked.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chinese_llm_rag.errors import ConfigError, ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.hf.config import HfFolder, is_lora_folder, read_hf_folder
from chinese_llm_rag.model_tools.adapter import read_adapter
from chinese_llm_rag.model_tools.merge_check import check_merged
from chinese_llm_rag.model_tools.merge_plan import Weight, plan, vocabulary_size_of
from chinese_llm_rag.model_tools.merged_folder import config_of, copy_papers
from chinese_llm_rag.model_tools.tensors import SafetensorsWriter, open_tensors

_SHARD_BYTES = 4 << 30
_SPARE_BYTES = 64 << 20

OnProgress = Callable[[str, int, int], None]  # the tensor, bytes done, bytes in all


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge made; counts are weights changed by each means."""

    folder: Path
    n_tensors: int
    n_replaced: int
    n_added: int
    vocabulary_size: int
    largest_difference: float

    def to_dict(self) -> dict[str, Any]:
        """The form in which `models merge --json` prints it."""
        return {
            "folder": str(self.folder),
            "n_tensors": self.n_tensors,
            "n_replaced": self.n_replaced,
            "n_added": self.n_added,
            "vocabulary_size": self.vocabulary_size,
            "largest_difference": self.largest_difference,
        }


def merge_adapters(
    base: Path,
    adapters: Sequence[Path],
    out: Path,
    *,
    shard_bytes: int = _SHARD_BYTES,
    on_progress: OnProgress | None = None,
) -> Merged:
    """Merge LoRA packages into their base, one after another, and check what came out.

    Args:
        base: folder of the full base model.
        adapters: folders of peft adapters, in the order in which they apply.
        out: the folder to make; must not exist.
        shard_bytes: largest size of one weight file.
        on_progress: told after every weight.

    Raises:
        ModelLoadError: an input that is damaged or does not fit, or no room.
        ConfigError: `out` exists, or no adapter was given.
    """
    _check_out(out, adapters)
    folder = _read_base(base)
    read = [read_adapter(path) for path in adapters]
    tensors = open_tensors(folder.weight_files)
    weights = plan(tensors, read)
    vocabulary_size = vocabulary_size_of(tensors, weights)
    work = out.with_name(f"{out.name}.part")
    shutil.rmtree(work, ignore_errors=True)
    _require_room(out.parent, weights)
    work.mkdir(parents=True)
    try:
        _write(work, weights, shard_bytes, on_progress or (lambda *_: None))
        copy_papers(work, base, adapters)
        config = config_of(folder, read, vocabulary_size)
        (work / "config.json").write_text(json.dumps(config, ensure_ascii=False, indent=2), encoding="utf-8")
        difference = check_merged(work, {w.name: w for w in weights}, vocabulary_size)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    work.rename(out)
    return Merged(
        out,
        n_tensors=len(weights),
        n_replaced=sum(w.start is not tensors[w.name] for w in weights),
        n_added=sum(bool(w.additions) for w in weights),
        vocabulary_size=vocabulary_size,
        largest_difference=difference,
    )


def _read_base(base: Path) -> HfFolder:
    if is_lora_folder(base):
        raise ModelLoadError(
            say(f"{str(base)!r} is a LoRA package, not a base model", f"{str(base)!r} 是 LoRA，不是基座模型"),
            hint=say("--base takes the full weights of Llama-2-hf", "--base 应为 Llama-2-hf 的完整权重"),
        )
    folder = read_hf_folder(base)
    if folder.quantization:
        raise ModelLoadError(
            say(
                f"{str(base)!r} is quantized ({folder.quantization})",
                f"{str(base)!r} 是量化模型（{folder.quantization}）",
            ),
            hint=say("merging needs the full weights", "合并需要完整权重"),
        )
    return folder


def _check_out(out: Path, adapters: Sequence[Path]) -> None:
    if not adapters:
        raise ConfigError(say("no LoRA package was given", "没有给出 LoRA"), setting="lora", origin="flag --lora")
    if out.exists():
        raise ConfigError(
            say(f"{str(out)!r} exists", f"{str(out)!r} 已存在"),
            setting="out",
            origin="flag --out",
            hint=say("name a new folder, or remove that one", "请换一个文件夹，或先删除它"),
        )


def _require_room(folder: Path, weights: Sequence[Weight]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    needed = sum(w.n_bytes for w in weights)
    free = shutil.disk_usage(folder).free
    if needed + _SPARE_BYTES > free:
        raise ModelLoadError(
            say(
                f"{needed / 1e9:.1f} GB are needed at {str(folder)!r}, {free / 1e9:.1f} GB are free",
                f"{str(folder)!r} 需要 {needed / 1e9:.1f} GB，可用 {free / 1e9:.1f} GB",
            ),
            hint=say("make room there, or name another --out", "请清理空间，或换用其他 --out"),
        )


def _write(work: Path, weights: Sequence[Weight], shard_bytes: int, on_progress: OnProgress) -> None:
    shards: list[list[Weight]] = [[]]
    size = 0
    for weight in weights:
        n_bytes = weight.n_bytes
        if shards[-1] and size + n_bytes > shard_bytes:
            shards.append([])
            size = 0
        shards[-1].append(weight)
        size += n_bytes
    total, done = sum(weight.n_bytes for weight in weights), 0
    mapping: dict[str, str] = {}
    for number, shard in enumerate(shards, 1):
        single = len(shards) == 1
        file = "model.safetensors" if single else f"model-{number:05}-of-{len(shards):05}.safetensors"
        writer = SafetensorsWriter(work / file, [(w.name, w.dtype, w.shape) for w in shard])
        try:
            for weight in shard:
                writer.write(weight.name, weight.blocks())
                mapping[weight.name] = file
                done += weight.n_bytes
                on_progress(weight.name, done, total)
        finally:
            writer.close()
    if len(shards) > 1:
        index = {"metadata": {"total_size": total}, "weight_map": mapping}
        (work / "model.safetensors.index.json").write_text(json.dumps(index, indent=2), encoding="utf-8")
