"""How much memory a model takes at a window: arithmetic on its shape. Knows no file and no machine.

Weights and KV cache are exact for llama.cpp; what a runtime computes in besides is an estimate, and is called so.
"""

from dataclasses import dataclass, field
from typing import Literal, get_args

from chinese_llm_rag.errors import ConfigError, ModelLoadError
from chinese_llm_rag.language import say

KvType = Literal["f16", "q8_0", "q4_0"]
GIB = 1 << 30

# Items a block and bytes a block, as ggml stores them.
_KV_BLOCKS: dict[KvType, tuple[int, int]] = {"f16": (1, 2), "q8_0": (32, 34), "q4_0": (32, 18)}
_PADDING = 256  # llama.cpp rounds caches up to it
_PART_OF_A_BATCH = 512  # tokens that llama.cpp computes at once: its n_ubatch
_FIXED_BYTES = 64 << 20  # the process, its libraries, the vocabulary


@dataclass(frozen=True, slots=True)
class KvLayer:
    """What one layer keeps of a token: the widths of its keys and its values over all KV heads.

    `sliding` layers look back a fixed number of tokens only.
    """

    key_width: int
    value_width: int
    sliding: bool = False


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The sizes that memory depends on.

    Attributes:
        kv_layers: one for each layer that has a KV cache.
        sliding_window: tokens a sliding layer looks back.
        weight_bytes: all tensors, as stored.
    """

    width: int
    heads: int
    kv_heads: int
    head_dim: int
    feed_forward: int
    vocabulary_size: int
    weight_bytes: int
    kv_layers: tuple[KvLayer, ...] = field(repr=False)
    sliding_window: int = 0

    @property
    def layers(self) -> int:
        """Layers with a KV cache."""
        return len(self.kv_layers)


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """Bytes of each part; `buffers` is an estimate."""

    weights: int
    kv: int
    buffers: int

    @property
    def total(self) -> int:
        """All parts together."""
        return self.weights + self.kv + self.buffers


def kv_bytes(
    shape: ModelShape, context_window: int, kv_type: KvType = "f16", *, n_batch: int = 512, full_sliding: bool = False
) -> int:
    """Bytes of llama.cpp's KV cache for one conversation.

    Args:
        shape: of the model.
        context_window: tokens; rounded up to 256.
        kv_type: of keys and values.
        n_batch: a sliding layer keeps its window and one part of a batch.
        full_sliding: sliding layers keep everything, as llama.cpp does unless told otherwise (swa_full).
    """
    if kv_type not in get_args(KvType):
        expected = " | ".join(get_args(KvType))
        raise ConfigError(
            say(f"kv_type={kv_type!r}: expected {expected}", f"kv_type={kv_type!r} 无效，应为 {expected}"),
            setting="kv_type",
        )
    items, block_bytes = _KV_BLOCKS[kv_type]
    cells = _padded(context_window)
    slid = min(cells, _padded(shape.sliding_window + min(n_batch, _PART_OF_A_BATCH)))
    total = 0
    for layer in shape.kv_layers:
        n = slid if layer.sliding and shape.sliding_window and not full_sliding else cells
        total += n * (-(-layer.key_width // items) + -(-layer.value_width // items)) * block_bytes
    return total


def _padded(n_tokens: int) -> int:
    return -(-n_tokens // _PADDING) * _PADDING


def buffer_bytes(shape: ModelShape, context_window: int, *, n_batch: int = 512, flash_attention: bool = True) -> int:
    """An estimate of what llama.cpp computes in, besides the process itself.

    One buffer serves in turn the layers (activations and mask of one part of a batch; without flash attention the
    scores of all heads over the whole window too) and the logits of that part.
    """
    part = min(n_batch, _PART_OF_A_BATCH)
    cells = _padded(context_window)
    logits = part * 4 * (shape.vocabulary_size + 2 * shape.width)
    layer = part * 4 * (2 * shape.feed_forward + 6 * shape.width) + part * cells * 4
    if not flash_attention:
        layer += part * cells * 4 * shape.heads
    return _FIXED_BYTES + max(logits, layer)


def memory_need(
    shape: ModelShape,
    context_window: int,
    kv_type: KvType = "f16",
    *,
    n_gpu_layers: int = 0,
    n_batch: int = 512,
    flash_attention: bool = True,
    full_sliding: bool = False,
) -> MemoryNeed:
    """What a model takes of main memory.

    Args:
        shape: of the model.
        context_window: tokens.
        kv_type: of the KV cache.
        n_gpu_layers: layers whose weights and KV are in another memory, which is not counted; -1 is all.
        n_batch: prompt tokens read at a time.
        flash_attention: as the runtime is told.
        full_sliding: see kv_bytes.
    """
    kv = kv_bytes(shape, context_window, kv_type, n_batch=n_batch, full_sliding=full_sliding)
    share = 0.0 if n_gpu_layers < 0 else max(0.0, 1 - n_gpu_layers / max(1, shape.layers))
    return MemoryNeed(
        weights=round(shape.weight_bytes * share),
        kv=round(kv * share),
        buffers=buffer_bytes(shape, context_window, n_batch=n_batch, flash_attention=flash_attention),
    )


def largest_window(shape: ModelShape, available: int, kv_type: KvType = "f16", *, most: int, **how: int | bool) -> int:
    """The largest window, in steps of 256 and at most `most`, that fits `available` bytes; 0 if none does.

    `how` are the further arguments of memory_need.
    """
    if memory_need(shape, most, kv_type, **how).total <= available:  # type: ignore[arg-type]
        return most
    low, high = 0, most // _PADDING  # low fits or is 0, high + 1 does not fit
    while low < high:
        middle = (low + high + 1) // 2
        if memory_need(shape, middle * _PADDING, kv_type, **how).total <= available:  # type: ignore[arg-type]
            low = middle
        else:
            high = middle - 1
    return low * _PADDING


def require_fit(
    shape: ModelShape,
    context_window: int,
    kv_type: KvType = "f16",
    *,
    available: int | None,
    name: str,
    **how: int | bool,
) -> MemoryNeed:
    """What the model takes, or an error before any of it is loaded.

    Args:
        shape: of the model.
        context_window: tokens.
        kv_type: of the KV cache.
        available: bytes that the process can still get (machine_memory); None is unknown, then everything fits.
        name: of the model, for the message.
        how: the further arguments of memory_need.

    Raises:
        ModelLoadError: it does not fit; the hint names the largest window that does.
    """
    need = memory_need(shape, context_window, kv_type, **how)  # type: ignore[arg-type]
    if available is None or need.total <= available:
        return need
    raise ModelLoadError(
        say(
            f"not enough memory for {name!r} at context_window={context_window}: {_gib(need.total)} needed (weights "
            f"{_gib(need.weights)}, {kv_type} KV cache {_gib(need.kv)}, buffers about {_gib(need.buffers)}), "
            f"{_gib(available)} available",
            f"内存不足以在 context_window={context_window} 下运行 {name!r}：需要 {_gib(need.total)}（权重 "
            f"{_gib(need.weights)}，{kv_type} KV 缓存 {_gib(need.kv)}，缓冲区约 {_gib(need.buffers)}），"
            f"可用 {_gib(available)}",
        ),
        hint=fit_hint(shape, context_window, kv_type, available, **how),
    )


def fit_hint(shape: ModelShape, context_window: int, kv_type: KvType, available: int, **how: int | bool) -> str:
    """What would fit: a smaller window, a smaller KV type, or nothing of this model."""
    window = largest_window(shape, available, kv_type, most=context_window, **how)
    smaller = [
        kind
        for kind in get_args(KvType)[get_args(KvType).index(kv_type) + 1 :]
        if memory_need(shape, context_window, kind, **how).total <= available  # type: ignore[arg-type]
    ]
    if not window:
        return say(
            "no window fits: close other programs, or take a smaller quantization or a smaller model",
            "任何窗口都放不下：请关闭其他程序，或换用更小的量化版本或更小的模型",
        )
    also = say(f", or kv_type={smaller[0]!r} at this one", f"，或在此窗口下使用 kv_type={smaller[0]!r}")
    return say(
        f"the largest window that fits is {window}{also if smaller else ''}",
        f"放得下的最大窗口为 {window}{also if smaller else ''}",
    )


def _gib(n_bytes: int) -> str:
    return f"{n_bytes / GIB:.2f} GiB"
