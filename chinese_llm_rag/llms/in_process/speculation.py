"""Guess the next tokens cheaply, so that the model can check several at once. The text stays the model's own.

Leviathan et al. 2023, with the simplest acceptance that is exact for any sampler: the model's own choice is
drawn at every place, and a guess counts only where it is that very token.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from chinese_llm_rag.llms.in_process.token_model import TokenModel


class Drafter(Protocol):
    """Guesses for one answer after the other."""

    def begin(self) -> None:
        """A new answer begins."""
        ...

    def draft(self, tokens: Sequence[int], most: int) -> list[int]:
        """What could follow the tokens so far (prompt and answer): at most `most` tokens, possibly none."""
        ...

    def learn(self, n_drafted: int, n_accepted: int) -> None:
        """How the last draft did."""
        ...


class PromptLookup:
    """Drafts what followed the last tokens when they stood in the text before (Saxena 2023).

    A guess costs about a third of a step, so a draft is no longer than the match that it rests on, halves after
    a wrong one, and after several only longer matches are trusted.

    Args:
        longest: tokens of a draft at most.
        shortest_match: tokens that must be the same before a draft is made.
    """

    def __init__(self, *, longest: int = 15, shortest_match: int = 4) -> None:
        self._longest = longest
        self._shortest_match = shortest_match
        self._places: dict[tuple[int, ...], list[int]] = {}
        self._indexed = 0
        self._length = 0
        self._demanded = 0
        self._misses = 0

    def begin(self) -> None:
        """Forget the text before."""
        self._places.clear()
        self._indexed = 0
        self._length = self._longest
        self._demanded = self._shortest_match
        self._misses = 0

    def draft(self, tokens: Sequence[int], most: int) -> list[int]:
        """What followed the longest earlier match of the last tokens."""
        self._index(tokens)
        if most < 1 or len(tokens) <= self._shortest_match:
            return []
        best, place = 0, 0
        for end in reversed(self._places.get(tuple(tokens[-self._shortest_match :]), ())):
            matched = _common_before(tokens, end, limit=_LONGEST_MATCH)
            if matched > best:
                best, place = matched, end
        if best < self._demanded:
            return []
        return list(tokens[place : place + min(most, self._length, best)])

    def learn(self, n_drafted: int, n_accepted: int) -> None:
        """Grow after a draft that was right throughout, shrink and grow careful after one that was mostly wrong."""
        if n_accepted == n_drafted:
            self._length = min(self._longest, 2 * self._length)
            self._misses = 0
            self._demanded = self._shortest_match
        elif 2 * n_accepted < n_drafted:
            self._length = max(2, self._length // 2)
            self._misses += 1
            self._demanded = self._shortest_match * min(1 + self._misses, 4)

    def _index(self, tokens: Sequence[int]) -> None:
        """Note where each run of tokens ended; the last run of all is left out, since nothing follows it yet."""
        n = self._shortest_match
        for end in range(max(self._indexed + 1, n), len(tokens)):
            places = self._places.setdefault(tuple(tokens[end - n : end]), [])
            places.append(end)
            if len(places) > _PLACES:
                del places[0]
        self._indexed = max(self._indexed, len(tokens) - 1)


_PLACES = 16  # earlier places that are compared
_LONGEST_MATCH = 32  # tokens that are compared at each


def _common_before(tokens: Sequence[int], end: int, *, limit: int) -> int:
    """How many tokens before `end` equal the last tokens of all."""
    n = 0
    while n < limit and end - n > 0 and tokens[end - n - 1] == tokens[len(tokens) - n - 1]:
        n += 1
    return n


class DraftModel:
    """Drafts with a smaller model of the same vocabulary: greedily, as long as it is sure.

    Args:
        model: the smaller model, which this object owns.
        longest: tokens of a draft at most.
        least_probability: a token less sure than this ends the draft.
    """

    def __init__(self, model: TokenModel, *, longest: int = 6, least_probability: float = 0.5) -> None:
        self._model = model
        self._longest = longest
        self._least = least_probability

    def begin(self) -> None:
        """Nothing to forget: the memory keeps what the prompts have in common."""

    def draft(self, tokens: Sequence[int], most: int) -> list[int]:
        """The smaller model's own continuation."""
        drafted: list[int] = []
        if most < 1:
            return drafted
        logits = self._catch_up(tokens)
        while len(drafted) < min(most, self._longest):
            token = int(np.argmax(logits))
            if 1 / float(np.exp(logits - logits[token], dtype=np.float64).sum()) < self._least:
                break
            drafted.append(token)
            if self._model.ends(token) or len(drafted) == min(most, self._longest):
                break
            logits = self._model.read([token])[0]
        return drafted

    def learn(self, n_drafted: int, n_accepted: int) -> None:
        """The smaller model guesses as well as it can."""

    def close(self) -> None:
        """Free the smaller model."""
        self._model.close()

    def _catch_up(self, tokens: Sequence[int]) -> np.ndarray:
        kept = self._model.keep(min(common_length(self._model.memory, tokens), len(tokens) - 1))
        while len(tokens) - kept > self._model.n_batch:
            self._model.read(tokens[kept : kept + self._model.n_batch], 0)
            kept += self._model.n_batch
        return np.asarray(self._model.read(tokens[kept:])[0])


def common_length(one: Sequence[int], other: Sequence[int]) -> int:
    """Tokens that both begin with."""
    n = min(len(one), len(other))
    differs = np.flatnonzero(np.asarray(one[:n]) != np.asarray(other[:n]))
    return int(differs[0]) if differs.size else n
