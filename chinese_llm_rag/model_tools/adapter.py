"""A peft LoRA adapter, read without peft: what it replaces, what it adds, and by how much.

What peft computes is followed: delta = scale · B·A, with scale alpha/r, or alpha/sqrt(r) for rank-stabilized LoRA;
transposed for embeddings. The flag fan_in_fan_out is for layers that keep their weight as [in, out], which no model
that is read here has; on other layers peft ignores it with a warning, and so it is ignored.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.hf.stored_weights import read_json
from chinese_llm_rag.model_tools.tensors import Floats, Tensor, open_tensors

CONFIG = "adapter_config.json"
_KEY = re.compile(
    r"(?:base_model\.model\.)?(?P<module>.+?)\."
    r"(?:lora_(?P<embedding>embedding_)?(?P<half>[AB])(?:\.\w+)?(?:\.weight)?"
    r"|(?:base_layer\.|modules_to_save\.(?:\w+\.)?|original_module\.)?weight)"
)
_UNSUPPORTED = {  # what changes the result in ways that are not followed here
    "use_dora": "DoRA",
    "trainable_token_indices": "trainable_token_indices",
    "lora_bias": "lora_bias",
    "use_bdlora": "BD-LoRA",
    "arrow_config": "Arrow",
    "megatron_config": "Megatron",
}


@dataclass(frozen=True, slots=True)
class Pair:
    """A low-rank addition to one weight; `a` is [r, in] and `b` [out, r]."""

    a: Tensor
    b: Tensor
    scale: float
    transposed: bool

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the weight it belongs to."""
        out_in = self.b.shape[0], self.a.shape[1]
        return (out_in[1], out_in[0]) if self.transposed else out_in

    def rows(self, start: int, stop: int) -> Floats:
        """Rows start..stop of scale · B·A (or of its transpose), in float32."""
        if self.transposed:
            product = self.a.rows()[:, start:stop].T @ self.b.rows().T
        else:
            product = self.b.rows(start, stop) @ self.a.rows()
        return np.asarray(product * np.float32(self.scale), dtype=np.float32)


@dataclass(frozen=True)
class Adapter:
    """An adapter. `replaced` and `pairs` are by the name of the base's weight, without ".weight"."""

    path: Path
    config: Mapping[str, Any] = field(repr=False)
    replaced: Mapping[str, Tensor] = field(repr=False)
    pairs: Mapping[str, Pair] = field(repr=False)


def read_adapter(path: Path) -> Adapter:
    """Read an adapter's folder.

    Raises:
        ModelLoadError: it is none, it is damaged, or it is of a kind that is not supported.
    """
    if not (path / CONFIG).is_file():
        raise ModelLoadError(
            say(f"{str(path)!r} is no LoRA package: it has no {CONFIG}", f"{str(path)!r} 不是 LoRA：缺少 {CONFIG}"),
            hint=say("give the folder of the package", "请指定 LoRA 所在的文件夹"),
        )
    config = read_json(path / CONFIG)
    _check_kind(path, config)
    files = [file for name in ("adapter_model.safetensors", "adapter_model.bin") if (file := path / name).is_file()]
    if not files:
        raise ModelLoadError(
            say(f"{str(path)!r} has no adapter_model file", f"{str(path)!r} 中没有 adapter_model 文件"),
            hint=say("fetch the package again", "请重新下载"),
        )
    replaced: dict[str, Tensor] = {}
    halves: dict[str, dict[str, Tensor]] = {}
    embeddings: set[str] = set()
    for key, tensor in open_tensors(files[:1]).items():
        found = _KEY.fullmatch(key)
        if found is None:
            raise _strange(path, key)
        if found["half"] is None:
            if "original_module" not in key:
                replaced[found["module"]] = tensor
            continue
        halves.setdefault(found["module"], {})[found["half"]] = tensor
        if found["embedding"]:
            embeddings.add(found["module"])
    pairs = {
        module: _pair(path, config, module, both, transposed=module in embeddings) for module, both in halves.items()
    }
    return Adapter(path, config, replaced, pairs)


def _check_kind(path: Path, config: Mapping[str, Any]) -> None:
    kind = config.get("peft_type", "LORA")
    wrong = [] if kind == "LORA" else [str(kind)]
    wrong += [name for key, name in _UNSUPPORTED.items() if config.get(key)]
    if config.get("bias", "none") != "none":
        wrong.append(f"bias={config['bias']!r}")
    if wrong:
        raise ModelLoadError(
            say(
                f"{str(path)!r} uses {', '.join(wrong)}, which cannot be merged here: plain LoRA is expected",
                f"{str(path)!r} 使用了 {', '.join(wrong)}，不支持合并（仅支持普通 LoRA）",
            ),
            hint=say("merge it with peft itself (merge_and_unload)", "请用 peft 自身合并（merge_and_unload）"),
        )


def _pair(path: Path, config: Mapping[str, Any], module: str, both: Mapping[str, Tensor], *, transposed: bool) -> Pair:
    rank = _of_module(config, "rank_pattern", module, config.get("r"))
    alpha = _of_module(config, "alpha_pattern", module, config.get("lora_alpha"))
    a, b = both.get("A"), both.get("B")
    if a is None or b is None:
        raise _strange(path, f"{module}.lora_{'A' if b is None else 'B'}")
    right = isinstance(rank, int) and isinstance(alpha, int | float) and len(a.shape) == len(b.shape) == 2
    if not right or a.shape[0] != rank or b.shape[1] != rank:
        raise ModelLoadError(
            say(
                f"{str(path)!r}: {module} has lora_A {a.shape} and lora_B {b.shape}, the configuration r={rank!r}",
                f"{str(path)!r}：{module} 的 lora_A 为 {a.shape}，lora_B 为 {b.shape}，而配置中 r={rank!r}",
            ),
            hint=say("fetch the package again", "请重新下载"),
        )
    scale = alpha / math.sqrt(rank) if config.get("use_rslora") else alpha / rank
    return Pair(a, b, scale, transposed)


def _of_module(config: Mapping[str, Any], key: str, module: str, default: Any) -> Any:  # noqa: ANN401  (JSON)
    """The value for a module: that of the first pattern that its name ends with, as peft matches them."""
    for pattern, value in (config.get(key) or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            return value
    return default


def names_module(config: Mapping[str, Any], module: str) -> bool:
    """Whether the configuration's target_modules name a module: a list of endings, or one expression."""
    targets = config.get("target_modules")
    if isinstance(targets, str):
        return targets == "all-linear" or re.fullmatch(targets, module) is not None
    return any(module == target or module.endswith(f".{target}") for target in targets or ())


def _strange(path: Path, key: str) -> ModelLoadError:
    return ModelLoadError(
        say(f"{str(path)!r}: {key!r} belongs to no complete LoRA pair", f"{str(path)!r}：{key!r} 不属于完整的 LoRA"),
        hint=say("fetch the package again, or merge it with peft itself", "请重新下载，或用 peft 自身合并"),
    )
