"""Pieces in reading order -> paragraphs. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from statistics import median

from chinese_llm_rag.chinese_text import ends_sentence, is_han, opens_item
from chinese_llm_rag.document_loaders.page_lines import is_page_number, is_table_of_contents, join_texts
from chinese_llm_rag.document_loaders.pdf_lines import WIDE_GAP, Piece
from chinese_llm_rag.document_loaders.pdf_margins import margin_notes
from chinese_llm_rag.document_loaders.pdf_order import same_line

_NUMBER_FIRST = re.compile(r"\d{1,3}(?:\.\d{1,3})*\s")
_LABEL_FIRST = re.compile(r"[\u4e00-\u9fff]{2,8}：")
_SHORT_BY = 1.6  # em; a line that ends so far from its column's edge ends its paragraph
_INDENT = 1.2  # em
_SAME_SIZE = 1.15
_LOOSE = 1.35  # of the page's usual distance of lines; more of it parts paragraphs
_WORD_GAP = 0.2  # em
_NEIGHBOURS = 6  # lines
_NARROW = 0.42  # of the page's usual line; columns are wider, and what is narrower ends its paragraph


@dataclass(slots=True)
class _Line(Piece):
    """Pieces that stand on one line; `has_cells` where wide gaps part them, as in the row of a table."""

    has_cells: bool = False


def to_paragraphs(pieces: Sequence[Piece]) -> list[str]:
    """The text of each paragraph, not yet cleaned: broken words are still marked."""
    if not pieces:
        return []
    if sum(piece.vertical for piece in pieces) * 2 > len(pieces):
        return _vertical_paragraphs(pieces)
    notes = margin_notes(pieces)
    paragraphs = _paragraphs(_lines([piece for number, piece in enumerate(pieces) if number not in notes]))
    # A note is read after the paragraph beside which it begins, so that it cuts no sentence.
    for note in reversed(_stacked([pieces[number] for number in sorted(notes)])):
        place = next((i for i, lines in enumerate(paragraphs, 1) if lines[-1].y0 < note[0].y1), len(paragraphs))
        paragraphs.insert(place, note)
    return [reduce(join_texts, (line.text for line in lines)) for lines in paragraphs]


def _stacked(notes: Sequence[Piece]) -> list[list[_Line]]:
    """The lines of each note."""
    groups: list[list[_Line]] = []
    for line in _lines(notes):
        last = groups[-1][-1] if groups else None
        if last is not None and 0 < last.middle - line.middle < 2.2 * line.size:
            groups[-1].append(line)
        else:
            groups.append([line])
    return groups


def _paragraphs(lines: Sequence[_Line]) -> list[list[_Line]]:
    if not lines:
        return []
    pitch = _usual_pitch(lines)
    edges = _edges(lines)
    widths = sorted(line.x1 - line.x0 for line in lines)
    least = _NARROW * widths[int(0.9 * (len(widths) - 1))]
    paragraphs = [[lines[0]]]
    for number, line in enumerate(lines[1:], 1):
        if _goes_on(lines[number - 1], line, pitch, edges[number - 1], least):
            paragraphs[-1].append(line)
        else:
            paragraphs.append([line])
    return paragraphs


def _lines(pieces: Sequence[Piece]) -> list[_Line]:
    """Pieces that follow one another on one line as one."""
    lines: list[_Line] = []
    is_single = False
    for piece in pieces:
        text = piece.text.strip()
        if not text:
            continue
        was_single, is_single = is_single, len(text) == 1
        line = _Line(text, piece.x0, piece.y0, piece.x1, piece.y1, piece.size, vertical=piece.vertical)
        last = lines[-1] if lines else None
        if last is None or piece.vertical or not same_line(last, piece) or piece.x0 < last.x1 - last.size:
            lines.append(line)
            continue
        last.text += f"{_separator(last, piece, spaced=was_single and is_single)}{text}"
        last.has_cells |= piece.x0 - last.x1 > WIDE_GAP * last.size
        last.x0, last.y0 = min(last.x0, piece.x0), min(last.y0, piece.y0)
        last.x1, last.y1 = max(last.x1, piece.x1), max(last.y1, piece.y1)
        last.size = max(last.size, piece.size)
    return lines


def _separator(before: Piece, piece: Piece, *, spaced: bool) -> str:
    """What stands between two pieces of a line: cells stay apart, the characters of a spaced title do not."""
    gap = piece.x0 - before.x1
    if gap <= _WORD_GAP * before.size:
        return ""
    if not (is_han(before.text[-1]) and is_han(piece.text[0])):
        return " "
    return "" if spaced or gap < WIDE_GAP * before.size else "\u3000"


def _usual_pitch(lines: Sequence[Piece]) -> float:
    """The usual distance from one line to the next, in em."""
    steps = [
        (a.middle - b.middle) / max(a.size, b.size)
        for a, b in pairwise(lines)
        if 0 < a.middle - b.middle < 4 * max(a.size, b.size) and min(a.x1, b.x1) > max(a.x0, b.x0)
    ]
    return median(steps) if steps else 1.5


def _edges(lines: Sequence[Piece]) -> list[float]:
    """Of each line the right edge of its column: the furthest end that several lines around it share."""
    groups = [0]
    for before, line in pairwise(lines):
        groups.append(groups[-1] + (not _in_column(before, line)))
    edges = []
    for number, line in enumerate(lines):
        low, high = max(0, number - _NEIGHBOURS), number + _NEIGHBOURS + 1
        ends = sorted(
            (
                other.x1
                for other, group in zip(lines[low:high], groups[low:high], strict=True)
                if group == groups[number]
            ),
            reverse=True,
        )
        slack = _SHORT_BY * line.size
        shared = (a for a, b in pairwise(ends) if a - b < slack)
        edges.append(next(shared, ends[0]))
    return edges


def _in_column(a: Piece, b: Piece) -> bool:
    """Whether b may be the next line of a's column: below it, beginning near its left edge."""
    size = max(a.size, b.size)
    return b.middle < a.middle and abs(a.x0 - b.x0) < 6 * size and min(a.x1, b.x1) > max(a.x0, b.x0)


