"""What a model file or folder is, what it needs, and whether it fits this machine. No weights are loaded.

Everything is worked out by the modules that the runtimes use before loading, so a report and a load agree.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from chinese_llm_rag.errors import ConfigError, RagError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.gguf.plan import gguf_rope, gguf_shape, kin_of_gguf, read_split_gguf
from chinese_llm_rag.llms.hf.config import LoraFolder, is_lora_folder, kin_of_folder, read_hf_folder, read_lora_folder
from chinese_llm_rag.llms.machine_memory import machine_memory
from chinese_llm_rag.llms.memory_need import GIB, KvType, ModelShape, fit_hint, kv_bytes, largest_window, memory_need
from chinese_llm_rag.llms.rope import RopeSpec
from chinese_llm_rag.llms.rope_choice import Kin, rope_for_window, settle_rope, window_limits
from chinese_llm_rag.models import FAMILY_VOCABULARY, lora_package

ModelFormat = Literal["gguf", "huggingface", "lora"]


@dataclass(frozen=True, slots=True)
class ModelReport:
    """What was found. Sizes in bytes, windows in tokens.

    Attributes:
        family_model: the family's model that it is by name; `of_family` may be true without.
        quantization: of a GGUF file, or dtype and quantization method of a folder.
        trained_window: what it was trained for; `most_window` what it can be run with, None is no bound.
        context_window: what the memory is reckoned for.
        rope_in_file: what the metadata states; `rope` what the model is to be run with.
        buffer_bytes: an estimate.
        fits: None where the machine's memory is unknown.
        fitting_window: the largest window that fits, up to most_window; 0 is none.
        problems: what will not work; `notes` what is good to know.
    """

    path: str
    format: ModelFormat
    architecture: str
    family_model: str | None
    of_family: bool
    quantization: str
    layers: int
    heads: int
    kv_heads: int
    width: int
    vocabulary_size: int
    trained_window: int
    most_window: int | None
    context_window: int
    rope_in_file: str
    rope: str
    kv_type: str
    weight_bytes: int
    kv_bytes: int
    buffer_bytes: int
    available_bytes: int | None
    fits: bool | None
    fitting_window: int | None
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def needed_bytes(self) -> int:
        """Weights, KV cache and buffers."""
        return self.weight_bytes + self.kv_bytes + self.buffer_bytes

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {**asdict(self), "needed_bytes": self.needed_bytes}


@dataclass(frozen=True)
class _Found:
    """What files of all kinds have in common."""

    path: Path
    format: ModelFormat
    architecture: str
    quantization: str
    shape: ModelShape
    rope: RopeSpec
    kin: Kin
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def inspect_model(
    path: Path | str,
    *,
    context_window: int | None = None,
    rope: RopeSpec | None = None,
    kv_type: KvType = "f16",
    n_gpu_layers: int = 0,
    memory_bytes: int | None = None,
) -> ModelReport:
    """Look at a GGUF file, a Hugging Face folder or a LoRA folder.

    Args:
        path: of the model.
        context_window: tokens it is to run with; None is the trained window.
        rope: what it is to run with, to see whether that contradicts it.
        kv_type: of the KV cache.
        n_gpu_layers: layers that take no main memory; -1 is all.
        memory_bytes: what is available; None is this machine's.

    Raises:
        ConfigError: a window or a KV type that no model has.
        ModelLoadError: there is no model, or it is too damaged or incomplete to say anything of.
    """
    if context_window is not None and context_window < 1:
        raise ConfigError(
            say(
                f"context_window={context_window!r}: expected 1 or more",
                f"context_window={context_window!r} 无效，应不小于 1",
            ),
            setting="context_window",
        )
    path = Path(path)
    found = _folder(path) if path.is_dir() else _gguf(path)
    available = machine_memory().available if memory_bytes is None else memory_bytes
    return _report(
        found,
        context_window=context_window,
        rope=rope,
        kv_type=kv_type,
        n_gpu_layers=n_gpu_layers,
        available=available,
    )


def _gguf(path: Path) -> _Found:
    headers = read_split_gguf(path, allow_incomplete=True)
    header = headers[0]
    cut = [part for part in headers if part.missing_bytes]
    problems = [
        say(
            f"{part.path.name} is incomplete: {part.missing_bytes} of {part.needed_bytes} bytes are missing",
            f"{part.path.name} 不完整：{part.needed_bytes} 字节中缺少 {part.missing_bytes} 字节",
        )
        for part in cut
    ]
    kin = kin_of_gguf(header)
    shape, spec = gguf_shape(headers), gguf_rope(header)
    return _Found(path, "gguf", header.architecture, header.quantization, shape, spec, kin, problems)


def _folder(path: Path) -> _Found:
    if is_lora_folder(path):
        return _lora(read_lora_folder(path))
    folder = read_hf_folder(path)
    kind = f"{folder.dtype} ({folder.quantization})" if folder.quantization else folder.dtype
    shape, notes = folder.shape, []
    if folder.dtype in ("F32", "float32"):
        double = tuple(replace(n, key_width=2 * n.key_width, value_width=2 * n.value_width) for n in shape.kv_layers)
        shape = replace(shape, kv_layers=double)
        notes.append(
            say(
                "its weights are float32, and so is its KV cache, twice as large as in f16",
                "权重为 float32，KV 缓存亦然，是 f16 的两倍",
            )
        )
    kin = kin_of_folder(folder)
    return _Found(path, "huggingface", folder.architecture, kind, shape, folder.rope, kin, notes=notes)


def _lora(lora: LoraFolder) -> _Found:
    base = _folder(lora.require_base())
    shape = replace(base.shape, weight_bytes=base.shape.weight_bytes + lora.weight_bytes)
    kin = base.kin
    package = lora_package(lora.path.absolute().name.casefold())
    if package is not None:
        shape = replace(shape, vocabulary_size=FAMILY_VOCABULARY)
        kin = Kin(package.merged, package.merged.rope, member=True)
    note = say(
        f"LoRA of rank {lora.rank} over {lora.base!r}; both are counted",
        f"LoRA（秩 {lora.rank}），基座为 {lora.base!r}；两者均已计入",
    )
    return replace(base, path=lora.path, format="lora", shape=shape, kin=kin, notes=[note, *base.notes])


def _report(
    found: _Found,
    *,
    context_window: int | None,
    rope: RopeSpec | None,
    kv_type: KvType,
    n_gpu_layers: int,
    available: int | None,
) -> ModelReport:
    shape, kin = found.shape, found.kin
    settled, spec, window = _settle(found, context_window, rope)
    limits = window_limits(settled, kin, requested=rope is not None)
    how: Mapping[str, int | bool] = {"n_gpu_layers": n_gpu_layers, "full_sliding": True}  # as our runtimes keep them
    need = memory_need(shape, window, kv_type, n_gpu_layers=n_gpu_layers, full_sliding=True)
    fits = None if available is None else need.total <= available
    if fits is False and available is not None:
        found.problems.append(
            _too_large(need.total, available, window, fit_hint(shape, window, kv_type, available, **how))
        )
    most = limits.largest or max(window, limits.trained)
    _add_notes(found, settled, kv_type, window)
    return ModelReport(
        path=str(found.path),
        format=found.format,
        architecture=found.architecture,
        family_model=None if kin.model is None else kin.model.name,
        of_family=kin.member,
        quantization=found.quantization,
        layers=shape.layers,
        heads=shape.heads,
        kv_heads=shape.kv_heads,
        width=shape.width,
        vocabulary_size=shape.vocabulary_size,
        trained_window=limits.trained,
        most_window=limits.largest,
        context_window=window,
        rope_in_file=str(found.rope),
        rope=str(spec),
        kv_type=kv_type,
        weight_bytes=need.weights,
        kv_bytes=need.kv,
        buffer_bytes=need.buffers,
        available_bytes=available,
        fits=fits,
        fitting_window=None if available is None else largest_window(shape, available, kv_type, most=most, **how),
        problems=tuple(found.problems),
        notes=tuple(found.notes),
    )


def _settle(found: _Found, context_window: int | None, rope: RopeSpec | None) -> tuple[RopeSpec, RopeSpec, int]:
    """The RoPE as settled, the one for the window, and the window; a contradiction becomes a problem."""
    settled = found.rope
    try:
        settled = settle_rope(found.rope, rope, found.kin.rope)
    except ConfigError as error:
        found.problems.append(_with_hint(error))
    try:
        spec, window = rope_for_window(settled, context_window, found.kin, requested=rope is not None)
    except ConfigError as error:
        found.problems.append(_with_hint(error))
        spec, window = settled, context_window or settled.trained_window
    return settled, spec, window


def _with_hint(error: RagError) -> str:
    return f"{error}; {error.hint}" if error.hint else str(error)


def _too_large(needed: int, available: int, window: int, hint: str) -> str:
    return say(
        f"it does not fit: {needed / GIB:.2f} GiB at context_window={window}, "
        f"{available / GIB:.2f} GiB available; {hint}",
        f"内存不足：context_window={window} 需要 {needed / GIB:.2f} GiB，可用 {available / GIB:.2f} GiB；{hint}",
    )


def _add_notes(found: _Found, settled: RopeSpec, kv_type: KvType, window: int) -> None:
    shape, kin = found.shape, found.kin
    if found.rope.method == "none" and settled.method != "none" and kin.rope is not None:
        by = say("name", "名称") if kin.model is not None else say("vocabulary and window", "词表与窗口")
        found.notes.append(
            say(
                f"the file states no RoPE scaling; by its {by} the model needs {settled}, which is set here, but "
                "other programs have to be told",
                f"文件没有写明 RoPE 缩放；按{by}该模型需要 {settled}，本程序会自动设置，其他程序则须手动指定",
            )
        )
    if kin.member and kin.model is None and kin.rope is None and found.rope.method == "none":
        found.notes.append(
            say(
                "a model of the family without its name: if it is a 16K or 64K one, name the file so or give its rope",
                "这是该系列的模型但没有名称：若为 16K 或 64K 模型，请在文件名中注明或指定 rope",
            )
        )
    if kv_type != "f16":
        found.notes.append(
            say(f"a KV cache in {kv_type} needs flash attention", f"{kv_type} 的 KV 缓存需要启用 flash attention")
        )
    best = None if kin.model is None else kin.model.best_window
    if best is not None and window > best:
        found.notes.append(say(f"its authors advise a window of {best}", f"作者建议的窗口为 {best}"))
    sliding = sum(layer.sliding for layer in shape.kv_layers)
    if sliding and shape.sliding_window:
        least = kv_bytes(shape, window, kv_type)
        found.notes.append(
            say(
                f"{sliding} of {shape.layers} layers look back {shape.sliding_window} tokens only; a runtime that "
                f"lets them forget needs {least / GIB:.2f} GiB of KV cache, but cannot go back in a text",
                f"{shape.layers} 层中有 {sliding} 层只回看 {shape.sliding_window} 个 token；"
                f"若允许其遗忘，KV 缓存只需 {least / GIB:.2f} GiB，但无法在文本中回退",
            )
        )
