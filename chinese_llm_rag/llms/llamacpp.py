"""llama.cpp in this process, by llama-cpp-python's C interface."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from chinese_llm_rag._optional import optional_import
from chinese_llm_rag.compute import limit_pools, thread_budget
from chinese_llm_rag.errors import ConfigError, ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.arguments import check_choices, check_counts
from chinese_llm_rag.llms.backend import ChatTemplateSource, Vocabulary
from chinese_llm_rag.llms.gguf.plan import plan_gguf
from chinese_llm_rag.llms.in_process.backend import DEFAULT_PREFIX_BYTES, InProcessBackend
from chinese_llm_rag.llms.in_process.runtime import Runtime
from chinese_llm_rag.llms.in_process.speculation import Drafter, DraftModel, PromptLookup
from chinese_llm_rag.llms.llama.log import capture_log, take_errors
from chinese_llm_rag.llms.llama.model import ContextOptions, LlamaCppModel, LlamaWeights
from chinese_llm_rag.llms.memory_need import KvType
from chinese_llm_rag.llms.rope import RopeSpec

# What ctypes, numpy and the allocator raise around llama.cpp, and we on its status codes.
FOREIGN_ERRORS: tuple[type[Exception], ...] = (
    RuntimeError,
    ValueError,
    AssertionError,
    MemoryError,
    OSError,
    TypeError,
)
RUNTIME = Runtime("llama.cpp", FOREIGN_ERRORS, take_errors)


class LlamaCppBackend(InProcessBackend):
    """A GGUF model in memory.

    One text at a time; a prompt that begins like an earlier one is only read from where they differ. RoPE is what
    the file's metadata says, or what the model family needs where an old file says nothing.

    Args:
        model_path: a GGUF file.
        context_window: tokens; None is the window the model was trained for. Memory grows with it. A model of the
            family may go beyond its trained window, by the family's adaptive NTK.
        n_threads: None is all cores this process may run on.
        n_gpu_layers: layers to put on a GPU; -1 is all.
        n_batch: prompt tokens read at a time, which is also how soon a long prompt can be stopped.
        flash_attention: less time and memory for long prompts; the texts are the same up to rounding. A quantized
            KV cache needs it.
        use_mmap: map the file instead of reading it into memory.
        kv_type: of the KV cache: "f16", or "q8_0" and "q4_0", which take about a half and a quarter of it.
        rope: how positions are computed, where it is not to be what the file says.
        override_rope: let `rope` go before a contradicting file.
        lora: GGUF LoRA adapters and their scales, or just the adapters for a scale of 1.
        draft_model: GGUF file of a smaller model with the same vocabulary that guesses ahead.
        prompt_lookup: guess ahead what followed the same words before, which helps where answers quote.
        prefix_bytes: main memory for what was read of earlier prompts.
        model_name: what to call it; None is the file's name without its ending.

    Raises:
        ConfigError: an argument is out of range, or contradicts the file.
        MissingDependencyError: llama-cpp-python is not installed.
        ModelLoadError: the file is missing, damaged, or not a model llama.cpp knows, or does not fit the memory.
    """

    def __init__(
        self,
        model_path: Path | str,
        *,
        context_window: int | None = None,
        n_threads: int | None = None,
        n_gpu_layers: int = 0,
        n_batch: int = 512,
        flash_attention: bool = True,
        use_mmap: bool = True,
        kv_type: KvType = "f16",
        rope: RopeSpec | None = None,
        override_rope: bool = False,
        lora: Mapping[str, float] | Sequence[str] = (),
        draft_model: Path | str | None = None,
        prompt_lookup: bool = False,
        prefix_bytes: int = DEFAULT_PREFIX_BYTES,
        model_name: str | None = None,
    ) -> None:
        check_counts(
            context_window=(context_window, 1),
            n_threads=(n_threads, 1),
            n_gpu_layers=(n_gpu_layers, -1),
            n_batch=(n_batch, 1),
            prefix_bytes=(prefix_bytes, 0),
        )
        check_choices(kv_type, draft_model, flash_attention=flash_attention, prompt_lookup=prompt_lookup)
        path = Path(model_path)
        plan = plan_gguf(
            path,
            context_window,
            rope,
            kv_type,
            n_gpu_layers=n_gpu_layers,
            override_rope=override_rope,
            n_batch=n_batch,
            flash_attention=flash_attention,
        )
        n_threads = thread_budget(n_threads)
        limit_pools(n_threads)  # before the import, since OpenMP reads its settings once
        api: Any = optional_import("llama_cpp", extra="llamacpp")
        capture_log(api)
        options = ContextOptions(plan.context_window, n_threads, n_batch, flash_attention, kv_type)
        adapters = dict(lora) if isinstance(lora, Mapping) else dict.fromkeys(lora, 1.0)
        with RUNTIME.errors_as(ModelLoadError, str(path), hint=_load_hint()):
            weights = LlamaWeights(api, path, n_gpu_layers=n_gpu_layers, use_mmap=use_mmap, lora=adapters)
            model = LlamaCppModel(weights, options, plan.rope_to_set)
        drafter: Drafter | None = PromptLookup() if prompt_lookup else None
        if draft_model is not None:
            drafter = _draft_model(api, Path(draft_model), weights, options, n_gpu_layers=n_gpu_layers)
        self._facts = weights.vocabulary.describe()
        self._template = weights.vocabulary.chat_template()
        super().__init__(
            model,
            weights.vocabulary,
            RUNTIME,
            name=model_name if model_name is not None else path.stem,
            origin=str(path),
            context_window=plan.context_window,
            rope=plan.rope,
            drafter=drafter,
            prefix_bytes=prefix_bytes,
        )

    @property
    def vocabulary(self) -> Vocabulary:
        """Architecture and size, as the file states them."""
        return self._facts

    @property
    def chat_template(self) -> ChatTemplateSource | None:
        """The template in the file's metadata, or None."""
        return self._template


def _draft_model(
    api: Any,  # noqa: ANN401  # the module llama_cpp
    path: Path,
    target: LlamaWeights,
    options: ContextOptions,
    *,
    n_gpu_layers: int,
) -> DraftModel:
    """The smaller model over the same window, refused where its tokens mean something else."""
    plan = plan_gguf(path, options.context_window, None, "f16", n_gpu_layers=n_gpu_layers)
    with RUNTIME.errors_as(ModelLoadError, str(path), hint=_load_hint()):
        weights = LlamaWeights(api, path, n_gpu_layers=n_gpu_layers, use_mmap=True, lora={})
        model = LlamaCppModel(weights, replace(options, kv_type="f16"), plan.rope_to_set)
    if not weights.vocabulary.equals(target.vocabulary):
        model.close()
        raise ConfigError(
            say(
                f"draft_model={str(path)!r}: its vocabulary is not the model's own",
                f"draft_model={str(path)!r}：其词表与主模型不同",
            ),
            setting="draft_model",
            hint=say("use a smaller model of the same family", "请使用同一家族中较小的模型"),
        )
    return DraftModel(model)


def _load_hint() -> str:
    return say(
        "the file may be incomplete or of a newer format, or there is too little memory for this context_window",
        "文件可能不完整或格式过新，也可能是内存不足以容纳该 context_window",
    )
