"""Characters with boxes -> pieces of lines (or of columns, in vertical text), in the order of the file. Pure.

A piece is text without a wide gap: a line of one text column, a cell of a table, a column of vertical
text. PDFium's own line breaks are not used: it breaks at superscripts, joins what stands in two columns on
one line, and gives each character of many vertical pages as a line.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from chinese_llm_rag.document_loaders.pdf_chars import PageChars

WIDE_GAP = 1.5  # em; more than justified text leaves between words, less than between columns
_WIDE_FROM = 0x2E80  # code points from here on are as wide as an em
_BLANKS = np.array([0, 9, 10, 13, 32, 0xA0, 0x3000], np.uint32)
_HORIZONTAL, _DOWN = 1, 2


@dataclass(slots=True)
class Piece:
    """Text that stands together on one line, or in one column where `vertical`.

    `start` and `end` are characters of the page as PDFium counts them, end exclusive; `size` is the em in
    points. Equal start and end: the piece does not come from the file's text layer.
    """

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    size: float
    start: int = 0
    end: int = 0
    vertical: bool = False
    font: str = ""  # of its first character, where that is known

    @property
    def middle(self) -> float:
        """Height of the middle of the line."""
        return (self.y0 + self.y1) / 2


def find_pieces(chars: PageChars, chosen: NDArray[np.bool_] | None = None) -> list[Piece]:
    """The pieces of a page, or of the `chosen` characters of it."""
    seen = ~np.isin(chars.codes, _BLANKS) & (chars.boxes[:, 3] > chars.boxes[:, 1])
    if chosen is not None:
        seen &= chosen
    index = np.flatnonzero(seen)
    if not len(index):
        return []
    boxes = chars.boxes[index].astype(np.float64)
    codes = chars.codes[index]
    em = _em(codes, boxes)
    links = _links(codes, boxes, em)
    twice = np.flatnonzero(_drawn_twice(codes, boxes, em)) + 1
    if len(twice):  # bold by drawing twice
        keep = np.ones(len(index), bool)
        keep[twice] = False
        index, boxes, codes, em = index[keep], boxes[keep], codes[keep], em[keep]
        links = _links(codes, boxes, em)
    vertical = _is_vertical(codes, boxes, em)
    down = links == _DOWN
    if vertical:
        links = _vertical_links(codes, boxes, em, links)
    else:
        links[down & ~_in_long_runs(down)] = 0
    return _cut(chars, index, boxes, em, links, vertical=vertical)


def _em(codes: NDArray[np.uint32], boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The size of each character: a wide one's width, another's height without its line gap."""
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    wide = (codes >= _WIDE_FROM) & (width > 0.3 * height)
    return np.maximum(np.where(wide, width, height * 0.85), 0.1)


def _drawn_twice(codes: NDArray[np.uint32], boxes: NDArray[np.float64], em: NDArray[np.float64]) -> NDArray[np.bool_]:
    moved = np.abs(boxes[1:, :2] - boxes[:-1, :2]).max(axis=1)
    twice: NDArray[np.bool_] = (codes[1:] == codes[:-1]) & (moved < 0.12 * em[:-1])
    return twice


def _links(codes: NDArray[np.uint32], boxes: NDArray[np.float64], em: NDArray[np.float64]) -> NDArray[np.int8]:
    """How each character but the last goes on to the next: on the line, downwards, or not at all."""
    x0, y0, x1, y1 = boxes.T
    size = np.maximum(em[:-1], em[1:])
    gap = x0[1:] - x1[:-1]
    # On a line: a small raised character and its neighbour share most of the small one's height.
    shared = np.minimum(y1[1:], y1[:-1]) - np.maximum(y0[1:], y0[:-1])
    low = np.minimum(y1[1:] - y0[1:], y1[:-1] - y0[:-1])
    on_line = (shared > 0.45 * low) & (gap > -0.7 * size) & (gap < WIDE_GAP * size)
    middle_x, middle_y = (x0 + x1) / 2, (y0 + y1) / 2
    drop = middle_y[:-1] - middle_y[1:]
    wide = (codes[1:] >= _WIDE_FROM) & (codes[:-1] >= _WIDE_FROM)
    # Lines of one character are set wider apart than characters of a column.
    down = wide & (np.abs(np.diff(middle_x)) < 0.3 * size) & (drop > 0.7 * size) & (drop < 1.45 * size)
    links = np.zeros(len(codes) - 1, np.int8)
    links[on_line] = _HORIZONTAL
    links[down & ~on_line] = _DOWN
    return links


