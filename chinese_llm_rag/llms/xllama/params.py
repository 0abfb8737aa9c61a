"""Our arguments as xllamacpp's CommonParams."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chinese_llm_rag.llms.memory_need import KvType
from chinese_llm_rag.llms.rope import RopeSpec, llama_rope

_ALL_LAYERS = -2  # -1 lets the server choose


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What a server is started with; see XllamacppBackend for the meaning of each."""

    path: Path
    context_window: int
    n_parallel: int
    n_threads: int
    n_gpu_layers: int
    n_batch: int
    flash_attention: bool
    use_mmap: bool
    kv_type: KvType
    lora: Mapping[str, float]
    draft_model: Path | None
    prompt_lookup: bool
    prefix_bytes: int
    head_dim: int


def common_params(api: Any, options: ServerOptions, rope: RopeSpec | None) -> Any:  # noqa: ANN401  # the module xllamacpp
    """CommonParams for the options; RoPE None is what the file's metadata says."""
    params = api.CommonParams()
    params.model.path = str(options.path)
    params.n_ctx = options.context_window * options.n_parallel
    params.n_parallel = options.n_parallel
    params.n_batch = params.n_ubatch = options.n_batch
    params.n_gpu_layers = _ALL_LAYERS if options.n_gpu_layers == -1 else options.n_gpu_layers
    params.load_mode = getattr(api.llama_load_mode, f"LLAMA_LOAD_MODE_{'MMAP' if options.use_mmap else 'NONE'}")
    flash = "ENABLED" if options.flash_attention else "DISABLED"
    params.flash_attn_type = getattr(api.llama_flash_attn_type, f"LLAMA_FLASH_ATTN_TYPE_{flash}")
    params.cache_type_k = params.cache_type_v = getattr(api.ggml_type, f"GGML_TYPE_{options.kv_type.upper()}")
    params.lora_adapters = [api.CommonAdapterLoraInfo(path, scale) for path, scale in options.lora.items()]
    params.cache_ram_mib = -(-options.prefix_bytes // (1 << 20))
    params.swa_full = True  # without it, a cache with sliding windows cannot be cut, and is saved in pieces
    params.fit_params = False  # never another window than was asked for
    params.warmup = False
    params.use_jinja = False
    params.chat_template = "chatml"  # never used; without it a broken template in the file ends the loading
    for pool in (params.cpuparams, params.cpuparams_batch):
        pool.n_threads = options.n_threads
    _set_speculation(api, params, options)
    if rope is not None:
        values = llama_rope(rope, options.head_dim)
        kind = getattr(api.llama_rope_scaling_type, f"LLAMA_ROPE_SCALING_TYPE_{values['rope_scaling_type'].upper()}")
        for name, value in {**values, "rope_scaling_type": kind}.items():
            setattr(params, name, value)
    return params


def _set_speculation(api: Any, params: Any, options: ServerOptions) -> None:  # noqa: ANN401
    kinds = api.common_speculative_type
    if options.prompt_lookup:
        params.speculative.types = [kinds.COMMON_SPECULATIVE_TYPE_NGRAM_MAP_K]
        params.speculative.ngram_map_k.size_n = 4  # tokens that must be the same before a draft is made
        params.speculative.ngram_map_k.size_m = 12  # tokens of a draft
    if options.draft_model is not None:
        params.speculative.types = [kinds.COMMON_SPECULATIVE_TYPE_DRAFT_SIMPLE]
        draft = params.speculative.draft
        draft.mparams.path = str(options.draft_model)
        draft.n_gpu_layers = params.n_gpu_layers
        for pool in (draft.cpuparams, draft.cpuparams_batch):
            pool.n_threads = options.n_threads
