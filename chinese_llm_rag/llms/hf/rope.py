"""Set a RopeSpec on a transformers model, through the library's own rope registry."""

from typing import Any

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.rope import RopeSpec, transformers_rope


def set_model_rope(network: Any, rope: RopeSpec) -> None:  # noqa: ANN401
    """Make every rotary embedding of the model anew.

    Raises:
        ConfigError: the model's RoPE is not one table for all layers and all dimensions of a head.
    """
    config = network.config.get_text_config(decoder=True)
    parameters = getattr(config, "rope_parameters", None) or {}
    nested = any(isinstance(value, dict) for value in parameters.values())
    if nested or parameters.get("partial_rotary_factor", 1.0) != 1.0:
        raise ConfigError(
            say(
                f"rope {rope}: models of type {config.model_type!r} have a RoPE of their own",
                f"rope {rope}：{config.model_type!r} 类模型有自己的 RoPE，不能更改",
            ),
            setting="rope",
            hint=say("leave rope at None for this model", "对该模型请不要设置 rope"),
        )
    config.rope_parameters = transformers_rope(rope, head_dim_of(config))
    for parent in list(network.modules()):
        for name, module in list(parent.named_children()):
            if hasattr(module, "inv_freq") and hasattr(module, "config"):
                module.config.rope_parameters = config.rope_parameters
                setattr(parent, name, type(module)(module.config).to(module.inv_freq.device))


def head_dim_of(config: Any) -> int:  # noqa: ANN401
    """Width of an attention head."""
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)
