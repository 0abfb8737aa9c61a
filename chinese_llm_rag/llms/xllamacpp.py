"""llama.cpp in this process, by the server inside xllamacpp, which comes as a prebuilt wheel."""

import http.client
import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

from chinese_llm_rag._optional import optional_import
from chinese_llm_rag.compute import limit_pools, thread_budget
from chinese_llm_rag.errors import ContextWindowExceededError, GenerationError, ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.arguments import check_choices, check_counts
from chinese_llm_rag.llms.backend import (
    Ability,
    ChatTemplateSource,
    GenerationParams,
    Prompt,
    TextChunk,
    Vocabulary,
)
from chinese_llm_rag.llms.gguf.identity import gguf_identity
from chinese_llm_rag.llms.gguf.plan import gguf_shape, plan_gguf, read_split_gguf
from chinese_llm_rag.llms.in_process.backend import DEFAULT_PREFIX_BYTES
from chinese_llm_rag.llms.in_process.runtime import Runtime
from chinese_llm_rag.llms.json_grammar import schema_grammar
from chinese_llm_rag.llms.memory_need import KvType
from chinese_llm_rag.llms.rope import RopeSpec
from chinese_llm_rag.llms.xllama.answer import Pieces, completion_request
from chinese_llm_rag.llms.xllama.checks import check_other_files, check_window
from chinese_llm_rag.llms.xllama.memory import check_seal, seal, under_a_name
from chinese_llm_rag.llms.xllama.params import ServerOptions, common_params
from chinese_llm_rag.llms.xllama.server import EmbeddedServer, Reply
from chinese_llm_rag.llms.xllama.vocabulary import ServerVocabulary

# What xllamacpp, HTTP over a socket and the allocator raise, and we on the server's refusals.
FOREIGN_ERRORS: tuple[type[Exception], ...] = (
    RuntimeError,
    ValueError,
    TypeError,
    MemoryError,
    OSError,
    http.client.HTTPException,
)
RUNTIME = Runtime("xllamacpp", FOREIGN_ERRORS)
_SLOT = 0


