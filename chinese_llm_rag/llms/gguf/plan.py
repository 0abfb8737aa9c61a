"""How a GGUF file is to be loaded: its shape, its window and its RoPE, settled before a gigabyte is read."""

from dataclasses import dataclass
from pathlib import Path

from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.gguf.header import GgufHeader, read_gguf_header
from chinese_llm_rag.llms.machine_memory import machine_memory
from chinese_llm_rag.llms.memory_need import KvLayer, KvType, MemoryNeed, ModelShape, require_fit
from chinese_llm_rag.llms.rope import RopeSpec, request_rope
from chinese_llm_rag.llms.rope_choice import Kin, kin_of, rope_for_window, settle_rope
from chinese_llm_rag.llms.rope_in_file import rope_of_gguf

# Layers that look back a window only, where the file leaves it to llama.cpp's code: every n-th layer looks back
# over everything, the others slide.
_SLIDING_PERIODS = {"gemma2": 2, "gemma3": 6, "gemma3n": 5, "cohere2": 4, "gpt-oss": 2}


@dataclass(frozen=True, slots=True)
class GgufPlan:
    """What a file and a request come to.

    Attributes:
        context_window: tokens.
        rope: how positions are computed; an adaptive one is fixed for each request.
        rope_to_set: what the first context is opened with; None where llama.cpp is to take it from the file.
        need: bytes of main memory.
    """

    context_window: int
    rope: RopeSpec
    rope_to_set: RopeSpec | None
    need: MemoryNeed


def plan_gguf(
    path: Path,
    context_window: int | None,
    rope: RopeSpec | None,
    kv_type: KvType,
    *,
    n_gpu_layers: int = 0,
    override_rope: bool = False,
    n_batch: int = 512,
    flash_attention: bool = True,
    full_sliding: bool = True,
) -> GgufPlan:
    """Settle window, RoPE and memory of a GGUF file.

    Args:
        path: the file; of a split model the first part.
        context_window: tokens; None is the trained window.
        rope: what the user asks for, or None.
        kv_type: of the KV cache.
        n_gpu_layers: see memory_need, as are the arguments after override_rope.
        override_rope: let `rope` win over the file.
        n_batch: prompt tokens read at a time.
        flash_attention: as the runtime is told.
        full_sliding: whether sliding layers keep everything.

    Raises:
        ConfigError: RoPE or window contradict the file or the model.
        ModelLoadError: the file is missing, damaged or incomplete, or does not fit the memory.
    """
    headers = read_split_gguf(path)
    header = headers[0]
    kin = kin_of_gguf(header)
    in_file = gguf_rope(header)
    settled = settle_rope(in_file, rope, kin.rope, override=override_rope)
    spec, window = rope_for_window(settled, context_window, kin, requested=rope is not None)
    need = require_fit(
        gguf_shape(headers),
        window,
        kv_type,
        available=machine_memory().available,
        name=path.name,
        n_gpu_layers=n_gpu_layers,
        n_batch=n_batch,
        flash_attention=flash_attention,
        full_sliding=full_sliding,
    )
    return GgufPlan(window, spec, None if spec == in_file else request_rope(spec, 1), need)


def gguf_rope(header: GgufHeader) -> RopeSpec:
    """What the file's metadata says about positions."""
    return rope_of_gguf(
        header.metadata, vocabulary_size=header.vocabulary_size, has_factors=header.has_frequency_factors
    )


def kin_of_gguf(header: GgufHeader) -> Kin:
    """Whether the file is one of the family, by its own name or its path's."""
    window = header.number("context_length")
    return kin_of(
        (str(header.metadata.get("general.name", "")), str(header.path.absolute())),
        architecture=header.architecture,
        vocabulary_size=header.vocabulary_size,
        stated_window=None if window is None else int(window),
    )


