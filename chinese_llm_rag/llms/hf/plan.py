"""How a Hugging Face folder is to be loaded: tokenizer, window, RoPE and memory, settled before torch is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.backend import ChatTemplateSource
from chinese_llm_rag.llms.hf.folder import check_lora_folder, check_model_folder, read_config, weight_files
from chinese_llm_rag.llms.hf.lora import grown_vocabulary, merged_names
from chinese_llm_rag.llms.hf.tokenizer import (
    PieceTokenizer,
    folder_chat_template,
    load_tokenizer,
    special_tokens,
)
from chinese_llm_rag.llms.hf.weights import WeightOptions, check_stored_quantization
from chinese_llm_rag.llms.machine_memory import machine_memory
from chinese_llm_rag.llms.memory_need import GIB, KvLayer, ModelShape, largest_window, memory_need
from chinese_llm_rag.llms.rope import RopeSpec, request_rope
from chinese_llm_rag.llms.rope_choice import kin_of, rope_for_window, settle_rope
from chinese_llm_rag.llms.rope_in_file import rope_of_config

_ITEM_BYTES = {"float32": 4, "float64": 8}  # of dtypes; all others here have 2
_QUANTIZED_BYTES = {"int8": 1.1, "int4": 0.6, "nf4": 0.6}  # a weight, with its scales


@dataclass(frozen=True, slots=True)
class FolderPlan:
    """What a folder and a request come to.

    Attributes:
        tokenizer: of the model, or of the first adapter that brings one.
        chat_template: likewise.
        architecture: the configuration's model_type.
        vocabulary_size: rows of the embeddings, adapters included.
        context_window: tokens.
        rope: how positions are computed; an adaptive one is fixed for each request.
        rope_to_set: None where the configuration says it already.
    """

    tokenizer: PieceTokenizer
    chat_template: ChatTemplateSource | None
    architecture: str
    vocabulary_size: int
    context_window: int
    rope: RopeSpec
    rope_to_set: RopeSpec | None


def plan_folder(
    folder: Path,
    options: WeightOptions,
    context_window: int | None,
    rope: RopeSpec | None,
    *,
    override_rope: bool = False,
    names: Sequence[str] = (),
) -> FolderPlan:
    """Settle everything that can be settled without the weights.

    Args:
        folder: of the model.
        options: how the weights are to be loaded.
        context_window: tokens; None is the trained window.
        rope: what the user asks for, or None.
        override_rope: let `rope` win over the configuration.
        names: what the user calls the model; the family's models are known by their names.

    Raises:
        ConfigError: window, RoPE or quantization contradict the model.
        ModelLoadError: the folder or an adapter is incomplete, or the memory too small.
    """
    check_model_folder(folder)
    for adapter in options.lora:
        check_lora_folder(adapter)
    whole = read_config(folder)
    check_stored_quantization(folder, whole, options.quantization)
    config = _text_part(whole)
    architecture = str(config.get("model_type", ""))
    size = max(int(config.get("vocab_size") or 0), grown_vocabulary(options.lora))
    kin = kin_of(
        (*merged_names(options.lora), *names, str(whole.get("_name_or_path") or ""), str(folder)),
        architecture=architecture,
        vocabulary_size=size,
        stated_window=int(config.get("max_position_embeddings") or 0),
    )
    in_file = rope_of_config(config)
    settled = settle_rope(in_file, rope, kin.rope, override=override_rope)
    spec, window = rope_for_window(settled, context_window, kin, requested=rope is not None)
    if options.device_map is None:
        _require_fit(folder, config, options, window, size)
    special = special_tokens(folder, whole if "eos_token_id" in whole else config)
    home = next((f for f in options.lora if (f / "tokenizer.model").is_file()), folder)
    tokenizer = load_tokenizer(home, special)
    return FolderPlan(
        tokenizer=tokenizer,
        chat_template=folder_chat_template(home, tokenizer, special),
        architecture=architecture,
        vocabulary_size=size,
        context_window=window,
        rope=spec,
        rope_to_set=None if spec == in_file and spec.method != "adaptive_ntk" else request_rope(spec, 1),
    )


def _text_part(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of the part that reads text, where a model has several."""
    part = config.get("text_config")
    return {**config, **part} if isinstance(part, Mapping) else dict(config)


def _require_fit(
    folder: Path, config: Mapping[str, Any], options: WeightOptions, window: int, vocabulary_size: int
) -> None:
    available = machine_memory().available
    shape = _shape(folder, config, options, vocabulary_size)
    if shape is None or available is None:
        return
    lean = options.attn_implementation != "eager"
    need = memory_need(shape, window, flash_attention=lean, full_sliding=True)
    if need.total <= available:
        return
    largest = largest_window(shape, available, most=window, flash_attention=lean, full_sliding=True)
    raise ModelLoadError(
        say(
            f"not enough memory for {str(folder)!r} at context_window={window}: about {need.total / GIB:.2f} GiB "
            f"needed (weights {need.weights / GIB:.2f}, KV cache {need.kv / GIB:.2f}), {available / GIB:.2f} available",
            f"内存不足以在 context_window={window} 下运行 {str(folder)!r}：约需 {need.total / GIB:.2f} GiB"
            f"（权重 {need.weights / GIB:.2f}，KV 缓存 {need.kv / GIB:.2f}），可用 {available / GIB:.2f} GiB",
        ),
        hint=say(
            f"the largest window that fits is {largest}" if largest else "no window fits: quantize, or use a GGUF",
            f"放得下的最大窗口为 {largest}" if largest else "任何窗口都放不下：请量化，或使用 GGUF",
        ),
    )


def _shape(folder: Path, config: Mapping[str, Any], options: WeightOptions, vocabulary_size: int) -> ModelShape | None:
    """The sizes that memory depends on; None where the configuration has none of the usual names for them."""
    names = ("hidden_size", "num_hidden_layers", "num_attention_heads")
    width, layers, heads = (config.get(name) for name in names)
    if not (isinstance(width, int) and isinstance(layers, int) and isinstance(heads, int) and heads):
        return None
    kv_heads = int(config.get("num_key_value_heads") or heads)
    head_dim = int(config.get("head_dim") or width // heads)
    stored = str(config.get("dtype") or config.get("torch_dtype") or "float32")
    dtype = stored if options.dtype == "auto" else options.dtype
    item, stored_item = (_ITEM_BYTES.get(name, 2) for name in (dtype, stored))
    growth = (_QUANTIZED_BYTES[options.quantization] if options.quantization else item) / stored_item
    files = sum(file.stat().st_size for file in weight_files(folder))
    adapters = sum(file.stat().st_size for lora in options.lora for file in lora.glob("adapter_model.*"))
    kv_width = kv_heads * head_dim * item // 2  # memory_need counts two bytes an item
    return ModelShape(
        width=width,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        feed_forward=int(config.get("intermediate_size") or 4 * width),
        vocabulary_size=vocabulary_size,
        weight_bytes=round(files * growth) + adapters,
        kv_layers=(KvLayer(kv_width, kv_width),) * layers,
    )
