"""A text and its outline -> the units that chunks are made of: sentences, headings, rows, or pieces of them. Pure."""

import bisect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import regex

from chinese_llm_rag.chinese_text import iter_paragraphs, sentences_in
from chinese_llm_rag.schema import Span
from chinese_llm_rag.text_splitters.outline import Line, Outline, Part
from chinese_llm_rag.text_splitters.pieces import iter_pieces
from chinese_llm_rag.text_splitters.ruler import Ruler

_MOST_HEADINGS = 8  # that stand directly above a sentence
# What a list or a table is read with: a line that ends with a colon, the name of a table.
_LEADS_IN = regex.compile(r"[：:]$|^(?:附?[表图圖]|Table|Figure)\s*[\dA-Z一二三四五六七八九十]")


@dataclass(slots=True)
class Units:
    """Units in order, in parallel lists; and the parts of the outline in terms of them.

    Attributes:
        starts: where each begins.
        ends: where each is over; no white space at either end.
        is_sentence: whether it begins a sentence, a heading or a row.
        is_paragraph: whether it begins a paragraph.
        is_heading: whether it is a heading, or a table's header: nothing to leave alone.
        row: number of the row of a table that it lies in; 0 where it has none.
        part: index of the innermost part that it lies in.
        first: of each part, its first unit, with the headings and the line that it is read with.
        stop: of each part, the unit after its last.
    """

    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    is_sentence: list[bool] = field(default_factory=list)
    is_paragraph: list[bool] = field(default_factory=list)
    is_heading: list[bool] = field(default_factory=list)
    row: list[int] = field(default_factory=list)
    part: list[int] = field(default_factory=list)
    first: list[int] = field(default_factory=list)
    stop: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.starts)

    def index(self, position: int) -> int:
        """The first unit that begins at a position or after it."""
        return bisect.bisect_left(self.starts, position)


def build_units(text: str, outline: Outline, ruler: Ruler, walls: Sequence[int] = ()) -> Units:
    """The units of a text, each of a size that fits.

    Args:
        text: the text.
        outline: its outline.
        ruler: what fits.
        walls: where sentences end whatever the text says, such as the beginning of another slide.
    """
    units = Units()
    for span, line in _segments(len(text), outline, walls):
        if line is None:
            _add_text(units, text, span, ruler)
        else:
            _add_line(units, text, line, ruler)
    _find_parts(units, outline)
    _set_ranges(units, text, outline)
    return units


def _segments(size: int, outline: Outline, walls: Sequence[int]) -> Iterator[tuple[Span, Line | None]]:
    """Spans that tile the text: lines, and what stands between them and between the edges of parts."""
    edges = sorted(outline.edges() | set(walls) | {0, size})
    position = 0
    for line in [*outline.lines, None]:
        until = line.span.start if line else size
        low, high = bisect.bisect_right(edges, position), bisect.bisect_left(edges, until)
        for edge in [*edges[low:high], until]:
            if edge > position:
                yield Span(position, edge), None
                position = edge
        if line:
            yield line.span, line
            position = line.span.end


def _add_text(units: Units, text: str, segment: Span, ruler: Ruler) -> None:
    body = text[segment.start : segment.end]
    for paragraph in iter_paragraphs(body):
        new_paragraph = True
        for sentence in sentences_in(body, paragraph):
            span = Span(segment.start + sentence.start, segment.start + sentence.end)
            pieces = iter_pieces(text, span, ruler.fits, lead=_headings_above(units, ruler))
            if _append(units, pieces, paragraph=new_paragraph):
                new_paragraph = False


def _add_line(units: Units, text: str, line: Line, ruler: Ruler) -> None:
    table = line.table
    if table is None:
        whole = ruler.fits(line.span.start, line.span.end)
        for number, part in enumerate([line.span] if whole else sentences_in(text, line.span)):
            _append(units, iter_pieces(text, part, ruler.fits), paragraph=not number, heading=True)
        return
    is_header = line.span.start < table.header_end
    header = "" if is_header else ruler.affordable(table.header)
    pieces = iter_pieces(text, line.span, lambda start, end: ruler.fits(start, end, header), row=True)
    _append(units, pieces, paragraph=True, heading=is_header, row=line.number)


def _headings_above(units: Units, ruler: Ruler) -> int | None:
    """Where the headings that the next unit follows begin, if they leave it half of the size."""
    first = len(units)
    while first and units.is_heading[first - 1] and len(units) - first < _MOST_HEADINGS:
        first -= 1
    if first == len(units) or 2 * ruler.length(units.starts[first], units.ends[-1]) > ruler.size:
        return None
    return units.starts[first]


def _append(units: Units, pieces: Iterable[Span], *, paragraph: bool, heading: bool = False, row: int = 0) -> bool:
    """Whether there was a piece."""
    first = True
    for piece in pieces:
        units.starts.append(piece.start)
        units.ends.append(piece.end)
        units.is_sentence.append(first)
        units.is_paragraph.append(first and paragraph)
        units.is_heading.append(heading)
        units.row.append(row)
        first = False
    return not first


def _find_parts(units: Units, outline: Outline) -> None:
    """Give every unit its innermost part; parts come after those that they lie in."""
    units.part = [0] * len(units)
    for index, part in enumerate(outline.parts):
        first, stop = units.index(part.start), units.index(part.end)
        units.first.append(first)
        units.stop.append(stop)
        units.part[first:stop] = [index] * (stop - first)


def _set_ranges(units: Units, text: str, outline: Outline) -> None:
    """Let a part begin with the headings directly before it, and a list or table with what leads in to it."""
    for index, part in enumerate(outline.parts):
        if index == 0 or units.first[index] == units.stop[index]:
            continue
        body = _body(units, outline.parts[part.parent])
        first = units.first[index]
        if first > body and _is_led_in(units, text, part, first):
            first -= 1
        units.first[index] = units.first[part.parent] if first == body and part.parent else first


def _body(units: Units, part: Part) -> int:
    return units.index(part.body)


def _is_led_in(units: Units, text: str, part: Part, first: int) -> bool:
    if part.kind == "section" and part.body > part.start:
        return False
    before = first - 1
    if units.part[before] != part.parent or units.is_heading[before]:
        return False
    return _LEADS_IN.search(text[units.starts[before] : units.ends[before]]) is not None
