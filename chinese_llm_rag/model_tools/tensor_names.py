"""What a llama model's weights are called in Hugging Face folders and in GGUF files."""

import re
from pathlib import Path

from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.language import say

_WHOLE = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}
_LAYER = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_IN_LAYER = re.compile(r"model\.layers\.(\d+)\.(.+)\.(weight|bias)")
_COMPUTED = re.compile(r"model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq")  # old files store it


def gguf_name(name: str, folder: Path) -> str:
    """The name in GGUF; empty for what is not stored there.

    Raises:
        ModelLoadError: the llama architecture has no such weight.
    """
    if name in _WHOLE:
        return _WHOLE[name]
    found = _IN_LAYER.fullmatch(name)
    if found and found[2] in _LAYER:
        return f"blk.{found[1]}.{_LAYER[found[2]]}.{found[3]}"
    if _COMPUTED.fullmatch(name):
        return ""
    raise ModelLoadError(
        say(
            f"{str(folder)!r} has a weight that no llama model has: {name!r}",
            f"{str(folder)!r} 含有 llama 架构没有的权重：{name!r}",
        ),
        hint=say("convert it with llama.cpp's own script", "请使用 llama.cpp 自带的转换脚本"),
    )


def heads_of(name: str, heads: int, kv_heads: int) -> int | None:
    """How many heads the rows of a weight divide into, where positions turn them; None for all other weights."""
    if ".self_attn.q_proj." in name:
        return heads
    return kv_heads if ".self_attn.k_proj." in name else None
