"""Words of a page's text -> where they stand on its picture. Pure.

The text of a page is put in order and mended by the loaders, so it is not the characters of the file one for one.
Both are therefore compared without spaces and in one normal form: the quote is looked for as a whole, else by its
lines, else by its sentences, and where it stands several times, that one is taken which comes as the quote does.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_TOO_SHORT = 4  # characters of a piece of a quote that is looked for by itself
_PIECES = re.compile(r"[^\n|]+")
_SENTENCES = re.compile(r"[^。！？；.!?;]+[。！？；.!?;]*")
_MOST_MARKS = 400


@dataclass(frozen=True, slots=True)
class Mark:
    """A box on a page's picture, in shares of its width and height from the upper left corner."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class _Letters:
    """A text without what is not seen; `places` leads back to where each letter stood."""

    text: str
    places: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DrawnPage:
    """The characters of a page in the order of the file.

    Attributes:
        codes: of the characters.
        boxes: of these: left, bottom, right, top in points.
        width: of the page, in points.
        height: of the page.
    """

    codes: NDArray[np.uint32]
    boxes: NDArray[np.float32]
    width: float
    height: float


def marks_of(page: DrawnPage, text: str, start: int, end: int) -> list[Mark]:
    """Boxes around the words text[start:end] of the stored text, a line each; empty where they are not found."""
    drawn = _letters("".join(map(chr, page.codes.tolist())))
    found = sorted({drawn.places[i] for span in _spans(drawn.text, text, start, end) for i in range(*span)})
    boxes = [page.boxes[i] for i in found if page.boxes[i].any()]
    return list(_lines(boxes, page.width, page.height))[:_MOST_MARKS]


def _spans(drawn: str, text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Where the words stand in the drawn letters."""
    whole = _find(drawn, text, start, end)
    if whole is not None:
        yield whole
        return
    for line in _PIECES.finditer(text, start, end):
        span = _find(drawn, text, line.start(), line.end())
        if span is not None:
            yield span
            continue
        for sentence in _SENTENCES.finditer(text, line.start(), line.end()):
            span = _find(drawn, text, sentence.start(), sentence.end())
            if span is not None:
                yield span


def _find(drawn: str, text: str, start: int, end: int) -> tuple[int, int] | None:
    wanted = _letters(text[start:end]).text
    if len(wanted) < min(_TOO_SHORT, end - start):
        return None
    places = list(_occurrences(drawn, wanted))
    if not places:
        return None
    if len(places) == 1:
        return places[0], places[0] + len(wanted)
    before = len(list(_occurrences(_letters(text[:start]).text, wanted)))
    if before < len(places) == len(list(_occurrences(_letters(text).text, wanted))):
        return places[before], places[before] + len(wanted)
    share = start / max(1, len(text))  # the text and the file disagree on how often: the nearest by order
    place = min(places, key=lambda at: abs(at / max(1, len(drawn)) - share))
    return place, place + len(wanted)


def _occurrences(text: str, wanted: str) -> Iterator[int]:
    at = text.find(wanted) if wanted else -1
    while at >= 0:
        yield at
        at = text.find(wanted, at + len(wanted))


def _letters(text: str) -> _Letters:
    letters: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        for letter in unicodedata.normalize("NFKC", character).casefold():
            if not letter.isspace() and unicodedata.category(letter)[0] not in "CZ":
                letters.append(letter)
                places.append(place)
    return _Letters("".join(letters), tuple(places))


def _lines(boxes: Sequence[NDArray[np.float32]], width: float, height: float) -> Iterator[Mark]:
    """Boxes of neighbours in a line, or in a column of vertical text, as one."""
    current: list[float] | None = None
    for box in boxes:
        left, bottom, right, top = map(float, box)
        if current is not None and _joins(current, (left, bottom, right, top)):
            current = [
                min(current[0], left), min(current[1], bottom), max(current[2], right), max(current[3], top)
            ]  # fmt: skip
            continue
        if current is not None:
            yield _mark(current, width, height)
        current = [left, bottom, right, top]
    if current is not None:
        yield _mark(current, width, height)


def _joins(line: Sequence[float], box: Sequence[float]) -> bool:
    """Whether a character goes on with a line: as high, and not far from its end; or, in vertical text, as wide."""
    em = max(box[2] - box[0], box[3] - box[1], 1.0)
    in_row = min(line[3], box[3]) - max(line[1], box[1]) > 0.5 * min(line[3] - line[1], box[3] - box[1])
    if in_row and -0.5 * em <= box[0] - line[2] <= 2 * em:
        return True
    in_column = min(line[2], box[2]) - max(line[0], box[0]) > 0.5 * min(line[2] - line[0], box[2] - box[0])
    return in_column and line[2] - line[0] < 1.5 * em and -0.5 * em <= line[1] - box[3] <= 0.6 * em


def _mark(box: Sequence[float], width: float, height: float) -> Mark:
    left, bottom, right, top = box
    return Mark(
        round(max(0.0, left / width), 5),
        round(max(0.0, 1 - top / height), 5),
        round(min(1.0, (right - left) / width), 5),
        round(min(1.0, (top - bottom) / height), 5),
    )
