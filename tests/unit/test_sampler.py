"""Choosing tokens: each filter against its definition, and the draw against its distribution."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chinese_llm_rag.errors import GenerationError
from chinese_llm_rag.llms.backend import GenerationParams
from chinese_llm_rag.llms.in_process.sampler import Sampler, guided, largest, log_probabilities

SCORES = arrays(
    np.float32, st.integers(1, 3000), elements=st.floats(-50, 50, width=32, allow_nan=False), fill=st.just(-1.5)
)


def logits(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)


def params(**values) -> GenerationParams:
    return GenerationParams(**{"temperature": 1.0, "top_k": 0, "top_p": 1.0, "repetition_penalty": 1.0, **values})


def draws(scores: np.ndarray, n: int = 4000, **values) -> np.ndarray:
    """How often each token is drawn."""
    sampler = Sampler(params(seed=1, **values), [])
    return np.bincount([sampler.choose(scores) for _ in range(n)], minlength=len(scores)) / n


@given(SCORES, st.integers(0, 60))
def test_the_largest_are_those_of_a_full_sort(scores: np.ndarray, k: int) -> None:
    tokens, values = largest(scores, k)
    expected = np.argsort(-scores.astype(np.float64), kind="stable")[: k or None]
    assert tokens.tolist() == expected.tolist()
    assert values.tolist() == scores[expected].tolist()


def test_the_largest_of_a_real_vocabularys_size() -> None:
    scores = np.random.default_rng(3).standard_normal(262_144).astype(np.float32)
    assert largest(scores, 40)[0].tolist() == np.argsort(-scores)[:40].tolist()


def test_greedy_takes_the_best_and_the_first_of_equals() -> None:
    assert Sampler(params(temperature=0.0), []).choose(logits(0, 2, 2, 1)) == 1


def test_probabilities_are_the_softmax_at_the_temperature() -> None:
    # exp(ln 1), exp(ln 2), exp(ln 5) over 8; at temperature 0.5 they are squared: 1, 4, 25 over 30.
    scores = np.log(logits(1, 2, 5))
    assert draws(scores) == pytest.approx([1 / 8, 2 / 8, 5 / 8], abs=0.03)
    assert draws(scores, temperature=0.5) == pytest.approx([1 / 30, 4 / 30, 25 / 30], abs=0.03)


def test_top_k_leaves_the_k_best() -> None:
    assert draws(np.log(logits(1, 2, 5)), top_k=2) == pytest.approx([0, 2 / 7, 5 / 7], abs=0.03)


def test_top_p_leaves_the_fewest_that_reach_it() -> None:
    scores = np.log(logits(1, 2, 5))  # 0.125, 0.25, 0.625
    assert draws(scores, top_p=0.6) == pytest.approx([0, 0, 1])
    assert draws(scores, top_p=0.65) == pytest.approx([0, 2 / 7, 5 / 7], abs=0.03)
    assert draws(scores, top_p=0.9) == pytest.approx([1 / 8, 2 / 8, 5 / 8], abs=0.03)


def test_top_p_comes_after_the_temperature_as_in_transformers() -> None:
    scores = np.log(logits(1, 2, 5))  # at 0.5: 1/30, 4/30, 25/30 = 0.833
    assert draws(scores, temperature=0.5, top_p=0.8) == pytest.approx([0, 0, 1])


def test_the_penalty_divides_positive_logits_and_multiplies_negative_ones_of_prompt_and_answer() -> None:
    sampler = Sampler(params(temperature=0.0, repetition_penalty=2.0), prompt=[0])
    scores = logits(3.0, 1.6, 1.0)
    assert sampler.choose(scores) == 1  # 3.0 / 2 = 1.5 < 1.6
    assert sampler.choose(scores) == 0  # 1.6 / 2 = 0.8 < 1.5
    assert sampler.choose(logits(-1.0, -1.1, -1.9)) == 2  # -2.0 and -2.2 against -1.9
    assert scores.tolist() == [3.0, pytest.approx(1.6), 1.0]  # what the runtime gave is left as it was


def test_a_seed_repeats_and_none_does_not() -> None:
    scores = np.zeros(1000, dtype=np.float32)

    def text(seed: int | None) -> list[int]:
        sampler = Sampler(params(seed=seed), [])
        return [sampler.choose(scores) for _ in range(8)]

    assert text(5) == text(5)
    assert text(5) != text(6)
    assert text(None) != text(None)


class _Only:
    """A constraint that allows some tokens."""

    def __init__(self, *tokens: int) -> None:
        self._tokens = tokens
        self.accepted: list[int] = []

    def allowed(self, tokens):
        return np.isin(tokens, self._tokens)

    def accept(self, token: int) -> None:
        self.accepted.append(token)


def test_a_constraint_leaves_the_shares_of_what_it_allows() -> None:
    only = _Only(0, 2)
    sampler = Sampler(params(seed=2), [], only)
    chosen = [sampler.choose(np.log(logits(1, 2, 5))) for _ in range(4000)]
    assert np.bincount(chosen) / 4000 == pytest.approx([1 / 6, 0, 5 / 6], abs=0.03)
    assert only.accepted == chosen


def test_a_constraint_that_allows_nothing_is_an_error() -> None:
    with pytest.raises(GenerationError, match="no token satisfies"):
        Sampler(params(), [], _Only()).choose(logits(1, 2))


def test_log_probabilities_are_the_log_softmax() -> None:
    likely = log_probabilities(np.log(logits(1, 2, 5)), 1, 2)
    assert likely.chosen == pytest.approx(np.log(2 / 8), abs=1e-6)
    assert [token for token, _ in likely.likeliest] == [2, 1]
    assert [p for _, p in likely.likeliest] == pytest.approx([np.log(5 / 8), np.log(2 / 8)], abs=1e-6)
    assert log_probabilities(logits(0, 0), 0, 0).likeliest == ()


def test_guidance_is_the_formula_on_log_probabilities() -> None:
    toward, away = np.log(logits(1, 3))[None], np.log(logits(2, 2))[None]
    # log p = log p_neg + 1.5 (log p_pos - log p_neg), p_pos = (1/4, 3/4), p_neg = (1/2, 1/2)
    expected = [np.log(0.5) + 1.5 * np.log(0.25 / 0.5), np.log(0.5) + 1.5 * np.log(0.75 / 0.5)]
    assert guided(toward, away, 1.5)[0] == pytest.approx(expected, abs=1e-6)
    assert guided(toward, away, 1.0)[0] == pytest.approx(np.log([0.25, 0.75]), abs=1e-6)
