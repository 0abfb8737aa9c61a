"""transformers in this process: Hugging Face folders and names in the local hub cache."""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from chinese_llm_rag._optional import optional_import
from chinese_llm_rag.compute import limit_pools, thread_budget
from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.arguments import check_counts
from chinese_llm_rag.llms.backend import ChatTemplateSource, Vocabulary
from chinese_llm_rag.llms.hf.folder import find_folder
from chinese_llm_rag.llms.hf.model import TransformersModel
from chinese_llm_rag.llms.hf.plan import FolderPlan, plan_folder
from chinese_llm_rag.llms.hf.rope import set_model_rope
from chinese_llm_rag.llms.hf.tokenizer import same_tokens
from chinese_llm_rag.llms.hf.weights import Attention, Dtype, Quantization, WeightOptions, load_weights
from chinese_llm_rag.llms.in_process.backend import DEFAULT_PREFIX_BYTES, InProcessBackend
from chinese_llm_rag.llms.in_process.runtime import Runtime
from chinese_llm_rag.llms.in_process.speculation import Drafter, DraftModel, PromptLookup
from chinese_llm_rag.llms.rope import RopeSpec
from chinese_llm_rag.offline import forbid_calling_home

# What torch, transformers, peft and the packages for quantized weights raise; safetensors adds its own error.
FOREIGN_ERRORS: tuple[type[Exception], ...] = (
    RuntimeError,
    ValueError,
    OSError,
    LookupError,
    TypeError,
    ImportError,
    AttributeError,
    AssertionError,
    MemoryError,
    EOFError,
    pickle.UnpicklingError,
)


class TransformersBackend(InProcessBackend):
    """A Hugging Face model in memory. Nothing is downloaded, and no code that comes with a model is run.

    One text at a time; a prompt that begins like an earlier one is only read from where they differ. The tokens
    are those of sentencepiece where the folder has a tokenizer.model. RoPE is what the configuration says, or what
    the model family needs where an old one says nothing.

    Args:
        model: a folder with config.json, weights and tokenizer, or a hub name that is in the local cache.
        context_window: tokens; None is the window the model was trained for. A model of the family may go beyond
            its trained window, by the family's adaptive NTK.
        rope: how positions are computed, where it is not to be what the configuration says.
        override_rope: let `rope` go before a contradicting configuration.
        dtype: of the weights and the KV cache; "auto" is the one they are stored in.
        device_map: where the weights go, as accelerate has it, for example "auto" or "cuda:0"; None is the CPU.
        attn_implementation: None is what transformers holds best, which is "sdpa".
        quantization: of the weights while they are loaded: "int8" (torchao), "nf4" (bitsandbytes), or "int4"
            (torchao, GPUs only).
        lora: folders of LoRA adapters, applied unmerged; the first may bring a larger vocabulary and its tokenizer.
        revision: of a hub name.
        draft_model: folder or name of a smaller model with the same vocabulary that guesses ahead.
        prompt_lookup: guess ahead what followed the same words before, which helps where answers quote.
        n_threads: threads of torch, process-wide; None is all cores this process may run on.
        n_batch: prompt tokens read at a time, which is also how soon a long prompt can be stopped.
        prefix_bytes: main memory for what was read of earlier prompts.
        model_name: what to call it; None is the folder's or the hub's name.

    Raises:
        ConfigError: an argument is out of range, impossible on this machine, or contradicts the configuration.
        MissingDependencyError: torch, transformers or another package is not installed.
        ModelLoadError: the model is not here, incomplete, damaged, or not one transformers knows.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        context_window: int | None = None,
        rope: RopeSpec | None = None,
        override_rope: bool = False,
        dtype: Dtype = "auto",
        device_map: str | dict[str, int | str] | None = None,
        attn_implementation: Attention | None = None,
        quantization: Quantization | None = None,
        lora: Sequence[str | Path] = (),
        revision: str | None = None,
        draft_model: str | Path | None = None,
        prompt_lookup: bool = False,
        n_threads: int | None = None,
        n_batch: int = 512,
        prefix_bytes: int = DEFAULT_PREFIX_BYTES,
        model_name: str | None = None,
    ) -> None:
        check_counts(
            context_window=(context_window, 1),
            n_threads=(n_threads, 1),
            n_batch=(n_batch, 1),
            prefix_bytes=(prefix_bytes, 0),
        )
        drafts = _Drafts(draft_model, prompt_lookup)
        options = WeightOptions(dtype, device_map, attn_implementation, quantization)
        options = replace(options, lora=tuple(find_folder(adapter) for adapter in lora))
        folder = find_folder(model, revision)
        plan = plan_folder(folder, options, context_window, rope, override_rope=override_rope, names=(str(model),))
        n_threads = thread_budget(n_threads)
        limit_pools(n_threads)  # before the import, since OpenMP reads its settings once
        forbid_calling_home()
        runtime = _runtime()
        tokens = _opened(folder, plan, options, n_batch=n_batch, n_threads=n_threads, runtime=runtime)
        self._facts = Vocabulary(plan.architecture, plan.vocabulary_size)
        self._template = plan.chat_template
        super().__init__(
            tokens,
            plan.tokenizer,
            runtime,
            name=model_name if model_name is not None else _name(model),
            origin=str(model),
            context_window=plan.context_window,
            rope=plan.rope,
            drafter=_drafter(plan, n_batch, n_threads, runtime, drafts),
            prefix_bytes=prefix_bytes,
        )

    @property
    def vocabulary(self) -> Vocabulary:
        """Architecture and size, as the configuration states them; the adapter's where it brings a larger one."""
        return self._facts

    @property
    def chat_template(self) -> ChatTemplateSource | None:
        """The template in the folder, or None."""
        return self._template