def read_split_gguf(path: Path, *, allow_incomplete: bool = False) -> tuple[GgufHeader, ...]:
    """The headers of all parts of a model, which is most often one.

    Raises:
        ModelLoadError: as read_gguf_header; or the path is not the first of several parts, or one is missing.
    """
    first = read_gguf_header(path, allow_incomplete=allow_incomplete)
    count = int(first.metadata.get("split.count", 1) or 1)  # type: ignore[arg-type]
    if count <= 1:
        return (first,)
    mark = f"-00001-of-{count:05}.gguf"
    if not path.name.endswith(mark):
        raise ModelLoadError(
            say(
                f"{str(path)!r} is one of {count} parts, expected a name ending in {mark!r}",
                f"{str(path)!r} 是 {count} 个分片之一，文件名应以 {mark!r} 结尾",
            ),
            hint=say("name the first part, under its original name", "请指定第一个分片，并保留原文件名"),
        )
    stem = path.name.removesuffix(mark)
    rest = [path.with_name(f"{stem}-{n:05}-of-{count:05}.gguf") for n in range(2, count + 1)]
    return (first, *(read_gguf_header(part, allow_incomplete=allow_incomplete) for part in rest))


def gguf_shape(headers: tuple[GgufHeader, ...]) -> ModelShape:
    """The sizes that memory depends on.

    Raises:
        ModelLoadError: a size that every language model has is missing.
    """
    header = headers[0]
    width, layers = _size(header, "embedding_length"), _size(header, "block_count")
    heads = _per_layer(header, "attention.head_count", layers, default=None)
    kv_heads = _per_layer(header, "attention.head_count_kv", layers, default=max(heads))
    head_dim = int(header.number("attention.key_length") or width // max(1, *heads))
    value_dim = int(header.number("attention.value_length") or head_dim)
    slides = _sliding_layers(header, layers)
    return ModelShape(
        width=width,
        heads=max(heads),
        kv_heads=max(kv_heads),
        head_dim=head_dim,
        feed_forward=max(_per_layer(header, "feed_forward_length", layers, default=4 * width)),
        vocabulary_size=header.vocabulary_size,
        weight_bytes=sum(part.weight_bytes for part in headers),
        kv_layers=tuple(
            KvLayer(n * head_dim, n * value_dim, sliding)
            for n, sliding in zip(kv_heads, slides, strict=True)
            if n  # layers without attention have none
        ),
        sliding_window=int(header.number("attention.sliding_window") or 0),
    )


def _size(header: GgufHeader, key: str) -> int:
    value = header.number(key)
    if not isinstance(value, int) or not 0 < value < 1 << 24:
        raise _without(header, key, value)
    return value


def _per_layer(header: GgufHeader, key: str, layers: int, *, default: int | None) -> tuple[int, ...]:
    """A size that a file gives once, or once a layer."""
    value = header.metadata.get(f"{header.architecture}.{key}", default)
    if isinstance(value, tuple) and len(value) == layers and all(type(item) is int and item >= 0 for item in value):
        return tuple(int(item) for item in value)
    if isinstance(value, int) and 0 < value < 1 << 24:
        return (value,) * layers
    raise _without(header, key, value)


def _sliding_layers(header: GgufHeader, layers: int) -> tuple[bool, ...]:
    """Which layers slide; none where neither the file nor the table says, which counts too much, not too little."""
    stated = header.metadata.get(f"{header.architecture}.attention.sliding_window_pattern")
    if isinstance(stated, tuple) and len(stated) == layers:
        return tuple(bool(item) for item in stated)
    period = stated if type(stated) is int else _SLIDING_PERIODS.get(header.architecture, 1)
    return tuple(layer % period < period - 1 for layer in range(layers))


def _without(header: GgufHeader, key: str, value: object) -> ModelLoadError:
    return ModelLoadError(
        say(
            f"{str(header.path)!r} is no language model this program can measure: "
            f"{header.architecture}.{key} is {value!r}",
            f"{str(header.path)!r} 不是本程序能够识别的语言模型：{header.architecture}.{key} 为 {value!r}",
        ),
        hint=say(
            "give the model's own GGUF file, not an adapter, a projector or a vocabulary",
            "请指定模型本身的 GGUF 文件，而不是适配器、投影或词表文件",
        ),
    )
