"""What becomes of each weight when adapters are merged into a base; and whether they fit it at all."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.model_tools.adapter import Adapter, names_module
from chinese_llm_rag.model_tools.tensors import Floats, Tensor, encode, item_bytes, row_blocks
from chinese_llm_rag.models import FAMILY_VOCABULARY

_LLAMA_2_VOCABULARY = 32_000
_PIECES = ("embed_tokens.weight", "lm_head.weight")  # one row a piece of the vocabulary


@dataclass(frozen=True, slots=True)
class Weight:
    """One weight of the merged model: where it starts from, and the adapters that add to it, in order."""

    name: str
    start: Tensor
    dtype: str
    additions: tuple[tuple[Adapter, str], ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Its dimensions."""
        return self.start.shape

    @property
    def n_bytes(self) -> int:
        """Bytes as it will be stored."""
        return math.prod(self.shape) * item_bytes(self.dtype)

    def rows(self, start: int, stop: int) -> Floats:
        """Rows start..stop in float32."""
        values = self.start.rows(start, stop)
        for adapter, module in self.additions:
            values = values + adapter.pairs[module].rows(start, stop)
        return values

    def blocks(self) -> Iterator[NDArray[Any]]:
        """All rows in the form in which they are stored; untouched weights bit for bit."""
        for start, stop in row_blocks(self.shape[0], math.prod(self.shape[1:])):
            if not self.additions and self.dtype == self.start.dtype:
                yield self.start.raw[start:stop]
            else:
                yield encode(self.rows(start, stop), self.dtype)


def plan(tensors: Mapping[str, Tensor], adapters: Sequence[Adapter]) -> list[Weight]:
    """Each weight of the result.

    Raises:
        ModelLoadError: an adapter speaks of weights that the base has not, or of other shapes, or lacks some that
            its configuration names.
    """
    modules = {name.removesuffix(".weight"): name for name in tensors if name.endswith(".weight")}
    starts = dict(tensors)
    additions: dict[str, list[tuple[Adapter, str]]] = {name: [] for name in tensors}
    for adapter in adapters:
        unknown = [m for m in (*adapter.replaced, *adapter.pairs) if m not in modules]
        unknown += [m for m in adapter.pairs if not names_module(adapter.config, m)]
        if unknown:
            raise _does_not_fit(
                adapter, say(f"it has {unknown[0]!r} and the base has not", f"基座中没有 {unknown[0]!r}")
            )
        _require_whole(adapter, modules, tensors)
        for module, replacement in adapter.replaced.items():
            name = modules[module]
            if replacement.shape[1:] != starts[name].shape[1:]:
                raise _other_shape(adapter, module, replacement.shape, starts[name].shape)
            starts[name], additions[name] = replacement, []
        for module, pair in adapter.pairs.items():
            name = modules[module]
            if pair.shape != starts[name].shape:
                raise _other_shape(adapter, module, pair.shape, starts[name].shape)
            additions[name].append((adapter, module))
    return [Weight(name, starts[name], tensors[name].dtype, tuple(additions[name])) for name in tensors]


def _require_whole(adapter: Adapter, modules: Mapping[str, str], tensors: Mapping[str, Tensor]) -> None:
    """Every weight that the configuration names is there; of adapters of chosen layers that cannot be told."""
    config = adapter.config
    for kept in config.get("modules_to_save") or ():
        if not any(module == kept or module.endswith(f".{kept}") for module in adapter.replaced):
            raise _does_not_fit(adapter, say(f"it lacks {kept!r}, which it should bring", f"缺少应有的 {kept!r}"))
    if config.get("layers_to_transform") is not None or config.get("exclude_modules") or not adapter.pairs:
        return
    for module, name in modules.items():
        linear = len(tensors[name].shape) == 2
        named = isinstance(config.get("target_modules"), list) and linear and names_module(config, module)
        if named and module not in adapter.pairs and module not in adapter.replaced:
            raise _does_not_fit(adapter, say(f"it has nothing for {module!r}", f"缺少 {module!r}"))


def vocabulary_size_of(tensors: Mapping[str, Tensor], weights: Sequence[Weight]) -> int:
    """Rows of embeddings and output layer of the result.

    Raises:
        ModelLoadError: they differ, or the base is not one that the family's packages are for.
    """
    rows = {w.name: w.shape[0] for w in weights if w.name.endswith(_PIECES)}
    before = {tensors[name].shape[0] for name in rows}
    after = set(rows.values())
    if len(after) != 1:
        raise ModelLoadError(
            say(f"embeddings and output layer differ in size: {rows}", f"词嵌入与输出层大小不一致：{rows}"),
            hint=say("the package must bring both or neither", "LoRA 应同时包含两者，或都不包含"),
        )
    size = after.pop()
    if size == FAMILY_VOCABULARY and not before <= {_LLAMA_2_VOCABULARY, FAMILY_VOCABULARY}:
        found = max(before)
        raise ModelLoadError(
            say(
                f"the base has {found} pieces; the family's packages are for the original Llama 2 "
                f"({_LLAMA_2_VOCABULARY}) or its own models ({FAMILY_VOCABULARY})",
                f"基座词表为 {found}；该系列 LoRA 用于原版 Llama 2（{_LLAMA_2_VOCABULARY}）或本系列模型",
            ),
            hint=say("take meta-llama/Llama-2-7b-hf or -13b-hf", "请使用 meta-llama/Llama-2-7b-hf 或 -13b-hf"),
        )
    return size


def _does_not_fit(adapter: Adapter, why: str) -> ModelLoadError:
    return ModelLoadError(
        say(
            f"the LoRA package {str(adapter.path)!r} does not fit this base: {why}",
            f"LoRA {str(adapter.path)!r} 与基座不符：{why}",
        ),
        hint=_base_hint(adapter),
    )


def _other_shape(adapter: Adapter, module: str, found: tuple[int, ...], expected: tuple[int, ...]) -> ModelLoadError:
    return _does_not_fit(
        adapter,
        say(f"{module} is {found} there and {expected} in the base", f"{module} 为 {found}，基座中为 {expected}"),
    )


def _base_hint(adapter: Adapter) -> str:
    name = adapter.config.get("base_model_name_or_path") or "Llama-2-hf"
    return say(f"it was made for {str(name)!r}", f"它对应的基座是 {str(name)!r}")
