"""The best passages that fit a budget; those that overlap become one."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from chinese_llm_rag.packing.halving import most_that_fit
from chinese_llm_rag.packing.ordering import Order, arrange
from chinese_llm_rag.schema import PackedContext, Passage


def pack(
    passages: Sequence[Passage],
    budget_tokens: int,
    measure: Callable[[Sequence[Passage]], int],
    *,
    order: Order = "rank",
) -> PackedContext:
    """The best passages that fit, numbered from 1 as they stand; overlapping neighbours of one file are joined.

    A passage that does not fit is dropped, and so are all that rank below it: what the model reads is
    always the best evidence, without holes. What is given has been measured as it is given.

    Args:
        passages: best first.
        budget_tokens: the most that `measure` may give.
        measure: tokens of numbered passages as the model will read them, by its own tokenizer: of the
            whole prompt that holds them, or of `format_context(passages)` alone.
        order: in which they stand in the prompt.
    """
    tried: dict[int, tuple[tuple[Passage, ...], int]] = {0: ((), 0)}

    def fits(n_kept: int) -> bool:
        candidate = _numbered(arrange(_joined_all(passages[:n_kept]), order))
        tried[n_kept] = candidate, measure(candidate)
        return tried[n_kept][1] <= budget_tokens

    n_kept = most_that_fit(len(passages), fits)
    packed, n_tokens = tried[n_kept]
    return PackedContext(packed, tuple(passages[n_kept:]), n_tokens)


def _joined_all(passages: Sequence[Passage]) -> list[Passage]:
    joined: list[Passage] = []
    for passage in passages:
        joined = _joined(joined, passage)
    return joined


def _numbered(passages: Iterable[Passage]) -> tuple[Passage, ...]:
    return tuple(replace(passage, number=number) for number, passage in enumerate(passages, 1))


def _joined(packed: Sequence[Passage], passage: Passage) -> list[Passage]:
    """The packed passages with one more; those that overlap with it become one, in the best one's place."""
    result: list[Passage] = []
    place: int | None = None
    for other in packed:
        if _overlap(other, passage):
            passage = _union(other, passage)
            if place is None:
                place = len(result)
        else:
            result.append(other)
    result.insert(len(result) if place is None else place, passage)
    return result


def _overlap(a: Passage, b: Passage) -> bool:
    """Whether both hold a common piece of one file's text.

    The texts must agree too: documents that no splitter of ours has cut may name a source without a place.
    """
    start, end = max(a.start, b.start), min(a.end, b.end)
    shared = a.text[start - a.start : end - a.start] == b.text[start - b.start : end - b.start]
    return a.source == b.source and start < end and shared


def _union(a: Passage, b: Passage) -> Passage:
    first, second = (a, b) if (a.start, -a.end) <= (b.start, -b.end) else (b, a)
    tail = second.text[first.end - second.start :] if second.end > first.end else ""
    page_end = max(first.page_end, second.page_end)
    offsets = {first.page_start + i: offset for i, offset in enumerate(first.page_offsets)}
    offsets.update({second.page_start + i: offset for i, offset in enumerate(second.page_offsets)})
    known = len(offsets) == page_end - first.page_start + 1
    page_offsets = tuple(offsets[page] for page in sorted(offsets)) if known else ()
    return replace(
        first,
        text=first.text + tail,
        end=max(first.end, second.end),
        page_end=page_end,
        page_offsets=page_offsets,
        score=max(a.score, b.score),
    )
