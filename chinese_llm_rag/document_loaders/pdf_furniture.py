"""Running headers, footers and page numbers: what stands at the same place of page after page. Pure.

A line is furniture when the same text, numbers aside, stands at the same height of at least three pages that
follow one another (left and right pages may differ), its numbers are the same or count with the pages, and
it is at the edge of its page, apart from the text.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from chinese_llm_rag.document_loaders.pdf_lines import Piece

_ROWS_LOOKED_AT = 5  # from the top, and from the bottom
_MIN_PAGES = 3
_REACH = 2  # pages from one to the next of a run; a left or a right page is two from the next of its kind
_SAME_HEIGHT = 4.0  # points
_APART = 0.75  # of the row's height: the least distance to the text
_EDGE = 0.2  # furniture begins within this share of the page's height from its edge
_NUMBER = re.compile(r"\d+|(?<![A-Za-z])[ivxlc]{1,7}(?![A-Za-z])|(?<![A-Za-z])[IVXLC]{1,7}(?![A-Za-z])")
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}
_BLANK = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class PageFrame:
    """What furniture is looked for in: the pieces of a page and its height."""

    pieces: Sequence[Piece]
    height: float


@dataclass(frozen=True, slots=True)
class _Seen:
    page: int
    piece: int
    height: float  # from the edge
    numbers: tuple[int, ...]


def find_furniture(pages: Sequence[PageFrame]) -> list[frozenset[int]]:
    """Of each page, which of its pieces are furniture."""
    tops = [_rows(page, from_top=True) for page in pages]
    bottoms = [_rows(page, from_top=False) for page in pages]
    running = _running(pages, tops, "top") | _running(pages, bottoms, "bottom")
    return [
        _at_edge(page, top, number, running) | _at_edge(page, bottom, number, running)
        for number, (page, top, bottom) in enumerate(zip(pages, tops, bottoms, strict=True))
    ]


def _rows(page: PageFrame, *, from_top: bool) -> list[list[int]]:
    """The outermost rows of a page, outermost first, each the places of its pieces from left to right."""
    order = sorted(range(len(page.pieces)), key=lambda i: page.pieces[i].middle, reverse=from_top)
    rows: list[list[int]] = []
    for index in order:
        piece = page.pieces[index]
        if rows:
            before = page.pieces[rows[-1][0]]
            if abs(before.middle - piece.middle) < 0.5 * max(before.size, piece.size):
                rows[-1].append(index)
                continue
        if len(rows) == _ROWS_LOOKED_AT:
            break
        rows.append([index])
    return [sorted(row, key=lambda i: page.pieces[i].x0) for row in rows]


def _running(pages: Sequence[PageFrame], rows: Sequence[list[list[int]]], edge: str) -> set[tuple[int, int]]:
    """(page, piece) of everything that repeats."""
    groups: dict[tuple[str, str], list[_Seen]] = defaultdict(list)
    for number, (page, page_rows) in enumerate(zip(pages, rows, strict=True)):
        for row in page_rows:
            for index in row:
                piece = page.pieces[index]
                shape, numbers = _shape(piece.text)
                height = page.height - piece.middle if edge == "top" else piece.middle
                groups[shape, edge].append(_Seen(number, index, height, numbers))
    found: set[tuple[int, int]] = set()
    for seen in groups.values():
        if len(seen) < min(_MIN_PAGES, max(2, len(pages))):
            continue
        for same in _by_height(seen):
            found.update((s.page, s.piece) for run in _runs(same) for s in _counting(run, n_pages=len(pages)))
            found.update((s.page, s.piece) for s in _numbered_alike(same))
    return found


def _shape(text: str) -> tuple[str, tuple[int, ...]]:
    """The text without blanks and with # for each number, and the numbers."""
    numbers: list[int] = []

    def taken(match: re.Match[str]) -> str:
        word = match.group()
        numbers.append(int(word[:9]) if word[0].isdigit() else _roman(word.lower()))
        return "#"

    return _BLANK.sub("", _NUMBER.sub(taken, text)), tuple(numbers)


