"""How a model's window is shared out: template, earlier turns, evidence, answer.

One planner for every chain. All counts come from measuring the prompt itself by the model's own tokenizer;
nothing is estimated, so nothing that is planned can overflow.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Generic, TypeVar

from chinese_llm_rag.chinese_text import search_terms
from chinese_llm_rag.errors import ContextWindowExceededError
from chinese_llm_rag.packing.halving import most_that_fit
from chinese_llm_rag.packing.joining import pack
from chinese_llm_rag.packing.ordering import Order
from chinese_llm_rag.packing.oversize import cut_to_fit
from chinese_llm_rag.schema import PackedContext, Passage

HISTORY_SHARE = 0.25  # of the room beside the template: what earlier turns may take from evidence

TurnT = TypeVar("TurnT")
_BOS_TOKENS = 1
_CHARS_A_TOKEN = 20  # no text has more: a reading of more characters is not worth tokenizing to see that it is too long


@dataclass(frozen=True, slots=True)
class Window:
    """A model's window, and the room in it that is kept for the answer, in tokens."""

    context_window: int
    max_tokens: int

    @property
    def budget(self) -> int:
        """The most tokens that a prompt may have, without BOS."""
        return self.context_window - self.max_tokens - _BOS_TOKENS

    def too_long(self, n_tokens: int) -> ContextWindowExceededError:
        """The error of a prompt of so many tokens."""
        return ContextWindowExceededError(
            prompt_tokens=n_tokens + _BOS_TOKENS, max_tokens=self.max_tokens, context_window=self.context_window
        )


@dataclass(frozen=True, slots=True)
class Plan(Generic[TurnT]):
    """What a prompt holds: evidence and earlier turns, oldest first, and what had to stay out of it.

    The tokens of the context are those of the whole prompt, without BOS.
    """

    context: PackedContext
    history: tuple[TurnT, ...]
    turns_dropped: int


# Tokens of the prompt with these passages and these turns.
Measure = Callable[[Sequence[Passage], Sequence[TurnT]], int]


def plan(
    window: Window,
    measure: "Measure[TurnT]",
    readings: Iterable[Sequence[Passage]],
    history: Sequence[TurnT] = (),
    *,
    order: Order = "rank",
    question: str = "",
) -> Plan[TurnT]:
    """The widest reading that fits whole; of the last reading, what fits.

    Args:
        window: of the model.
        measure: tokens of the whole prompt, without BOS.
        readings: the same evidence, widest first, for example whole documents, then sections, then passages;
            each best first. They are made one after the other, as far as they are needed.
        history: earlier turns, oldest first. The oldest are dropped first; beside evidence they may have
            HISTORY_SHARE of the room, and what the evidence leaves.
        order: of the passages in the prompt.
        question: decides which pieces are read of a passage that is larger than the window.

    Raises:
        ContextWindowExceededError: the template alone does not fit, or not one character of evidence does.
    """
    if (bare := measure((), ())) > window.budget:
        raise window.too_long(bare)
    remaining = iter(readings)
    first = next(remaining, ())
    most = bare + int((window.budget - bare) * HISTORY_SHARE) if first else window.budget
    turns = _last_turns(history, lambda kept: measure((), kept) <= most)
    context = PackedContext(())
    if first:
        readings = chain([first], remaining)
        context = _evidence(window, lambda passages: measure(passages, turns), readings, order, question)
        turns = _last_turns(history, lambda kept: measure(context.passages, kept) <= window.budget) or turns
    n_tokens = measure(context.passages, turns)
    return Plan(replace(context, n_tokens=n_tokens), tuple(turns), len(history) - len(turns))


def portions(
    window: Window,
    measure: Callable[[Sequence[Passage]], int],
    passages: Sequence[Passage],
    *,
    order: Order = "rank",
    most: int | None = None,
) -> list[PackedContext]:
    """All passages in as few prompts as hold them, best first; those larger than the window come in pieces.

    Args:
        window: of the model.
        measure: tokens of the whole prompt with these passages, without BOS.
        passages: best first.
        order: of the passages in a prompt.
        most: passages in one prompt.

    Raises:
        ContextWindowExceededError: not one character of evidence fits.
    """
    left = [piece for passage in passages for piece in _pieces(passage, window, measure)]
    found: list[PackedContext] = []
    while left:
        context = pack(left[:most], window.budget, measure, order=order)
        if not context.passages:
            raise window.too_long(measure([replace(left[0], number=1)]))
        left = left[len(left[:most]) - len(context.dropped) :]
        found.append(replace(context, dropped=()))
    return found


def _last_turns(history: Sequence[TurnT], fits: Callable[[Sequence[TurnT]], bool]) -> Sequence[TurnT]:
    """As many of the last turns as fit."""
    n_kept = most_that_fit(len(history), lambda n: fits(history[len(history) - n :]))
    return history[len(history) - n_kept :]


def _evidence(
    window: Window,
    measure: Callable[[Sequence[Passage]], int],
    readings: Iterable[Sequence[Passage]],
    order: Order,
    question: str,
) -> PackedContext:
    """The widest reading that fits whole, or what fits of the last one."""
    narrowest: Sequence[Passage] = ()
    for reading in readings:
        narrowest = reading or narrowest
        if sum(len(passage.text) for passage in narrowest) <= _CHARS_A_TOKEN * window.budget:
            context = pack(narrowest, window.budget, measure, order=order)
            if not context.dropped:
                return context
    context = pack(narrowest, window.budget, measure, order=order)
    return context if context.passages else _in_pieces(window, narrowest, measure, order, question)


def _in_pieces(
    window: Window,
    passages: Sequence[Passage],
    measure: Callable[[Sequence[Passage]], int],
    order: Order,
    question: str,
) -> PackedContext:
    """Where even the best passage does not fit: the pieces of it that share most with the question."""
    asked = {term for term in search_terms(question) if len(term) > 1}
    pieces = _pieces(passages[0], window, measure)
    pieces.sort(key=lambda piece: -len(asked & set(search_terms(piece.text))))  # stable: else in their order
    context = pack(pieces, window.budget, measure, order=order)
    if not context.passages:
        raise window.too_long(measure([replace(pieces[0], number=1)]))
    return replace(context, dropped=(*context.dropped, *passages[1:]))


def _pieces(passage: Passage, window: Window, measure: Callable[[Sequence[Passage]], int]) -> list[Passage]:
    return cut_to_fit(passage, lambda piece: measure([replace(piece, number=1)]) <= window.budget)
