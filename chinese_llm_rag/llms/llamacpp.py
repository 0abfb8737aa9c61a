"""llama.cpp in this process, by llama-cpp-python.

RoPE is what the model file says: nothing here overrides it, and a window beyond the trained one is refused.
"""

import codecs
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from chinese_llm_rag._optional import optional_import
from chinese_llm_rag.compute import compute_slot, limit_pools, thread_budget
from chinese_llm_rag.errors import ConfigError, ContextWindowExceededError, GenerationError, ModelLoadError, RagError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.backend import ChatTemplateSource, GenerationParams, Prompt, TextChunk, Vocabulary
from chinese_llm_rag.llms.gguf_file import check_gguf
from chinese_llm_rag.llms.llama_log import capture_log, take_errors
from chinese_llm_rag.llms.llama_vocabulary import LlamaVocabulary

# What llama-cpp-python, ctypes and the allocator raise. A broken chat template in a file adds jinja2's errors.
FOREIGN_ERRORS: tuple[type[Exception], ...] = (
    RuntimeError,
    ValueError,
    AssertionError,
    MemoryError,
    OSError,
    TypeError,
)
_RANDOM_SEED = 0xFFFFFFFF
_FROM_FILE = -1.0  # llama-cpp-python's own YaRN defaults override the file's metadata
_POLL_S = 0.1
_STALLED_S = 2.0


