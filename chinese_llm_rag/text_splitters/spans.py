"""A text -> where its chunks are, with the headings above each and what it lies in. Knows no documents."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from chinese_llm_rag.schema import Span
from chinese_llm_rag.text_splitters.chunks import Chunker, UnitRange
from chinese_llm_rag.text_splitters.headings import find_headings
from chinese_llm_rag.text_splitters.outline import Outline, Part, build_outline
from chinese_llm_rag.text_splitters.ruler import Ruler
from chinese_llm_rag.text_splitters.tables import Table, continued_table, find_tables, marked_tables
from chinese_llm_rag.text_splitters.units import Units, build_units


@dataclass(frozen=True, slots=True)
class KnownStructure:
    """What is known of a text beside its characters; all positions in that text, in order.

    Attributes:
        headings: with their levels, 1 the highest.
        tables: as loaders mark them.
        walls: what no chunk goes over, such as the beginning of a slide.
        fresh: where the headings before are over, such as the beginning of a sheet.
        above: headings above the whole text.
        table_header: of the table in whose rows the text begins, where it does; "" else.
        markdown: whether lines that begin with # may be headings.
    """

    headings: tuple[tuple[Span, int], ...] = ()
    tables: tuple[Table, ...] = ()
    walls: tuple[int, ...] = ()
    fresh: tuple[int, ...] = ()
    above: tuple[str, ...] = ()
    table_header: str = ""
    markdown: bool = True


@dataclass(frozen=True, slots=True)
class ChunkSpan:
    """A chunk of a text.

    Attributes:
        span: its characters.
        headings: the path of headings above what it holds, its own included, highest first.
        table_header: of the table that it begins within, to be shown above it; "" where it needs none.
        parent: the larger piece that it is a part of; None where there are no such.
        rows: first and last row of the numbered table that it holds rows of; None where it holds none.
    """

    span: Span
    headings: tuple[str, ...] = ()
    table_header: str = ""
    parent: Span | None = None
    rows: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Sizes:
    """How long chunks may be, in the units of `length`; no parents where parent is None."""

    chunk: int
    overlap: int
    parent: int | None = None
    length: Callable[[str], int] = field(default=len)


class CutText:
    """A text that is taken apart, and its chunks.

    By paragraphs and sentences alone where nothing may be known of it (known is None).
    """

    def __init__(self, text: str, sizes: Sizes, known: KnownStructure | None) -> None:
        self._outline = build_outline(text, (), ()) if known is None else _outline(text, known)
        walls = () if known is None else known.walls
        ruler = Ruler(text, sizes.chunk, sizes.length)
        self._units = build_units(text, self._outline, ruler, walls)
        self._walls = [self._units.index(wall) for wall in walls]
        structured = known is not None
        self._chunker = Chunker(text, self._outline, self._units, ruler, sizes.overlap, structured=structured)
        self._parents: list[UnitRange] = []
        if sizes.parent is not None:
            larger = Ruler(text, sizes.parent, sizes.length)
            chunker = Chunker(text, self._outline, self._units, larger, structured=structured)
            self._parents = chunker.ranges(self._walls)

    def parents(self) -> list[ChunkSpan]:
        """The pieces of the larger size, in order."""
        return [self._chunk(parent, None) for parent in self._parents]

    def chunks(self) -> list[ChunkSpan]:
        """The chunks, in order; each lies in one parent where there are parents."""
        if not self._parents:
            return [self._chunk(chunk, None) for chunk in self._chunker.ranges(self._walls)]
        chunks: list[ChunkSpan] = []
        following = iter(self._parents)
        parent = UnitRange(0, 0)
        for chunk in self._chunker.ranges([parent.stop for parent in self._parents]):
            while chunk.first >= parent.stop:
                parent = next(following)
            chunks.append(self._chunk(chunk, _span(self._units, parent)))
        return chunks

    def _chunk(self, chunk: UnitRange, parent: Span | None) -> ChunkSpan:
        parts, units = self._outline.parts, self._units
        return ChunkSpan(
            _span(units, chunk),
            _path(parts, units, chunk),
            self._chunker.header_at(chunk.first),
            parent,
            _rows(units, chunk),
        )


def _outline(text: str, known: KnownStructure) -> Outline:
    tables = marked_tables(text, known.tables)
    if known.table_header and (rest := continued_table(text, known.table_header)):
        tables = [rest, *(table for table in tables if table.start >= rest.end)]
    tables = find_tables(text, tables)
    headings = find_headings(text, known.headings, [table.span for table in tables], markdown=known.markdown)
    titles = {heading.title for heading in headings}
    above = [title for title in known.above if title not in titles]
    return build_outline(text, headings, tables, above=above, fresh=known.fresh)


def _span(units: Units, chunk: UnitRange) -> Span:
    return Span(units.starts[chunk.first], units.ends[chunk.stop - 1])


def _path(parts: Sequence[Part], units: Units, chunk: UnitRange) -> tuple[str, ...]:
    """The headings that all text of a chunk stands under."""
    indices = range(chunk.first, chunk.stop)
    inside = {units.part[i] for i in indices if not units.is_heading[i]} or {units.part[chunk.stop - 1]}
    paths = [parts[part].path for part in inside]
    shortest, longest = min(paths), max(paths)
    for depth, title in enumerate(shortest):
        if depth >= len(longest) or longest[depth] != title:
            return shortest[:depth]
    return shortest


def _rows(units: Units, chunk: UnitRange) -> tuple[int, int] | None:
    """First and last row of the numbered table that a chunk holds rows of; None where there are none, or two tables."""
    numbered = [i for i in range(chunk.first, chunk.stop) if units.row[i]]
    if len({units.part[i] for i in numbered}) != 1:
        return None
    return units.row[numbered[0]], units.row[numbered[-1]]
