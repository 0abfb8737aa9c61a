"""A sentence, a row or a heading that is too long -> pieces that fit. Knows nothing about chunks."""

import bisect
from collections.abc import Callable, Iterator

import regex

from chinese_llm_rag.chinese_text import GRAPHEME_TAIL, HAN, after_space, sentences_in
from chinese_llm_rag.schema import Span

_CLAUSE_END = regex.compile(r"[，、,：:；;]|[）)】》」』](?=\w)|\s+")
_CELL_END = regex.compile(r"(?<!\\)\|\s*")
_GRAPHEME = r"\X"
_WORD = rf"(?:(?!{HAN})[\p{{L}}\p{{N}}]{GRAPHEME_TAIL}*)+"  # a run of letters and digits without Han
# Where a sentence that is too long may be cut: around addresses, dates, numbers and Latin words; inside one
# of them only when it alone exceeds the size, then at what joins its parts, and at last between graphemes.
_JOINERS = (r"-.,:/_%@'’?=&#~+", r".,'’", r".'’")
_CUT_AROUND = (
    *(regex.compile(rf"{_WORD}(?:[{joiners}]+{_WORD})*(?:%(?!{GRAPHEME_TAIL}))?|{_GRAPHEME}") for joiners in _JOINERS),
    regex.compile(rf"{_WORD}|{_GRAPHEME}"),
    regex.compile(_GRAPHEME),
)

Fits = Callable[[int, int], bool]


def trimmed(text: str, span: Span) -> Span | None:
    """The span without white space at its ends; None where nothing is left."""
    start, end = after_space(text, span.start, span.end), span.end
    while end > start and text[end - 1].isspace():
        end -= 1
    return Span(start, end) if end > start else None


def iter_pieces(text: str, whole: Span, fits: Fits, *, row: bool = False, lead: int | None = None) -> Iterator[Span]:
    """The span without white space at its ends, in pieces that fit.

    Args:
        text: what the span lies in.
        whole: a sentence, a heading or a row of a table.
        fits: whether characters start..end of the text fit.
        row: cells of a Markdown row are kept whole, then sentences, then clauses.
        lead: where the headings above the span begin, which the first of several pieces is to fit with.
    """
    rest = trimmed(text, whole)
    if rest is None:
        return
    if fits(rest.start, rest.end):
        yield rest
        return
    edges = list(_edges(text, rest, fits))
    good = [{match.end() for match in _CLAUSE_END.finditer(text, rest.start, rest.end)}]
    if row:
        sentences = {sentence.end for sentence in sentences_in(text, rest)}
        good = [{match.end() for match in _CELL_END.finditer(text, rest.start, rest.end)}, sentences, *good]
    first = 0
    while rest is not None:
        cut = _cut(rest.start if lead is None else lead, edges, first, good, fits)
        lead = None
        piece = trimmed(text, Span(rest.start, cut))
        if piece is not None:
            yield piece
        rest = trimmed(text, Span(cut, rest.end))
        if rest is not None:
            first = bisect.bisect_right(edges, rest.start)


def _edges(text: str, span: Span, fits: Fits, fineness: int = 0) -> Iterator[int]:
    """Where a span may be cut, ascending, its end included."""
    for match in _CUT_AROUND[fineness].finditer(text, span.start, span.end):
        start, end = match.span()
        if end - start > 1 and fineness + 1 < len(_CUT_AROUND) and not fits(start, end):
            yield from _edges(text, Span(start, end), fits, fineness + 1)
        else:
            yield end


def _cut(start: int, edges: list[int], first: int, good: list[set[int]], fits: Fits) -> int:
    """The last edge that fits of the best set that has one, else the last that fits, else edges[first]."""
    stop = _most_that_fit(start, edges, first, fits)
    if stop == len(edges):
        return edges[-1]
    last = max(stop - 1, first)
    least = start + (edges[last] - start) // 3
    for ends in good:
        for index in range(last, first, -1):
            if edges[index] <= least:
                break
            if edges[index] in ends and fits(start, edges[index]):
                return edges[index]
    return edges[last]


def _most_that_fit(start: int, edges: list[int], first: int, fits: Fits) -> int:
    """Index after the last edge, from `first` on, up to which the text fits (lengths grow with the text).

    The reach is doubled before it is halved, so that a long rest is not measured for every piece.
    """
    high = first + 1
    while high < len(edges) and fits(start, edges[high - 1]):
        high = min(len(edges), first + 2 * (high - first))
    return bisect.bisect_left(edges, 1, first, high, key=lambda edge: int(not fits(start, edge)))