class LlamaCppBackend:
    """A GGUF model in memory.

    One text at a time; a prompt that begins like the one before is only read from where they differ.

    Args:
        model_path: a GGUF file.
        context_window: tokens; None is the window the model was trained for. Memory grows with it.
        n_threads: None is all cores this process may run on.
        n_gpu_layers: layers to put on a GPU; -1 is all.
        n_batch: prompt tokens read at a time, which is also how soon a long prompt can be stopped.
        flash_attention: less time and memory for long prompts; the texts are the same up to rounding.
        use_mmap: map the file instead of reading it into memory.
        model_name: what to call it; None is the file's name without its ending.

    Raises:
        ConfigError: an argument is out of range.
        MissingDependencyError: llama-cpp-python is not installed.
        ModelLoadError: the file is missing, damaged, or not a model llama.cpp knows.
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
        model_name: str | None = None,
    ) -> None:
        for setting, value, least in (
            ("context_window", context_window, 1),
            ("n_threads", n_threads, 1),
            ("n_gpu_layers", n_gpu_layers, -1),
            ("n_batch", n_batch, 1),
        ):
            if value is not None and value < least:
                raise ConfigError(
                    say(
                        f"{setting}={value!r}: expected {least} or more", f"{setting}={value!r} 无效，应不小于 {least}"
                    ),
                    setting=setting,
                )
        self._path = Path(model_path)
        check_gguf(self._path)
        self._name = model_name if model_name is not None else self._path.stem
        self._n_batch = n_batch
        n_threads = thread_budget(n_threads)
        limit_pools(n_threads)  # before the import, since OpenMP reads its settings once
        self._api: Any = optional_import("llama_cpp", extra="llamacpp")
        self._foreign = (*FOREIGN_ERRORS, optional_import("jinja2", extra="llamacpp").TemplateError)
        capture_log(self._api)
        with self._foreign_errors(ModelLoadError):
            self._llama: Any = self._api.Llama(
                str(self._path),
                n_ctx=context_window or 0,
                n_threads=n_threads,
                n_threads_batch=n_threads,
                n_gpu_layers=n_gpu_layers,
                n_batch=n_batch,
                flash_attn=flash_attention,
                use_mmap=use_mmap,
                yarn_attn_factor=_FROM_FILE,
                yarn_beta_fast=_FROM_FILE,
                yarn_beta_slow=_FROM_FILE,
                verbose=False,
            )
        self._vocabulary = LlamaVocabulary(self._api, self._llama)
        self._facts = self._vocabulary.describe()
        self._template = self._vocabulary.chat_template()
        self._window = context_window or self._vocabulary.trained_window
        self._turn = threading.Lock()
        self._stepping_thread = 0
        self._last_step = 0.0
        self._closed = False
        self._check_trained_window()

    def __repr__(self) -> str:
        return f"LlamaCppBackend({str(self._path)!r}, context_window={self._window})"

    @property
    def model_name(self) -> str:
        """The file's name without its ending, unless another was given."""
        return self._name

    @property
    def context_window(self) -> int:
        """Tokens that prompt and answer together may have."""
        return self._window

    @property
    def vocabulary(self) -> Vocabulary:
        """Architecture and size, as the file states them."""
        return self._facts

    @property
    def chat_template(self) -> ChatTemplateSource | None:
        """The template in the file's metadata, or None."""
        return self._template

    def token_ids(self, prompt: Prompt) -> list[int]:
        """Token ids of the prompt, without BOS."""
        self._check_open()
        with self._foreign_errors(GenerationError):
            return self._vocabulary.token_ids(prompt)

    def count_tokens(self, prompt: Prompt) -> int:
        """Tokens of the prompt, without BOS."""
        return len(self.token_ids(prompt))

    def generate(self, prompt: Prompt, params: GenerationParams) -> Iterator[TextChunk]:
        """Text as it is produced; see Backend."""
        tokens = self.token_ids(prompt)
        tokens[:0] = self._vocabulary.begin
        if not tokens:
            raise GenerationError(say("the prompt is empty", "提示为空"))
        if len(tokens) + params.max_tokens > self._window:
            raise ContextWindowExceededError(
                prompt_tokens=len(tokens), max_tokens=params.max_tokens, context_window=self._window
            )
        yield TextChunk("", prompt_tokens=len(tokens))
        yield from self._wait_for_turn()
        try:
            self._check_open()
            yield from self._read(tokens)
            yield from self._write(tokens, params)
        finally:
            self._turn.release()

    def close(self) -> None:
        """Free the model's memory; waits for a running generation to end. May be called twice.

        Raises:
            GenerationError: this very thread has left a stream open.
        """
        for _ in self._wait_for_turn():
            pass
        try:
            self._closed = True
            self._llama.close()
        finally:
            self._turn.release()

    def _wait_for_turn(self) -> Iterator[TextChunk]:
        while not self._turn.acquire(timeout=_POLL_S):
            # A stream left unfinished by the very thread that waits for it would never end.
            if self._stepping_thread == threading.get_ident() and time.monotonic() - self._last_step > _STALLED_S:
                raise GenerationError(
                    say(
                        "another stream of this model is still open in this thread", "本线程中该模型的另一个流尚未结束"
                    ),
                    hint=say("read it to its end or close() it first", "请先读完它，或对它调用 close()"),
                )
            yield TextChunk("")

    def _read(self, tokens: list[int]) -> Iterator[TextChunk]:
        """Bring all but the last batch of the prompt into memory, a batch at a time."""
        known = self._llama.input_ids[: self._llama.n_tokens]
        n = min(len(known), len(tokens))
        differs = np.flatnonzero(known[:n] != np.asarray(tokens[:n], dtype=known.dtype))
        reused = int(differs[0]) if differs.size else n
        for end in range(reused + self._n_batch, len(tokens), self._n_batch):
            # generate() keeps the common beginning and reads the rest; its first token is not needed here.
            self._step(self._llama.generate(tokens[:end], temp=0.0))
            yield TextChunk("")

    def _write(self, tokens: list[int], params: GenerationParams) -> Iterator[TextChunk]:
        self._llama.set_seed(_RANDOM_SEED if params.seed is None else params.seed)
        sampled = self._llama.generate(
            tokens,
            temp=params.temperature,
            top_k=params.top_k,
            top_p=params.top_p,
            min_p=0.0,
            repeat_penalty=params.repetition_penalty,
        )
        utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")
        for _ in range(params.max_tokens):
            token = self._step(sampled)
            if self._vocabulary.ends(token):
                yield TextChunk("", finish_reason="stop")
                return
            # Bytes of a character whose end never comes stay in the decoder and are not shown.
            yield TextChunk(utf8.decode(self._vocabulary.piece(token)), n_tokens=1)
        yield TextChunk("", finish_reason="length")

    def _step(self, sampled: Iterator[int]) -> int:
        self._stepping_thread = threading.get_ident()
        with compute_slot(), self._foreign_errors(GenerationError):
            token = next(sampled)
        self._last_step = time.monotonic()
        return token

    def _check_open(self) -> None:
        if self._closed:
            raise GenerationError(say(f"the model {self._name!r} is closed", f"模型 {self._name!r} 已关闭"))

    def _check_trained_window(self) -> None:
        trained = self._vocabulary.trained_window
        if self._window > trained:
            self.close()
            raise ConfigError(
                say(
                    f"context_window={self._window}: this model was trained for {trained} tokens",
                    f"context_window={self._window} 超出该模型训练时的 {trained} 个 token",
                ),
                setting="context_window",
                hint=say(
                    f"use {trained} or less, or a 16K or 64K model", f"请设为不超过 {trained}，或换用 16K、64K 模型"
                ),
            )

    @contextmanager
    def _foreign_errors(self, ours: type[RagError]) -> Iterator[None]:
        """Whatever llama.cpp raises becomes `ours`, with llama.cpp's own last words as the reason."""
        take_errors()
        try:
            yield
        except RagError:
            raise
        except self._foreign as error:
            reason = take_errors() or str(error) or type(error).__name__
            raise ours(
                say(
                    f"llama.cpp failed on {str(self._path)!r}: {reason}",
                    f"llama.cpp 处理 {str(self._path)!r} 时失败：{reason}",
                ),
                hint=_hint(ours),
            ) from error


def _hint(ours: type[RagError]) -> str | None:
    if ours is not ModelLoadError:
        return None
    return say(
        "the file may be incomplete or of a newer format, or there is too little memory for this context_window",
        "文件可能不完整或格式过新，也可能是内存不足以容纳该 context_window",
    )
