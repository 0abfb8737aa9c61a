"""A transformers causal language model as a TokenModel: its forward pass over a KV cache that can be cut."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from chinese_llm_rag.llms.hf.cache import (
    GrowingLayer,
    new_cache,
    restore_snapshot,
    snapshot_bytes,
    take_snapshot,
)
from chinese_llm_rag.llms.hf.rope import set_model_rope
from chinese_llm_rag.llms.hf.tokenizer import PieceTokenizer
from chinese_llm_rag.llms.in_process.token_model import Logits
from chinese_llm_rag.llms.rope import RopeSpec


@dataclass(frozen=True, slots=True)
class LoadedWeights:
    """A model that transformers has loaded. Memories share it, and its RoPE.

    Attributes:
        torch: the module.
        transformers: the module.
        network: the causal language model.
        identity: what tells these weights from others, loaded as they are.
    """

    torch: Any
    transformers: Any
    network: Any
    identity: str

    @property
    def text_config(self) -> Any:  # noqa: ANN401
        """The configuration of the part that reads text."""
        return self.network.config.get_text_config(decoder=True)

    @property
    def n_layers(self) -> int:
        """Layers with a cache."""
        return int(self.text_config.num_hidden_layers)


class TransformersModel:
    """Attention layers over a cache that can be cut after any token, put aside and taken back.

    Args:
        weights: loaded.
        tokenizer: of the same model.
        n_batch: tokens of one forward pass at most.
        context_window: tokens.
    """

    def __init__(self, weights: LoadedWeights, tokenizer: PieceTokenizer, *, n_batch: int, context_window: int) -> None:
        self._weights: LoadedWeights | None = weights
        self._tokenizer = tokenizer
        self._n_batch = n_batch
        self._window = context_window
        self._memory: list[int] = []
        self._cache: Any = self._new_cache()

    @property
    def memory(self) -> Sequence[int]:
        """The tokens read so far, in order."""
        return self._memory

    @property
    def n_batch(self) -> int:
        """Tokens that one read() may have at most."""
        return self._n_batch

    def keep(self, n_tokens: int) -> int:
        """Forget all but the first tokens."""
        if n_tokens < len(self._memory):
            for layer in self._layers:
                layer.cut(n_tokens)
            del self._memory[n_tokens:]
        return len(self._memory)

    def read(self, tokens: Sequence[int], n_logits: int = 1) -> Logits:
        """Add tokens to the memory; see TokenModel."""
        weights = self._loaded
        torch, network = weights.torch, weights.network
        try:
            with torch.inference_mode():
                output = network(
                    input_ids=torch.tensor([list(tokens)], device=network.device),
                    past_key_values=self._cache,
                    use_cache=True,
                    logits_to_keep=max(1, n_logits),
                )
                # Some models ignore logits_to_keep; the last ones are meant in any case.
                logits = output.logits[0, output.logits.shape[1] - n_logits :].to("cpu", torch.float32).numpy()
        except BaseException:
            self._forget()  # some layers may have the tokens and others not
            raise
        self._memory += tokens
        return np.asarray(logits, dtype=np.float32)

    def ends(self, token: int) -> bool:
        """Whether the token ends the text."""
        return self._tokenizer.ends(token)

    def piece(self, token: int) -> bytes:
        """The bytes a token stands for."""
        return self._tokenizer.piece(token)

    def branch(self) -> Self:
        """A second memory over the same weights and the same RoPE."""
        return type(self)(self._loaded, self._tokenizer, n_batch=self._n_batch, context_window=self._window)

    def set_rope(self, rope: RopeSpec) -> None:
        """Compute positions so from now on, for every memory over these weights; this one is forgotten."""
        self._forget()
        set_model_rope(self._loaded.network, rope)

    @property
    def owner(self) -> str:
        """The weights, and how they were loaded."""
        return f"transformers {self._loaded.identity}"

    @property
    def snapshot_bytes(self) -> int:
        """What a snapshot would take now; 0 for an empty memory, of which there is none."""
        return snapshot_bytes(self._layers) if self._memory else 0

    def snapshot(self) -> npt.NDArray[np.uint8]:
        """Keys and values of all layers as bytes."""
        if not self._memory:
            return np.empty(0, dtype=np.uint8)
        return take_snapshot(self._loaded.torch, self._layers)

    def restore(self, snapshot: npt.NDArray[np.uint8], tokens: Sequence[int]) -> None:
        """Make the memory what it was at snapshot(), when it held these tokens."""
        self._forget()
        if not tokens:
            return
        torch = self._loaded.torch
        with torch.inference_mode():
            restore_snapshot(torch, self._layers, snapshot, self._devices())
        self._memory = list(tokens)

    def usable(self, n_tokens: int, n_common: int) -> int:  # noqa: ARG002
        """All that is common: the cache keeps what lies outside of sliding windows too."""
        return n_common

    def close(self) -> None:
        """Let go of the cache and the weights."""
        self._cache = None
        self._memory = []
        self._weights = None

    @property
    def _loaded(self) -> LoadedWeights:
        if self._weights is None:
            raise RuntimeError("the model is closed")
        return self._weights

    def _forget(self) -> None:
        self._cache = self._new_cache()
        self._memory = []

    @property
    def _layers(self) -> list[GrowingLayer]:
        return list(self._cache.layers)

    def _devices(self) -> list[object]:
        """Where each layer computes."""
        weights = self._loaded
        placed = getattr(weights.network, "hf_device_map", None) or {}
        default = weights.network.device
        return [
            next((device for name, device in placed.items() if name.endswith(f"layers.{layer}")), default)
            for layer in range(weights.n_layers)
        ]

    def _new_cache(self) -> Any:  # noqa: ANN401
        weights = self._loaded
        return new_cache(weights.transformers, weights.n_layers, self._window)
