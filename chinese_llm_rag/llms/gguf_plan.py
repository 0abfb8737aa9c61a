"""How a GGUF file is to be loaded: its window and its RoPE, settled before a gigabyte is read."""

from dataclasses import dataclass
from pathlib import Path

from chinese_llm_rag.llms.gguf_file import check_gguf
from chinese_llm_rag.llms.rope import RopeSpec


@dataclass(frozen=True, slots=True)
class GgufPlan:
    """What a file and a request come to.

    Attributes:
        context_window: tokens.
        rope: how positions are computed.
        rope_to_set: None where llama.cpp is to take it from the file.
    """

    context_window: int
    rope: RopeSpec
    rope_to_set: RopeSpec | None


def plan_gguf(
    path: Path,
    context_window: int | None,
    rope: RopeSpec | None,
    kv_type: str,
    *,
    n_gpu_layers: int,
    override_rope: bool,
) -> GgufPlan:
    check_gguf(path)
    import gguf

    r = gguf.GGUFReader(path)
    arch = r.get_field("general.architecture").contents()
    n = r.get_field(f"{arch}.context_length").contents()
    spec = rope or RopeSpec()
    return GgufPlan(context_window or n, spec, rope)