def _goes_on(before: _Line, line: _Line, pitch: float, edge: float, least: float) -> bool:
    """Whether a line belongs to the paragraph of the one before it."""
    size = max(before.size, line.size)
    if any(
        (
            before.has_cells or line.has_cells,
            _begins_anew(before.text, line.text),
            is_page_number(line.text),
            is_page_number(before.text),
            ends_sentence(before.text),
            is_table_of_contents(before.text),
            not 1 / _SAME_SIZE < before.size / line.size < _SAME_SIZE,
        )
    ):
        return False
    is_full = before.x1 >= edge - _SHORT_BY * size and before.x1 - before.x0 > max(6 * size, least)
    if not is_full or before.vertical or line.vertical:
        return False
    if line.middle < before.middle:
        if before.middle - line.middle > _LOOSE * max(pitch, 1.0) * size:
            return False
        is_indented = line.x0 - before.x0 > _INDENT * size and not opens_item(before.text)
        return not is_indented and min(before.x1, line.x1) > max(before.x0, line.x0)
    return line.x0 > before.x1  # at the top of the next column


def _begins_anew(before: str, line: str) -> bool:
    """Whether a line is an item of its own. A bare number is one only in a list of them: 22 年 may go on a sentence."""
    if _NUMBER_FIRST.match(line) and not _NUMBER_FIRST.match(before):
        return False
    return opens_item(line) or (_LABEL_FIRST.match(line) is not None and _LABEL_FIRST.match(before) is not None)


def _vertical_paragraphs(columns: Sequence[Piece]) -> list[str]:
    paragraphs: list[str] = []
    for number, column in enumerate(columns):
        before = columns[number - 1] if number else None
        size = max(before.size, column.size) if before is not None else column.size
        near = before is not None and (
            (-0.5 * size < before.x0 - column.x0 < 2.5 * size and before.y0 - column.y1 < 1.5 * size)
            or (abs(before.x0 - column.x0) < 2 * size and abs(before.y0 - column.y1) < 2 * size)
        )
        if near:
            paragraphs[-1] = join_texts(paragraphs[-1], column.text)
        else:
            paragraphs.append(column.text)
    return paragraphs