@dataclass(frozen=True, slots=True)
class _Drafts:
    """Who guesses ahead, if anybody."""

    draft_model: str | Path | None
    prompt_lookup: bool

    def __post_init__(self) -> None:
        if self.draft_model is not None and self.prompt_lookup:
            raise ConfigError(
                say("draft_model and prompt_lookup exclude each other", "draft_model 与 prompt_lookup 不能同时使用"),
                setting="prompt_lookup",
            )


def _runtime() -> Runtime:
    safetensors = optional_import("safetensors", extra="hf")
    return Runtime("transformers", (*FOREIGN_ERRORS, safetensors.SafetensorError))


def _name(model: str | Path) -> str:
    """The last part of a path or a hub name."""
    return Path(model).name or str(model)


def _drafter(plan: FolderPlan, n_batch: int, n_threads: int, runtime: Runtime, choice: "_Drafts") -> Drafter | None:
    if choice.prompt_lookup:
        return PromptLookup()
    if choice.draft_model is None:
        return None
    name = str(choice.draft_model)
    folder = find_folder(choice.draft_model)
    smaller = plan_folder(folder, WeightOptions(), plan.context_window, None, names=(name,))
    if not same_tokens(plan.tokenizer, smaller.tokenizer, plan.vocabulary_size):
        raise ConfigError(
            say(f"draft_model={name!r}: its vocabulary is not the model's own", f"draft_model={name!r} 的词表不同"),
            setting="draft_model",
            hint=say("use a smaller model of the same family", "请使用同一家族中较小的模型"),
        )
    return DraftModel(_opened(folder, smaller, WeightOptions(), n_batch=n_batch, n_threads=n_threads, runtime=runtime))


def _opened(
    folder: Path, plan: FolderPlan, options: WeightOptions, *, n_batch: int, n_threads: int, runtime: Runtime
) -> TransformersModel:
    weights = load_weights(folder, options, n_threads, runtime)
    if plan.rope_to_set is not None:
        set_model_rope(weights.network, plan.rope_to_set)
    return TransformersModel(weights, plan.tokenizer, n_batch=n_batch, context_window=plan.context_window)
