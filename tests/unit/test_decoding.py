"""The loop over a TokenModel: drafts never change the text, memory is what was read, guidance reads two."""

import itertools
from contextlib import nullcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chinese_llm_rag.llms.backend import GenerationParams
from chinese_llm_rag.llms.in_process.decoding import Guidance, Reading, decode
from chinese_llm_rag.llms.in_process.pace import Pace
from chinese_llm_rag.llms.in_process.sampler import Sampler, guided
from chinese_llm_rag.llms.in_process.speculation import DraftModel, PromptLookup
from chinese_llm_rag.testing import NgramTokenModel

PROMPT = [5, 6, 7, 8, 9, 10, 5, 6, 7, 8]


def params(**values) -> GenerationParams:
    return GenerationParams(**{"temperature": 0.0, "repetition_penalty": 1.0, "max_tokens": 40, **values})


def said(model, prompt, how: GenerationParams, *, drafter=None, guidance=None) -> list[str]:
    reading = Reading(model, guidance, nullcontext)
    pieces = list(decode(model, reading, prompt, Sampler(how, prompt), how, drafter=drafter))
    assert [p.finish_reason for p in pieces[:-1]] == [None] * (len(pieces) - 1)
    return [p.text for p in pieces if p.n_tokens]


class _Liar:
    """Drafts of a fixed plan, mostly wrong, some too long."""

    def __init__(self, plan) -> None:
        self._plan = itertools.cycle(plan)
        self.learned: list[tuple[int, int]] = []

    def begin(self) -> None: ...

    def draft(self, tokens, most):
        return next(self._plan)[:most]

    def learn(self, n_drafted: int, n_accepted: int) -> None:
        self.learned.append((n_drafted, n_accepted))


class _Oracle(_Liar):
    """Drafts that are right, but for every third token."""

    def __init__(self, model: NgramTokenModel) -> None:
        super().__init__([[]])
        self._model = model

    def draft(self, tokens, most):
        self._model.keep(0)
        drafted = []
        for n in range(min(most, 7)):
            context = [*tokens, *drafted][-4:]
            self._model.keep(0)
            token = int(np.argmax(self._model.read(context)[0]))
            drafted.append(token if n % 3 < 2 else 1)
        return drafted


@pytest.mark.parametrize("cuttable", [True, False])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
@settings(max_examples=25)
@given(
    plan=st.lists(st.lists(st.integers(0, 63), max_size=6), min_size=1, max_size=4),
    seed=st.integers(0, 50),
)
def test_drafts_never_change_the_text(cuttable: bool, temperature: float, plan, seed: int) -> None:
    how = params(temperature=temperature, top_k=0, top_p=1.0, seed=7)
    plain = said(NgramTokenModel(seed=seed), PROMPT, how)
    model = NgramTokenModel(seed=seed, cuttable=cuttable)
    assert said(model, PROMPT, how, drafter=_Liar(plan)) == plain
    assert said(NgramTokenModel(seed=seed), PROMPT, how, drafter=_Oracle(NgramTokenModel(seed=seed))) == plain
    assert said(NgramTokenModel(seed=seed), PROMPT, how, drafter=PromptLookup()) == plain


def test_right_drafts_are_accepted_and_save_steps() -> None:
    how = params(max_tokens=30)
    seed = next(s for s in range(99) if len(said(NgramTokenModel(seed=s), PROMPT, how)) == 30)
    oracle = _Oracle(NgramTokenModel(seed=seed))
    said(NgramTokenModel(seed=seed), PROMPT, how, drafter=oracle)
    assert (7, 2) in oracle.learned  # the third of each draft is wrong


def test_a_draft_model_of_the_same_weights_is_always_right() -> None:
    # Low entropy is needed for a draft: sharpened logits make the draft model sure of itself.
    class Sure(NgramTokenModel):
        def read(self, tokens, n_logits=1):
            return super().read(tokens, n_logits) * 50

    how = params(max_tokens=20)
    seed = next(s for s in range(99) if len(said(Sure(seed=s), PROMPT, how)) == 20)
    model, draft = Sure(seed=seed), Sure(seed=seed)
    plain = said(Sure(seed=seed), PROMPT, how)
    drafter = DraftModel(draft, longest=4)
    assert said(model, PROMPT, how, drafter=drafter) == plain
    assert model.n_read == len(PROMPT) + 19  # nothing was read twice: no draft was wrong
    assert draft.n_read < 2 * (len(PROMPT) + 20)


