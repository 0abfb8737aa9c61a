"""What a model's own metadata says about its positions: GGUF keys and Hugging Face configurations, old and new.

Reads mappings, no files. A scheme that rope.py has no formula for becomes the method "other", never a guess.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from chinese_llm_rag.errors import ConfigError, ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.rope import DEFAULT_BASE, DEFAULT_ORIGINAL_WINDOW, RopeSpec, yarn_attention_factor
from chinese_llm_rag.models import TRAINED_WINDOW, is_family_vocabulary

_LEAST_WINDOW = 2048  # no model is trained for less and then extended


def rope_of_gguf(metadata: Mapping[str, Any], *, vocabulary_size: int = 0, has_factors: bool = False) -> RopeSpec:
    """The RoPE that a GGUF file states; the method is "none" where it states no scaling.

    Args:
        metadata: key to value.
        vocabulary_size: tells the family, whose trained window is known where the file leaves it out.
        has_factors: the file brings frequency factors as a tensor (rope_freqs, rope_factors_long).

    Raises:
        ModelLoadError: a value of the wrong kind or out of range.
    """
    architecture = str(metadata.get("general.architecture", ""))
    window = int(_number(metadata, f"{architecture}.context_length", DEFAULT_ORIGINAL_WINDOW))
    base = _number(metadata, f"{architecture}.rope.freq_base", DEFAULT_BASE)
    scaling = f"{architecture}.rope.scaling."
    factor = _number(metadata, scaling + "factor", 0) or _number(metadata, f"{architecture}.rope.scale_linear", 0)
    # llama.cpp takes a factor without a type for linear, and a factor of 0 for 1.
    kind = metadata.get(scaling + "type", "linear" if factor else "none")
    if has_factors or kind not in ("none", "linear", "yarn") or _turns_part_of_a_head(metadata, architecture):
        return RopeSpec("other", base=base, original_window=window)
    if kind == "none" or factor in (0.0, 1.0):
        return RopeSpec(base=base, original_window=window)
    stated = int(_number(metadata, scaling + "original_context_length", 0))
    of_family = is_family_vocabulary(architecture, vocabulary_size)
    original = stated or original_window(window, factor, kind, of_family=of_family)
    with _as_load_error(architecture):
        if kind == "linear":
            return RopeSpec("linear", factor, base, original)
        multiplier = _number(metadata, scaling + "attn_factor", 1.0)
        log_multiplier = _number(metadata, scaling + "yarn_log_multiplier", 0.0)
        attention = None
        if multiplier != 1.0 or log_multiplier:
            share = (0.1 * log_multiplier * math.log(factor) + 1.0) if log_multiplier else 1.0
            attention = yarn_attention_factor(factor) / share * multiplier
        return RopeSpec(
            "yarn",
            factor,
            base,
            original,
            attention_factor=attention,
            beta_fast=_number(metadata, scaling + "yarn_beta_fast", 32.0),
            beta_slow=_number(metadata, scaling + "yarn_beta_slow", 1.0),
        )


def rope_of_config(config: Mapping[str, Any]) -> RopeSpec:
    """The RoPE that a Hugging Face configuration states; the method is "none" where it states no scaling.

    Understands `rope_scaling` with `type` (and YaRN's `finetuned`, which changes nothing), `rope_scaling` with
    `rope_type`, and `rope_parameters`. Layers with different schemes give "other".

    Raises:
        ModelLoadError: a value of the wrong kind or out of range.
    """
    window = int(_number(config, "max_position_embeddings", DEFAULT_ORIGINAL_WINDOW))
    scaling = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if not isinstance(scaling, Mapping):
        raise _wrong("rope_scaling", scaling, "an object")
    base = _number(scaling, "rope_theta", _number(config, "rope_theta", DEFAULT_BASE))
    if any(isinstance(value, Mapping) for value in scaling.values()):
        return RopeSpec("other", base=base, original_window=window)
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    factor = _number(scaling, "factor", 1.0)
    partial = _number(scaling, "partial_rotary_factor", _number(config, "partial_rotary_factor", 1.0))
    if partial != 1.0 or kind not in ("default", "linear", "yarn", "dynamic") or scaling.get("truncate") is False:
        return RopeSpec("other", base=base, original_window=window)
    with _as_load_error("config.json"):
        if kind == "default" or (factor == 1.0 and kind != "dynamic"):
            return RopeSpec(base=base, original_window=window)
        if kind == "dynamic":
            # base·(f·L/W − (f−1))^(d/(d−2)) is the family's adaptive form only where f is 2.
            known = factor == 2.0
            return RopeSpec("adaptive_ntk" if known else "other", base=base, original_window=window)
        original = _config_original(config, scaling, window, factor, kind)
        if kind == "linear":
            return RopeSpec("linear", factor, base, original)
        return RopeSpec(
            "yarn",
            factor,
            base,
            original,
            attention_factor=_config_attention(scaling, factor),
            beta_fast=_number(scaling, "beta_fast", 32.0),
            beta_slow=_number(scaling, "beta_slow", 1.0),
        )


def _turns_part_of_a_head(metadata: Mapping[str, Any], architecture: str) -> bool:
    """Whether some dimensions of a head have no position at all."""
    turned = _number(metadata, f"{architecture}.rope.dimension_count", 0)
    sizes = [metadata.get(f"{architecture}.{key}") for key in ("embedding_length", "attention.head_count")]
    width, heads = (size if isinstance(size, int) else 0 for size in sizes)
    head_dim = _number(metadata, f"{architecture}.attention.key_length", width // heads if heads else 0)
    return bool(turned and head_dim) and turned != head_dim


def original_window(window: int, factor: float, kind: str, *, of_family: bool) -> int:
    """The window before the extension, where the file states only `window`.

    The family's is known. Others write the extended window (then it is window/factor) or the original one. For
    YaRN, runtimes take a missing value for the window itself.
    """
    if of_family:
        return TRAINED_WINDOW
    divided = round(window / factor)
    return divided if kind == "linear" and divided >= _LEAST_WINDOW else window


def _config_original(
    config: Mapping[str, Any], scaling: Mapping[str, Any], window: int, factor: float, kind: str
) -> int:
    for holder in (scaling, config):
        stated = int(_number(holder, "original_max_position_embeddings", 0))
        if stated:
            return stated
    of_family = is_family_vocabulary(str(config.get("model_type", "")), int(_number(config, "vocab_size", 0)))
    return original_window(window, factor, kind, of_family=of_family)


def _config_attention(scaling: Mapping[str, Any], factor: float) -> float | None:
    stated = _number(scaling, "attention_factor", 0.0)
    if stated:
        return stated
    part, whole = _number(scaling, "mscale", 0.0), _number(scaling, "mscale_all_dim", 0.0)
    if not (part and whole):
        return None
    return (0.1 * part * math.log(factor) + 1.0) / (0.1 * whole * math.log(factor) + 1.0)


@contextmanager
def _as_load_error(origin: str) -> Iterator[None]:
    """A value that RopeSpec refuses is a fault of the file here, not of the caller."""
    try:
        yield
    except ConfigError as error:
        raise ModelLoadError(f"{origin}: {error}", hint=_damaged()) from error


def _number(holder: Mapping[str, Any], key: str, default: float) -> float:
    value = holder.get(key)
    if value is None:
        return float(default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise _wrong(key, value, "a number of 0 or more")
    return float(value)


def _wrong(key: str, value: object, expected: str) -> ModelLoadError:
    return ModelLoadError(
        say(f"{key}={value!r} in the model's metadata: expected {expected}", f"模型元数据 {key}={value!r} 无效"),
        hint=_damaged(),
    )


def _damaged() -> str:
    return say(
        "the file is damaged, or was converted wrongly: get or convert it again",
        "文件已损坏或转换有误，请重新下载或转换",
    )
