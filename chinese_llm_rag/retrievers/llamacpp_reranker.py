"""Rerankers in GGUF form, by llama.cpp's C interface: encoders with a head (BGE) and decoders that are asked (Qwen3).

llama-cpp-python's own class reads a whole embedding where a reranker gives one number, and puts no pairs together.
"""

import atexit
import os
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from chinese_llm_rag._optional import optional_import
from chinese_llm_rag.compute import compute_slot, limit_pools, thread_budget
from chinese_llm_rag.errors import ConfigError, GenerationError, ModelLoadError
from chinese_llm_rag.language import say

_N_SEQUENCES = 16  # pairs that are read at once
_LEAST_TOKENS = 32
_ERROR_LEVEL = 4  # ggml.h


class LlamaCppScorer:
    """A reranker in a GGUF file.

    A pair longer than `max_tokens` loses the end of its passage. A question that alone takes more than half of them
    loses its own.

    Args:
        model_path: a GGUF file with pooling "rank".
        max_tokens: of question and passage together; by default 512, or what the model was trained for when that
            is less.
        n_threads: None is all cores this process may run on.
        n_gpu_layers: layers to put on a GPU; -1 is all.

    Raises:
        MissingDependencyError: llama-cpp-python is not installed.
        ModelLoadError: the file is missing or damaged, or is no reranker.
        ConfigError: max_tokens is out of range.
    """

    def __init__(
        self,
        model_path: Path | str,
        *,
        max_tokens: int | None = None,
        n_threads: int | None = None,
        n_gpu_layers: int = 0,
    ) -> None:
        self._path = Path(model_path)
        threads = thread_budget(n_threads)
        limit_pools(threads)
        self._api: Any = optional_import("llama_cpp", extra="llamacpp")
        self._errors: list[str] = []
        self._capture_log()
        self._model = self._loaded(n_gpu_layers)
        self._vocabulary = self._api.llama_model_get_vocab(self._model)
        self.max_tokens = self._limit(max_tokens)
        self._context = self._opened(threads)
        self._pattern = self._api.llama_model_chat_template(self._model, b"rerank")

    @property
    def identity(self) -> str:
        """The file, as it was when it was loaded, and the length it reads."""
        return self._identity

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        """The model's raw scores, one a passage."""
        pairs = [self._pair(query, passage) for passage in passages]
        scores: list[float] = []
        for batch in _batches(pairs, self.max_tokens):
            with compute_slot():
                scores += self._decoded(batch)
        return scores

    def close(self) -> None:
        """Free the model's memory; closing twice does nothing."""
        self._free()

    # --- loading ------------------------------------------------------------------------------

    def _capture_log(self) -> None:
        errors = self._errors

        def receive(level: int, text: bytes, _: object) -> None:
            if level == _ERROR_LEVEL:
                errors.append(text.decode("utf-8", "replace").strip())

        callback = self._api.llama_log_callback(receive)
        _LOGS.append(callback)
        self._api.llama_log_set(callback, None)
        # llama-cpp-python opens these at import and leaves a ResourceWarning when the process ends.
        for file in (self._api._utils.outnull_file, self._api._utils.errnull_file):  # noqa: SLF001
            atexit.register(file.close)

    def _loaded(self, n_gpu_layers: int) -> Any:  # noqa: ANN401  (a pointer)
        if not self._path.is_file():
            raise self._failure("no such file", "找不到文件")
        stat = self._path.stat()
        self._identity = f"llama.cpp {self._path.resolve()} {stat.st_size} {stat.st_mtime_ns}"
        self._api.llama_backend_init()
        params = self._api.llama_model_default_params()
        params.n_gpu_layers = 0x7FFFFFFF if n_gpu_layers == -1 else n_gpu_layers
        model = self._api.llama_model_load_from_file(os.fsencode(self._path), params)
        if not model:
            raise self._failure("; ".join(self._errors[-3:]) or "damaged", "; ".join(self._errors[-3:]) or "文件已损坏")
        self._contexts: list[Any] = []
        self._free = weakref.finalize(self, _free, self._api, model, self._contexts)
        return model

    def _limit(self, max_tokens: int | None) -> int:
        trained = int(self._api.llama_model_n_ctx_train(self._model))
        limit = min(512, trained) if max_tokens is None else max_tokens
        if not _LEAST_TOKENS <= limit <= trained:
            raise ConfigError(
                say(
                    f"max_tokens={limit!r}, expected from {_LEAST_TOKENS} to {trained}",
                    f"max_tokens={limit!r}，应在 {_LEAST_TOKENS} 与 {trained} 之间",
                ),
                setting="max_tokens",
            )
        return limit

    def _opened(self, n_threads: int) -> Any:  # noqa: ANN401  (a pointer)
        params = self._api.llama_context_default_params()
        n_tokens = self.max_tokens * 4
        params.n_ctx = self.max_tokens * _N_SEQUENCES
        params.n_batch = params.n_ubatch = n_tokens  # an encoder reads a batch in one piece
        params.n_seq_max = _N_SEQUENCES
        params.embeddings = True
        params.n_threads = params.n_threads_batch = n_threads
        context = self._api.llama_init_from_model(self._model, params)
        if not context:
            raise self._failure("; ".join(self._errors[-3:]), "; ".join(self._errors[-3:]))
        self._contexts.append(context)
        if self._api.llama_pooling_type(context) != self._api.LLAMA_POOLING_TYPE_RANK:
            raise self._failure("it is no reranker: its pooling is not 'rank'", "它不是重排模型：其池化方式不是 rank")
        return context

    def _failure(self, english: str, chinese: str) -> ModelLoadError:
        return ModelLoadError(
            say(
                f"cannot load the reranker {str(self._path)!r}: {english}",
                f"无法加载重排模型 {str(self._path)!r}：{chinese}",
            ),
            hint=say("give a complete GGUF file of a reranker", "请给出完整的重排模型 GGUF 文件"),
        )

    # --- pairs --------------------------------------------------------------------------------

    def _pair(self, query: str, passage: str) -> list[int]:
        """The tokens of a pair, as llama.cpp's server puts them together."""
        before, between, after = self._frame()
        room = self.max_tokens - len(before) - len(between) - len(after)
        asked = self._tokens(query)[: max(1, room // 2)]
        read = self._tokens(passage)[: max(0, room - len(asked))]
        return [*before, *asked, *between, *read, *after]

    def _frame(self) -> tuple[list[int], list[int], list[int]]:
        """What stands before the question, between it and the passage, and after the passage."""
        if self._pattern:
            before, _, rest = self._pattern.decode("utf-8").partition("{query}")
            between, _, after = rest.partition("{document}")
            return (
                self._tokens(before, special=True),
                self._tokens(between, special=True),
                self._tokens(after, special=True),
            )
        api, vocabulary = self._api, self._vocabulary
        bos = [api.llama_vocab_bos(vocabulary)] if api.llama_vocab_get_add_bos(vocabulary) else []
        end = api.llama_vocab_eos(vocabulary)
        sep = api.llama_vocab_sep(vocabulary)
        eos = [sep if end < 0 else end] if api.llama_vocab_get_add_eos(vocabulary) else []
        separator = [sep] if api.llama_vocab_get_add_sep(vocabulary) else []
        return bos, [*eos, *separator], eos or separator

    def _tokens(self, text: str, *, special: bool = False) -> list[int]:
        """Tokens of a text; control tokens only where `special`, so that a document cannot hold any."""
        raw = text.replace("\0", " ").encode("utf-8", "replace")
        room = len(raw) + 8
        tokens = (self._api.llama_token * room)()
        n = self._api.llama_tokenize(self._vocabulary, raw, len(raw), tokens, room, False, special)  # noqa: FBT003
        return list(tokens[:n])

    # --- computing ----------------------------------------------------------------------------

    def _decoded(self, pairs: Sequence[Sequence[int]]) -> list[float]:
        api = self._api
        memory = api.llama_get_memory(self._context)
        if memory:  # an encoder has none
            api.llama_memory_clear(memory, True)  # noqa: FBT003
        batch = api.llama_batch_init(sum(map(len, pairs)), 0, 1)
        try:
            batch.n_tokens = sum(map(len, pairs))
            place = 0
            for sequence, pair in enumerate(pairs):
                for position, token in enumerate(pair):
                    batch.token[place], batch.pos[place] = token, position
                    batch.n_seq_id[place], batch.seq_id[place][0], batch.logits[place] = 1, sequence, True
                    place += 1
            status = api.llama_decode(self._context, batch)
        finally:
            api.llama_batch_free(batch)
        if status != 0:
            raise GenerationError(
                say(f"llama.cpp could not read the pairs: status {status}", f"llama.cpp 无法读取文本对：状态 {status}")
            )
        return [float(api.llama_get_embeddings_seq(self._context, sequence)[0]) for sequence in range(len(pairs))]


_LOGS: list[Any] = []  # llama.cpp may call one after its scorer is gone


def _batches(pairs: Sequence[list[int]], max_tokens: int) -> Iterator[list[list[int]]]:
    batch: list[list[int]] = []
    n_tokens = 0
    for pair in pairs:
        if batch and (len(batch) == _N_SEQUENCES or n_tokens + len(pair) > max_tokens * 4):
            yield batch
            batch, n_tokens = [], 0
        batch.append(pair)
        n_tokens += len(pair)
    if batch:
        yield batch


def _free(api: Any, model: Any, contexts: list[Any]) -> None:  # noqa: ANN401
    for context in contexts:
        api.llama_free(context)
    api.llama_model_free(model)