def test_memory_holds_the_prompt_and_the_answer_but_its_last_token() -> None:
    model = NgramTokenModel(seed=4, vocabulary_size=200)
    text = said(model, PROMPT, params(max_tokens=5))
    assert len(text) == 5
    assert model.memory[: len(PROMPT)] == PROMPT
    assert len(model.memory) == len(PROMPT) + 4


def test_what_is_in_memory_is_not_read_again() -> None:
    model = NgramTokenModel(seed=4)
    said(model, PROMPT, params(max_tokens=3))
    before = model.n_read
    said(model, [*PROMPT[:8], 11, 12], params(max_tokens=1))
    assert model.n_read - before == 2


def test_a_prompt_is_read_in_batches_with_a_chance_to_stop_after_each() -> None:
    model = NgramTokenModel(n_batch=4)
    how = params(max_tokens=1)
    prompt = list(range(1, 12))
    pieces = list(decode(model, Reading(model, None, nullcontext), prompt, Sampler(how, prompt), how))
    assert [p.n_tokens for p in pieces] == [0, 0, 1, 0]  # four, four, the last three with the answer's first, the end


def test_guidance_of_scale_one_point_five_follows_the_formula_and_reads_both_prompts() -> None:
    model, negative = NgramTokenModel(seed=1), NgramTokenModel(seed=1)
    other = [30, 31, 32]
    how = params(max_tokens=3, logprobs=0)
    pieces = list(
        decode(model, Reading(model, Guidance(negative, other, 1.5), nullcontext), PROMPT, Sampler(how, PROMPT), how)
    )
    tokens = [p for p in pieces if p.n_tokens]
    toward, away, expected = list(PROMPT), list(other), []
    fresh = NgramTokenModel(seed=1)
    for _ in tokens:
        fresh.keep(0)
        positive = fresh.read(toward[-8:])
        fresh.keep(0)
        scores = guided(positive, fresh.read(away[-3:]), 1.5)[0]
        expected.append(int(np.argmax(scores)))
        toward.append(expected[-1])
        away.append(expected[-1])
    assert [p.text for p in tokens] == [fresh.piece(t).decode() for t in expected]
    assert negative.memory[:3] == other


def test_guidance_and_drafts_together_give_the_same_text() -> None:
    other = [30, 31, 32]
    how = params(max_tokens=25)

    def guide() -> Guidance:
        return Guidance(NgramTokenModel(seed=2), other, 1.5)

    plain = said(NgramTokenModel(seed=2), PROMPT, how, guidance=guide())
    drafted = said(NgramTokenModel(seed=2), PROMPT, how, guidance=guide(), drafter=_Liar([[1, 2, 3], []]))
    assert drafted == plain


def test_lookup_drafts_what_followed_the_longest_match() -> None:
    lookup = PromptLookup(longest=12, shortest_match=3)
    lookup.begin()
    #         .......match of three......          ........match of four........
    tokens = [1, 2, 3, 40, 41, 42, 43, 9, 8, 1, 2, 3, 50, 51, 52, 53, 7, 8, 1, 2, 3]
    assert lookup.draft(tokens, 8) == [50, 51, 52, 53]  # no longer than the match
    assert lookup.draft(tokens, 1) == [50]
    assert lookup.draft([*tokens, 99], 8) == []
    assert lookup.draft(tokens, 0) == []


def test_lookup_shrinks_after_misses_wants_longer_matches_and_recovers() -> None:
    lookup = PromptLookup(longest=12, shortest_match=3)
    tokens = [*range(1, 40), *range(1, 9)]
    lookup.begin()
    assert lookup.draft(tokens, 30) == list(range(9, 17))  # a match of eight
    lookup.learn(8, 3)
    assert lookup.draft(tokens, 30) == list(range(9, 15))  # twelve, halved
    lookup.learn(6, 0)
    lookup.learn(3, 0)
    assert lookup.draft(tokens, 30) == []  # a match of eight is no longer enough
    lookup.learn(2, 2)
    assert lookup.draft(tokens, 30) != []
    lookup.begin()
    assert lookup.draft(tokens, 30) == list(range(9, 17))


def test_the_pace_halves_when_slow_and_recovers() -> None:
    pace = Pace(512)
    pace.adapt(3.0)
    assert pace.n_tokens == 256
    for _ in range(9):
        pace.adapt(3.0)
    assert pace.n_tokens == 32
    pace.adapt(0.01)
    assert pace.n_tokens == 64
    small = Pace(8)
    small.adapt(9.0)
    assert small.n_tokens == 8