class XllamacppBackend:
    """A GGUF model in memory, served by llama.cpp's own server.

    `n_parallel` texts at a time; a prompt that begins like an earlier one is only read from where they differ. The
    server computes in threads of its own and does not wait for the reader of a stream; a closed stream stops after
    the step it is at. It does not take the compute slot.

    Args:
        model_path: a GGUF file.
        context_window: tokens; None is the window the model was trained for. Memory grows with it. The server cannot go
            beyond the window that the file states, so not by NTK either.
        n_threads: None is all cores this process may run on.
        n_gpu_layers: layers to put on a GPU, where the wheel is of a kind that can; -1 is all.
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
        prefix_bytes: main memory for what was read of earlier prompts, up to whole MiB.
        n_parallel: texts at a time; each has a KV cache of its own for the whole window.
        model_name: what to call it; None is the file's name without its ending.

    Raises:
        ConfigError: an argument is out of range, or contradicts the file.
        MissingDependencyError: xllamacpp is not installed.
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
        n_parallel: int = 1,
        model_name: str | None = None,
    ) -> None:
        check_counts(
            context_window=(context_window, 1),
            n_threads=(n_threads, 1),
            n_gpu_layers=(n_gpu_layers, -1),
            n_batch=(n_batch, 1),
            prefix_bytes=(prefix_bytes, 0),
            n_parallel=(n_parallel, 1),
        )
        check_choices(kv_type, draft_model, flash_attention=flash_attention, prompt_lookup=prompt_lookup)
        path = Path(model_path)
        adapters = dict(lora) if isinstance(lora, Mapping) else dict.fromkeys(lora, 1.0)
        plan = plan_gguf(
            path,
            context_window,
            rope,
            kv_type,
            n_gpu_layers=n_gpu_layers,
            override_rope=override_rope,
            n_batch=n_batch,
            flash_attention=flash_attention,
            full_sliding=True,
        )
        headers = read_split_gguf(path)
        check_window(plan, headers[0])
        check_other_files(headers[0].vocabulary_size, adapters, draft_model)
        n_threads = thread_budget(n_threads)
        limit_pools(n_threads)  # before the import, since OpenMP reads its settings once
        api: Any = optional_import("xllamacpp", extra="xllamacpp")
        self._options = ServerOptions(
            path,
            plan.context_window,
            n_parallel=n_parallel,
            n_threads=n_threads,
            n_gpu_layers=n_gpu_layers,
            n_batch=n_batch,
            flash_attention=flash_attention,
            use_mmap=use_mmap,
            kv_type=kv_type,
            lora=adapters,
            draft_model=None if draft_model is None else Path(draft_model),
            prompt_lookup=prompt_lookup,
            prefix_bytes=prefix_bytes,
            head_dim=gguf_shape(headers).head_dim,
        )

        self._name = model_name if model_name is not None else path.stem
        self._rope = plan.rope
        with RUNTIME.errors_as(ModelLoadError, str(path), hint=_load_hint(headers[0].architecture)):
            self._server = EmbeddedServer(api, common_params(api, self._options, plan.rope_to_set))
            self._vocabulary = ServerVocabulary(self._server, headers[0])

    def __repr__(self) -> str:
        return f"XllamacppBackend({str(self._options.path)!r}, context_window={self.context_window})"

    @property
    def model_name(self) -> str:
        """What the user calls the model."""
        return self._name

    @property
    def context_window(self) -> int:
        """Tokens that prompt and answer together may have."""
        return self._options.context_window

    @property
    def rope(self) -> RopeSpec:
        """How positions are computed."""
        return self._rope

    @property
    def vocabulary(self) -> Vocabulary:
        """Architecture and size, as the file states them."""
        return self._vocabulary.describe()

    @property
    def chat_template(self) -> ChatTemplateSource | None:
        """The template in the file's metadata, or None."""
        return self._vocabulary.chat_template()

    @property
    def abilities(self) -> frozenset[Ability]:
        """What GenerationParams may ask for. The server tells no probabilities of tokens that were guessed."""
        guesses = self._options.prompt_lookup or self._options.draft_model is not None
        return frozenset({"json_schema"} if guesses else {"json_schema", "logprobs"})

    def token_ids(self, prompt: Prompt) -> list[int]:
        """Token ids of the prompt, without BOS."""
        self._check_open()
        with self._foreign_errors():
            return self._vocabulary.token_ids(prompt)

    def count_tokens(self, prompt: Prompt) -> int:
        """Tokens of the prompt, without BOS."""
        return len(self.token_ids(prompt))

    def generate(self, prompt: Prompt, params: GenerationParams) -> Iterator[TextChunk]:
        """Text as it is produced; see Backend.

        With log probabilities, a character that takes several tokens has one entry, that of its last token.
        """
        tokens = self._whole(prompt, params.max_tokens)
        yield TextChunk("", prompt_tokens=len(tokens))
        request = completion_request(tokens, params, self.context_window)
        if params.json_schema is not None:
            request["grammar"] = schema_grammar(params.json_schema)
        pieces = Pieces(params)
        with closing(self._replies(request)) as replies:
            for reply in replies:
                yield TextChunk("") if reply is None else pieces.piece(reply)

    def save_prefix(self, prompt: Prompt, path: Path) -> int:
        """Read a prompt and write what the model remembers of it to a file, for load_prefix() in any later process.

        Questions about the same beginning are then answered without reading it again. The result is the size in
        bytes: that of the prompt's KV cache.

        Raises:
            ContextWindowExceededError: the prompt does not fit.
            GenerationError: the file cannot be written.
        """
        tokens = self._whole(prompt, 1)
        params = GenerationParams(temperature=0.0, max_tokens=1)
        request = completion_request(tokens, params, self.context_window) | {"id_slot": _SLOT}
        with closing(self._replies(request)) as replies:
            for _ in replies:
                pass
        unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            with self._foreign_errors(str(path)):
                unfinished.touch()
                self._slot("save", unfinished)
                size = seal(unfinished, self._owner)
                unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
        return size

    def load_prefix(self, path: Path) -> None:
        """Remember what save_prefix() wrote.

        Raises:
            ModelLoadError: the file is damaged, or of another model, window or KV cache type.
        """
        self._check_open()
        check_seal(path, self._owner)
        with RUNTIME.errors_as(ModelLoadError, str(path)):
            self._slot("restore", path)

    def close(self) -> None:
        """Free the model's memory; waits for a running generation to end. May be called twice."""
        self._server.close()

    def _whole(self, prompt: Prompt, max_tokens: int) -> list[int]:
        tokens = [*self._vocabulary.begin, *self.token_ids(prompt)]
        if not tokens:
            raise GenerationError(say("the prompt is empty", "提示为空"))
        if len(tokens) + max_tokens > self.context_window:
            raise ContextWindowExceededError(
                prompt_tokens=len(tokens), max_tokens=max_tokens, context_window=self.context_window
            )
        return tokens

    def _replies(self, request: Mapping[str, Any]) -> Generator[Reply | None]:
        self._check_open()
        with self._foreign_errors():
            answer = self._server.begin(request)
            try:
                yield from answer
            finally:
                answer.stop()

    def _slot(self, action: str, path: Path) -> None:
        with under_a_name(self._server.slot_folder, path) as name:
            self._server.ask(f"/slots/{_SLOT}?action={action}", {"filename": name})

    @property
    def _owner(self) -> str:
        """The file, its adapters, and how the cache is computed."""
        options = self._options
        return f"xllamacpp {gguf_identity(options.path, options.lora)} {options.kv_type} {self._rope}"

    def _check_open(self) -> None:
        if self._server.closed:
            raise GenerationError(say(f"the model {self._name!r} is closed", f"模型 {self._name!r} 已关闭"))

    def _foreign_errors(self, what: str | None = None) -> AbstractContextManager[None]:
        return RUNTIME.errors_as(GenerationError, str(self._options.path) if what is None else what)


def _load_hint(architecture: str) -> str:
    # The server does not say why. Damage and memory were looked at before.
    return say(
        f"this xllamacpp may not know the architecture {architecture!r}, a newer version might; or the model cannot be "
        "loaded with these options",
        f"该版本的 xllamacpp 可能不支持架构 {architecture!r}，可尝试更新；也可能是该模型不支持所给的选项",
    )
