"""llama.cpp's C interface as a TokenModel: weights, a context with its KV cache, and its state as bytes.

The package's own high-level class is not used: it overrides RoPE with defaults of its own, copies the logits of a
whole batch, and its speculation crashes on long prompts.
"""

import contextlib
import ctypes
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.gguf.identity import gguf_identity
from chinese_llm_rag.llms.in_process.token_model import Logits
from chinese_llm_rag.llms.llama.grammar import LlamaGrammar
from chinese_llm_rag.llms.llama.log import take_errors
from chinese_llm_rag.llms.llama.vocabulary import LlamaVocabulary
from chinese_llm_rag.llms.memory_need import KvType
from chinese_llm_rag.llms.rope import RopeSpec, llama_rope

_SEQUENCE = 0
_ALL_LAYERS = 0x7FFFFFFF


@dataclass(frozen=True, slots=True)
class ContextOptions:
    """How a context computes; see LlamaCppBackend for the meaning of each."""

    context_window: int
    n_threads: int
    n_batch: int
    flash_attention: bool
    kv_type: KvType


class LlamaWeights:
    """A GGUF file in memory, with LoRA adapters over it. Contexts share it; the last one to close frees it."""

    def __init__(self, api: Any, path: Path, *, n_gpu_layers: int, use_mmap: bool, lora: Mapping[str, float]) -> None:  # noqa: ANN401
        self.api = api
        params = api.llama_model_default_params()
        params.n_gpu_layers = _ALL_LAYERS if n_gpu_layers == -1 else n_gpu_layers
        params.load_mode = api.LLAMA_LOAD_MODE_MMAP if use_mmap else api.LLAMA_LOAD_MODE_NONE
        self.pointer: Any = api.llama_model_load_from_file(os.fsencode(path), params)
        if not self.pointer:
            raise ValueError("the file could not be loaded")
        self._users = 0
        self.adapters = [(self._adapter(file), scale) for file, scale in lora.items()]
        self.identity = gguf_identity(path, lora)
        self.vocabulary = LlamaVocabulary(api, self.pointer)

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        stated = self.vocabulary.metadata(f"{self.vocabulary.describe().architecture}.attention.key_length")
        width, heads = self.api.llama_model_n_embd(self.pointer), self.api.llama_model_n_head(self.pointer)
        return int(stated) if stated else int(width // heads)

    def _adapter(self, file: str) -> Any:  # noqa: ANN401  # a pointer
        reason = "" if Path(file).is_file() else say("no such file", "找不到文件")
        adapter = None if reason else self.api.llama_adapter_lora_init(self.pointer, os.fsencode(file))
        if adapter:
            return adapter
        self._free()
        reason = reason or take_errors()
        raise ModelLoadError(
            say(f"cannot load the LoRA adapter {file!r}: {reason}", f"无法加载 LoRA 适配器 {file!r}：{reason}"),
            hint=say("it must be a GGUF file made for this very model", "它应是为该模型制作的 GGUF 文件"),
        )

    def take(self) -> None:
        """One more context uses the weights."""
        self._users += 1

    def release(self) -> None:
        """One context less; the last one frees them."""
        self._users -= 1
        if self._users <= 0:
            self._free()

    def _free(self) -> None:
        if self.pointer:
            self.api.llama_model_free(self.pointer)  # frees its adapters too
            self.pointer = None


class LlamaCppModel:
    """A context over weights.

    Args:
        weights: a loaded file.
        options: how to compute.
        rope: how positions are computed; None is what the file's metadata says.
    """

    def __init__(self, weights: LlamaWeights, options: ContextOptions, rope: RopeSpec | None) -> None:
        self._weights = weights
        self._api = weights.api
        self._options = options
        self._rope = rope
        self._context: Any = None
        self._batch: Any = None
        weights.take()
        with contextlib.ExitStack() as undo:
            undo.callback(self.close)
            self._open()
            self._batch = self._api.llama_batch_init(options.n_batch, 0, 1)
            undo.pop_all()
        self._memory: list[int] = []
        # Filled once: every token is of one sequence. Written by numpy, since ctypes takes a microsecond an item.
        n = options.n_batch
        self._tokens = np.ctypeslib.as_array(self._batch.token, (n,))
        self._positions = np.ctypeslib.as_array(self._batch.pos, (n,))
        self._wanted = np.ctypeslib.as_array(self._batch.logits, (n,))
        np.ctypeslib.as_array(self._batch.n_seq_id, (n,))[:] = 1
        for i in range(n):
            self._batch.seq_id[i][0] = _SEQUENCE

    @property
    def memory(self) -> Sequence[int]:
        """The tokens read so far, in order."""
        return self._memory

    @property
    def n_batch(self) -> int:
        """Tokens that one read() may have at most."""
        return self._options.n_batch

    def keep(self, n_tokens: int) -> int:
        """Forget all but the first tokens; everything, where the cache cannot be cut."""
        if n_tokens < len(self._memory):
            reaches = self._window_is_whole(n_tokens)
            if not reaches or not self._api.llama_memory_seq_rm(self._kv, _SEQUENCE, n_tokens, -1):
                self._api.llama_memory_clear(self._kv, True)  # noqa: FBT003
                n_tokens = 0
            del self._memory[n_tokens:]
        return len(self._memory)

    def read(self, tokens: Sequence[int], n_logits: int = 1) -> Logits:
        """Add tokens to the memory; see TokenModel."""
        n = len(tokens)
        at = len(self._memory)
        self._batch.n_tokens = n
        self._tokens[:n] = tokens
        self._positions[:n] = np.arange(at, at + n)
        self._wanted[:n] = 0
        self._wanted[n - n_logits : n] = 1 if n_logits else 0
        status = self._api.llama_decode(self._context, self._batch)
        if status != 0:
            self._api.llama_memory_clear(self._kv, True)  # noqa: FBT003  # some of the batch may be in it
            self._memory.clear()
            raise RuntimeError(f"llama_decode returned {status}")
        self._memory += tokens
        if not n_logits:
            return np.empty((0, self._weights.vocabulary.size), dtype=np.float32)
        pointer = self._api.llama_get_logits(self._context)
        return np.ctypeslib.as_array(pointer, (n_logits, self._weights.vocabulary.size))

    def ends(self, token: int) -> bool:
        """Whether the token ends the text."""
        return self._weights.vocabulary.ends(token)

    def piece(self, token: int) -> bytes:
        """The bytes a token stands for."""
        return self._weights.vocabulary.piece(token)

    def branch(self) -> Self:
        """A second context over the same weights."""
        return type(self)(self._weights, self._options, self._rope)

    def set_rope(self, rope: RopeSpec) -> None:
        """A new context that computes positions so; a KV cache holds for one RoPE only."""
        self._api.llama_free(self._context)
        self._context = None
        self._memory.clear()
        self._rope = rope
        self._open()

    def json_constraint(self, schema: str) -> LlamaGrammar:
        """A constraint for one answer."""
        return LlamaGrammar(self._api, self._weights.pointer, schema)

    @property
    def snapshot_bytes(self) -> int:
        """What a snapshot would take now."""
        return int(self._api.llama_state_seq_get_size(self._context, _SEQUENCE))

    @property
    def owner(self) -> str:
        """The file, its adapters, and the type of the cache."""
        return f"llama.cpp {self._weights.identity} {self._options.kv_type}"

    def snapshot(self) -> npt.NDArray[np.uint8]:
        """The KV cache as bytes."""
        state = np.empty(self.snapshot_bytes, dtype=np.uint8)
        written = int(self._api.llama_state_seq_get_data(self._context, _bytes(state), state.nbytes, _SEQUENCE))
        if written != state.nbytes:
            raise RuntimeError(f"the KV cache gave {written} of {state.nbytes} bytes")
        return state

    def restore(self, snapshot: npt.NDArray[np.uint8], tokens: Sequence[int]) -> None:
        """Make the KV cache what it was at snapshot()."""
        self.keep(0)
        if not self._api.llama_state_seq_set_data(self._context, _bytes(snapshot), snapshot.nbytes, _SEQUENCE):
            self._api.llama_memory_clear(self._kv, True)  # noqa: FBT003
            raise RuntimeError("the KV cache did not take its snapshot back")
        self._memory = list(tokens)

    def usable(self, n_tokens: int, n_common: int) -> int:
        """All that is common; of a model with sliding windows nothing, where the snapshot would have to be cut."""
        is_cut = (
            n_common < n_tokens - 1
        )  # the last token is read again, for its logits, and that is in the window still
        return 0 if is_cut and 0 < self._sliding_window < n_tokens else n_common

    def close(self) -> None:
        """Free the context, and the weights if nothing else uses them."""
        if self._batch is not None:
            self._api.llama_batch_free(self._batch)
            self._batch = None
        if self._context is not None:
            self._api.llama_free(self._context)
            self._context = None
        if self._weights is not None:
            self._weights.release()
            self._weights = None  # type: ignore[assignment]  # nothing is computed after this

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError, TypeError):  # half-made, or the interpreter is going down
            self.close()

    @property
    def _sliding_window(self) -> int:
        """Tokens that a layer with a sliding window sees; 0 where no layer has one."""
        return int(self._api.llama_model_n_swa(self._weights.pointer))

    def _window_is_whole(self, n_tokens: int) -> bool:
        """Whether, cut there, the cache still holds all that the next token sees.

        A snapshot leaves out what lies outside the sliding windows at its end, so a cache that was taken back has less.
        """
        if not n_tokens or not self._sliding_window:
            return True
        first: int = self._api.llama_memory_seq_pos_min(self._kv, _SEQUENCE)
        return 0 <= first <= max(0, n_tokens - self._sliding_window + 1)

    @property
    def _kv(self) -> Any:  # noqa: ANN401
        return self._api.llama_get_memory(self._context)

    def _open(self) -> None:
        api, options = self._api, self._options
        params = api.llama_context_default_params()
        params.n_ctx = options.context_window
        params.n_batch = params.n_ubatch = options.n_batch
        params.n_threads = params.n_threads_batch = options.n_threads
        params.flash_attn_type = (
            api.LLAMA_FLASH_ATTN_TYPE_ENABLED if options.flash_attention else api.LLAMA_FLASH_ATTN_TYPE_DISABLED
        )
        params.type_k = params.type_v = getattr(api, f"GGML_TYPE_{options.kv_type.upper()}")
        params.swa_full = True  # without it, a cache with sliding windows cannot be cut
        if self._rope is not None:
            for name, value in _context_rope(api, self._rope, self._weights.head_dim).items():
                setattr(params, name, value)
        self._context = api.llama_init_from_model(self._weights.pointer, params)
        if not self._context:
            raise ValueError("no context of this size could be made")
        if self._weights.adapters:
            n = len(self._weights.adapters)
            adapters = (api.llama_adapter_lora_p_ctypes * n)(*(adapter for adapter, _ in self._weights.adapters))
            scales = (ctypes.c_float * n)(*(scale for _, scale in self._weights.adapters))
            if api.llama_set_adapters_lora(self._context, adapters, n, scales) != 0:
                raise ValueError("the LoRA adapters do not fit this model")


def _context_rope(api: Any, rope: RopeSpec, head_dim: int) -> dict[str, Any]:  # noqa: ANN401
    values = llama_rope(rope, head_dim)
    kind = values["rope_scaling_type"].upper()
    return {**values, "rope_scaling_type": getattr(api, f"LLAMA_ROPE_SCALING_TYPE_{kind}")}


def _bytes(array: npt.NDArray[np.uint8]) -> Any:  # noqa: ANN401  # what ctypes functions of llama.cpp take
    return array.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
