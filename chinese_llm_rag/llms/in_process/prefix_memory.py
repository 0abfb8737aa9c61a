"""Memories of earlier prompts, put aside within a bound, so that a conversation taken up again is not read again."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chinese_llm_rag.llms.in_process.speculation import common_length
from chinese_llm_rag.llms.in_process.token_model import SavesMemory, TokenModel

WORTH_KEEPING = 256  # tokens; fewer are read again as quickly


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    tokens: tuple[int, ...]
    state: npt.NDArray[np.uint8]
    key: Hashable


class PrefixMemory:
    """Snapshots of a model's memory, the least recently used dropped first.

    Args:
        most_bytes: of all snapshots together; 0 keeps none.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._kept: list[_Kept] = []  # least recently used first

    @property
    def size_bytes(self) -> int:
        """What the snapshots take."""
        return sum(kept.state.nbytes for kept in self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def prepare(self, model: TokenModel, prompt: Sequence[int], key: Hashable) -> None:
        """Bring the longest known beginning of the prompt into the model's memory, putting aside what is there.

        Args:
            model: about to read the prompt.
            prompt: its tokens.
            key: snapshots with another one do not fit; it stands for the RoPE in use.
        """
        if not self._most_bytes or not isinstance(model, SavesMemory):
            return
        common = common_length(model.memory, prompt)

        def use_of(kept: _Kept) -> int:
            return model.usable(len(kept.tokens), common_length(kept.tokens, prompt))

        best = max((kept for kept in self._kept if kept.key == key), key=use_of, default=None)
        useful = best is not None and use_of(best) >= common + WORTH_KEEPING
        if useful and best is not None:  # the last to go, when room is made below
            self._kept.remove(best)
            self._kept.append(best)
        if useful or len(model.memory) - common >= WORTH_KEEPING:
            self.put_aside(model, key)
        if useful and best is not None:
            model.restore(best.state, best.tokens)

    def put_aside(self, model: TokenModel, key: Hashable) -> None:
        """Take a snapshot of what is in memory, if it is worth it and fits the bound."""
        if not isinstance(model, SavesMemory) or len(model.memory) < WORTH_KEEPING:
            return
        if model.snapshot_bytes > self._most_bytes:
            return
        tokens = tuple(model.memory)
        if any(kept.key == key and kept.tokens[: len(tokens)] == tokens for kept in self._kept):
            return
        self._kept = [k for k in self._kept if k.key != key or tokens[: len(k.tokens)] != k.tokens]
        self._kept.append(_Kept(tokens, model.snapshot(), key))
        while self.size_bytes > self._most_bytes:
            del self._kept[0]

    def clear(self) -> None:
        """Drop all snapshots."""
        self._kept.clear()