def _roman(word: str) -> int:
    values = [_ROMAN[c] for c in word]
    return sum(-v if v < after else v for v, after in zip(values, [*values[1:], 0], strict=True))


def _by_height(seen: Sequence[_Seen]) -> list[list[_Seen]]:
    groups: list[list[_Seen]] = []
    for s in sorted(seen, key=lambda s: s.height):
        if groups and s.height - groups[-1][-1].height <= _SAME_HEIGHT:
            groups[-1].append(s)
        else:
            groups.append([s])
    return [sorted(group, key=lambda s: s.page) for group in groups]


def _runs(seen: Sequence[_Seen]) -> list[list[_Seen]]:
    """Those on pages that follow one another."""
    runs: list[list[_Seen]] = []
    for s in seen:
        if runs and s.page - runs[-1][-1].page <= _REACH:
            runs[-1].append(s)
        else:
            runs.append([s])
    return runs


def _counting(run: Sequence[_Seen], *, n_pages: int) -> list[_Seen]:
    """Those whose numbers are the same or count with the pages on enough pages."""
    kept: list[_Seen] = []
    least = min(_MIN_PAGES, n_pages)
    n_numbers = len(run[0].numbers)
    if n_numbers == 0:
        return list(run) if least >= 2 and len({s.page for s in run}) >= least else []
    for _, group in groupby(sorted(run, key=_steps), key=_steps):
        same = list(group)
        if least >= 2 and len({s.page for s in same}) >= least:
            kept.extend(same)
    if kept:
        return kept
    # Numbers that stay, or of which some stay and some count: 212 / 223.
    for mask in range(2 ** min(n_numbers, 4)):
        chosen = [k for k in range(n_numbers) if mask >> k & 1]
        key = {s: tuple(n - s.page if k in chosen else n for k, n in enumerate(s.numbers)) for s in run}
        for value in set(key.values()):
            same = [s for s in run if key[s] == value]
            if least >= 2 and len({s.page for s in same}) >= least:
                kept.extend(same)
    return kept


def _steps(seen: _Seen) -> tuple[int, ...]:
    return tuple(number - seen.page for number in seen.numbers)


def _numbered_alike(seen: Sequence[_Seen]) -> list[_Seen]:
    """Bare page numbers on pages far apart, as at the foot of the first pages of chapters."""
    by_step: dict[tuple[int, ...], list[_Seen]] = defaultdict(list)
    for s in seen:
        if len(s.numbers) == 1:
            by_step[_steps(s)].append(s)
    return [s for same in by_step.values() if len({s.page for s in same}) >= _MIN_PAGES for s in same]


def _at_edge(page: PageFrame, rows: Sequence[list[int]], number: int, running: set[tuple[int, int]]) -> frozenset[int]:
    """The pieces of the outermost rows as long as they run, if there is a distance to the text below or above."""
    if not rows:
        return frozenset()
    taken: list[list[int]] = []
    for row in rows:
        repeated = [index for index in row if (number, index) in running]
        near_edge = min(abs(page.pieces[row[0]].middle - edge) for edge in (0.0, page.height)) < _EDGE * page.height
        # The title of a chapter beside a page number changes, but the row is one.
        if not repeated or not near_edge:
            break
        taken.append(row)
    inner = rows[len(taken) :]
    while taken and inner and _distance(page, taken[-1], inner[0]) < _APART * _height(page, taken[-1]):
        inner = [taken.pop(), *inner]
    return frozenset(index for row in taken for index in row)


def _distance(page: PageFrame, a: Sequence[int], b: Sequence[int]) -> float:
    low_a, high_a = min(page.pieces[i].y0 for i in a), max(page.pieces[i].y1 for i in a)
    low_b, high_b = min(page.pieces[i].y0 for i in b), max(page.pieces[i].y1 for i in b)
    return max(low_a - high_b, low_b - high_a)


def _height(page: PageFrame, row: Sequence[int]) -> float:
    return max(page.pieces[i].size for i in row)
