"""Choose the next token from logits: the same numbers for every runtime in this process.

The order is that of transformers, which the model family's scripts use: repetition penalty (Keskar et al. 2019,
over prompt and answer), temperature, top_k, top_p (Holtzman et al. 2020), then one draw.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chinese_llm_rag.errors import GenerationError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.backend import GenerationParams
from chinese_llm_rag.llms.in_process.token_model import Logits, TokenConstraint

_BLOCK = 256  # logits a block where the k largest are looked for


@dataclass(frozen=True, slots=True)
class LikelyTokens:
    """Natural log probabilities: of the chosen token, and of the likeliest ones, best first."""

    chosen: float
    likeliest: tuple[tuple[int, float], ...]


class Sampler:
    """The choices of one answer, in order.

    Args:
        params: how to choose.
        prompt: the tokens that were read before the first choice.
        constraint: what the answer has to keep to.
    """

    def __init__(
        self, params: GenerationParams, prompt: Sequence[int], constraint: TokenConstraint | None = None
    ) -> None:
        self._params = params
        self._constraint = constraint
        self._rng = np.random.default_rng(params.seed)
        self._seen = set(prompt) if params.repetition_penalty != 1 else set()
        self._seen_ids = np.fromiter(self._seen, dtype=np.int64, count=len(self._seen))
        self._scores: Logits = np.empty(0, dtype=np.float32)

    def choose(self, logits: Logits) -> int:
        """The next token, given logits of shape [vocabulary]. It counts as said from here on."""
        scores = self._penalized(logits)
        token = self._draw(scores)
        if self._constraint is not None:
            if not self._constraint.allowed(np.array([token], dtype=np.int32))[0]:
                token = self._draw(self._constrained(scores))
            self._constraint.accept(token)
        self._remember(token)
        return token

    def _penalized(self, logits: Logits) -> Logits:
        if not self._seen_ids.size:
            return logits
        if self._scores.shape != logits.shape:
            self._scores = np.empty_like(logits)
        np.copyto(self._scores, logits)
        penalty = self._params.repetition_penalty
        seen = self._scores[self._seen_ids]
        self._scores[self._seen_ids] = np.where(seen > 0, seen / penalty, seen * penalty)
        return self._scores

    def _remember(self, token: int) -> None:
        if self._params.repetition_penalty != 1 and token not in self._seen:
            self._seen.add(token)
            self._seen_ids = np.append(self._seen_ids, token)

    def _constrained(self, scores: Logits) -> Logits:
        assert self._constraint is not None
        everything = np.arange(len(scores), dtype=np.int32)
        allowed = self._constraint.allowed(everything)
        if not allowed.any():
            raise GenerationError(say("no token satisfies the JSON schema here", "此处没有满足 JSON schema 的 token"))
        return np.where(allowed, scores, np.float32(-np.inf))

    def _draw(self, scores: Logits) -> int:
        params = self._params
        if params.temperature == 0:
            return int(np.argmax(scores))
        tokens, best_first = largest(scores, params.top_k)
        weights = np.exp((best_first - best_first[0]) / params.temperature, dtype=np.float64)
        weights /= weights.sum()
        # The smallest set of tokens that reaches top_p, the one that crosses it included.
        kept = int(np.searchsorted(np.cumsum(weights), params.top_p)) + 1 if params.top_p < 1 else len(weights)
        cumulative = np.cumsum(weights[:kept])
        at = int(np.searchsorted(cumulative, self._rng.random() * cumulative[-1], side="right"))
        return int(tokens[min(at, len(cumulative) - 1)])


def largest(scores: Logits, k: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Ids and scores of the k largest, best first; k 0 is all. Equal scores: the smaller id first.

    The k-th largest of the blocks' maxima is a floor that only few scores reach, so a vocabulary of 262,144
    needs no partition.
    """
    candidates: npt.NDArray[np.int64]
    if 0 < k < len(scores) // _BLOCK:
        whole = scores[: len(scores) // _BLOCK * _BLOCK].reshape(-1, _BLOCK).max(axis=1)
        floor = np.partition(whole, len(whole) - k)[len(whole) - k]
        candidates = np.flatnonzero(scores >= floor)
    else:
        candidates = np.flatnonzero(scores > -np.inf)
    values = scores[candidates].astype(np.float64)
    order = np.argsort(-values, kind="stable")[: k or None]
    return candidates[order], values[order]


def log_probabilities(logits: Logits, token: int, n_likeliest: int) -> LikelyTokens:
    """Log softmax of raw logits of shape [vocabulary], in float64."""
    shifted = logits.astype(np.float64) - float(logits.max())
    total = float(np.log(np.exp(shifted).sum()))
    tokens, _ = largest(logits, n_likeliest) if n_likeliest else (np.empty(0, dtype=np.int64), None)
    return LikelyTokens(float(shifted[token]) - total, tuple((int(t), float(shifted[t]) - total) for t in tokens))


def guided(positive: Logits, negative: Logits, scale: float) -> Logits:
    """Classifier-free guidance (Sanchez et al. 2023): log p_neg + scale * (log p_pos - log p_neg), row by row."""
    toward, away = _log_softmax(positive), _log_softmax(negative)
    return (away + scale * (toward - away)).astype(np.float32)


def _log_softmax(logits: Logits) -> npt.NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))