def _is_vertical(codes: NDArray[np.uint32], boxes: NDArray[np.float64], em: NDArray[np.float64]) -> bool:
    """Whether most wide characters stand below the one before, however far apart they are set."""
    wide = codes >= _WIDE_FROM
    both = wide[1:] & wide[:-1]
    size = np.maximum(em[:-1], em[1:])
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    dx, drop = np.abs(np.diff(middle[:, 0])), -np.diff(middle[:, 1])
    below = both & (dx < 0.3 * size) & (drop > 0.6 * size) & (drop < 2.2 * size)
    beside = both & (np.abs(drop) < 0.3 * size) & (boxes[1:, 0] - boxes[:-1, 2] < 2 * size)
    return bool(below.sum() > 5 and below.sum() > 1.5 * beside.sum())


def _in_long_runs(down: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which steps belong to runs of three steps or more."""
    edges = np.diff(np.concatenate(([0], down.astype(np.int8), [0])))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    kept = np.zeros(len(down), bool)
    for start, end in zip(starts, ends, strict=True):
        if end - start >= 3:
            kept[start:end] = True
    return kept


def _vertical_links(
    codes: NDArray[np.uint32], boxes: NDArray[np.float64], em: NDArray[np.float64], links: NDArray[np.int8]
) -> NDArray[np.int8]:
    """Links of a vertical page, where marks hang beside the column."""
    marks = np.isin(codes, np.array([ord(c) for c in "。、，．：；！？"], np.uint32))
    links = links.copy()
    anchor = 0
    for k in range(1, len(codes)):
        here, size = boxes[k], max(em[k], em[anchor])
        dx = abs(here[0] + here[2] - boxes[anchor][0] - boxes[anchor][2]) / 2
        drop = (boxes[anchor][1] + boxes[anchor][3] - here[1] - here[3]) / 2
        if marks[k]:
            links[k - 1] = _DOWN if dx < 1.6 * size and -0.8 * size < drop < 1.6 * size else 0
            continue
        if links[k - 1] != _HORIZONTAL or marks[k - 1]:
            same = 0.6 < em[k] / em[anchor] < 1.67
            links[k - 1] = _DOWN if same and dx < 0.5 * size and 0.5 * size < drop < 2.2 * size else 0
        anchor = k
    return links


def _cut(
    chars: PageChars,
    index: NDArray[np.intp],
    boxes: NDArray[np.float64],
    em: NDArray[np.float64],
    links: NDArray[np.int8],
    *,
    vertical: bool,
) -> list[Piece]:
    codes = chars.codes.copy()
    codes[(codes > 0x10FFFF) | ((codes >= 0xD800) & (codes <= 0xDFFF))] = 0xFFFD
    text = codes.tobytes().decode("utf-32-le")
    starts = np.concatenate(([0], np.flatnonzero(links == 0) + 1))
    # A run may change from a line to a column only by ending.
    turns = np.flatnonzero((links[1:] != links[:-1]) & (links[1:] != 0) & (links[:-1] != 0)) + 1
    if len(turns) and not vertical:
        starts = np.unique(np.concatenate((starts, turns)))
    ends = np.concatenate((starts[1:], [len(index)]))
    low = np.minimum.reduceat(boxes, starts, axis=0)
    high = np.maximum.reduceat(boxes, starts, axis=0)
    sizes = np.maximum.reduceat(em, starts)
    lone = ends - starts == 1
    is_down = np.zeros(len(starts), bool)
    is_down[~lone] = links[starts[~lone]] == _DOWN
    columns = zip(
        starts.tolist(), ends.tolist(), low.tolist(), high.tolist(), sizes.tolist(), is_down.tolist(), strict=True
    )
    where = index.tolist()
    pieces = []
    for start, end, (x0, y0, _, _), (_, _, x1, y1), size, goes_down in columns:
        first, after = where[start], where[end - 1] + 1
        content = text[first:after] if after - first == end - start else _spaced(text, where[start:end])
        pieces.append(Piece(content, x0, y0, x1, y1, size, first, after, vertical or goes_down))
    return pieces


def _spaced(text: str, where: list[int]) -> str:
    """The characters at these places, with one blank where the file has any between them."""
    parts = [text[where[0]]]
    for before, here in pairwise(where):
        if here - before > 1 and any(c in " \t\xa0\u3000" for c in text[before + 1 : here]):
            parts.append(" ")
        parts.append(text[here])
    return "".join(parts)
