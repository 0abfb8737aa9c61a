"""Headings and tables -> the tree of a text's parts, each with the path of headings above it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from chinese_llm_rag.chinese_text import iter_paragraphs
from chinese_llm_rag.schema import Span
from chinese_llm_rag.text_splitters.heading_marks import ARTICLE, HeadingMark, heading_marks
from chinese_llm_rag.text_splitters.headings import Heading
from chinese_llm_rag.text_splitters.tables import Table, iter_rows

PartKind = Literal["text", "section", "item", "table"]


@dataclass(slots=True)
class Part:
    """A part of a text: all of it, what stands below a heading, an item of a list, or a table.

    Attributes:
        start: where it begins, its heading included.
        body: where it goes on behind its heading.
        end: where it is over.
        parent: index of the part that it lies in; -1 for the whole text.
        path: headings above what it holds, its own included, highest first.
        kind: "text" is the whole text.
        table: the rows of a table.
    """

    start: int
    body: int
    end: int
    parent: int
    path: tuple[str, ...]
    kind: PartKind
    table: Table | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A heading, or a row of a table: what is kept whole where a sentence would be.

    Attributes:
        span: its characters.
        table: that it is a row of; None for a heading.
        number: of the row in its file; 0 where it has none.
    """

    span: Span
    table: Table | None = None
    number: int = 0


@dataclass(frozen=True, slots=True)
class Outline:
    """Parts, parents before what lies in them, the whole text first; and lines in order."""

    parts: list[Part]
    lines: list[Line]

    def edges(self) -> set[int]:
        """Where parts begin and end."""
        return {edge for part in self.parts for edge in (part.start, part.end)}


def build_outline(
    text: str,
    headings: Sequence[Heading],
    tables: Sequence[Table],
    *,
    above: Sequence[str] = (),
    fresh: Sequence[int] = (),
) -> Outline:
    """The outline of a text.

    Args:
        text: the text.
        headings: in order.
        tables: in order; no heading lies in one.
        above: path of headings above the whole text.
        fresh: where the headings before are over, such as the beginning of another sheet; in order.
    """
    builder = _Builder(text, tuple(above))
    events: list[tuple[int, int, Heading | Table | None]] = [
        *((heading.start, 1, heading) for heading in headings),
        *((table.start, 2, table) for table in tables),
        *((position, 0, None) for position in fresh),
    ]
    for position, _, event in sorted(events, key=lambda entry: entry[:2]):
        if event is None:
            builder.close(0, position)
        elif isinstance(event, Table):
            builder.add_table(event)
        else:
            builder.add_heading(event)
    builder.close(0, len(text))
    builder.bound_items()
    return Outline(builder.parts, builder.lines)


class _Builder:
    """Parts so far; those that are not over yet are in a stack, outermost first."""

    def __init__(self, text: str, above: tuple[str, ...]) -> None:
        self.parts = [Part(0, 0, len(text), -1, above, "text")]
        self.lines: list[Line] = []
        self._text = text
        self._open: list[tuple[int, HeadingMark, HeadingMark | None]] = []  # part, mark, mark inside a certain heading

    def close(self, depth: int, end: int) -> None:
        """End the open parts below this depth."""
        for index, _, _ in self._open[depth:]:
            self.parts[index].end = end
        del self._open[depth:]

    def add_table(self, table: Table) -> None:
        parent = self._parent()
        self.parts.append(Part(table.start, table.start, table.end, parent, self.parts[parent].path, "table", table))
        for index, row in enumerate(iter_rows(self._text, table)):
            self.lines.append(Line(row, table, table.first_row and table.first_row + index))

    def add_heading(self, heading: Heading) -> None:
        mark = heading.mark
        inner = _inner(heading)
        depth = self._depth_for(mark, inner)
        in_article = self._in_article()
        listed = heading.is_item or (mark.group == "arabic" and in_article)
        if mark.group == "han" and mark.style != "formal" and in_article and depth == len(self._open):
            listed = True  # 项 of an article
        self.close(self._depth_for_item(mark) if listed else depth, mark.start)
        parent = self._parent()
        path = self.parts[parent].path
        title = heading.title
        if in_article and listed and mark.group == "han":
            title = self._text[mark.start : mark.end].strip()
        elif listed:
            title = ""
        whole_line = heading.shape == "line" and not listed
        body = heading.end if whole_line else mark.start
        self.parts.append(
            Part(mark.start, body, -1, parent, (*path, title) if title else path, "item" if listed else "section")
        )
        if whole_line:
            self.lines.append(Line(Span(mark.start, heading.end)))
        if not listed:
            self._open.append((len(self.parts) - 1, mark, inner))

    def bound_items(self) -> None:
        """Let every item end with its own paragraph."""
        edges = sorted({part.start for part in self.parts} | {part.end for part in self.parts if part.end >= 0})
        following = dict(pairwise(edges))
        for part in self.parts:
            if part.end < 0:
                limit = following.get(part.start, len(self._text))
                paragraph = next(iter_paragraphs(self._text[part.start : limit]))
                part.end = part.start + paragraph.end

    def _depth_for_item(self, mark: HeadingMark) -> int:
        """How many of the open parts an item of a list with this mark stands in: 3. ends what 2. and (1) began."""
        depth = len(self._open)
        while depth:
            top = self._open[depth - 1][1]
            ended = top.rank > mark.rank or (top.style == mark.style and top.number < mark.number)
            if top.group != "arabic" or mark.group != "arabic" or not ended:
                break
            depth -= 1
        return depth

    def _parent(self) -> int:
        return self._open[-1][0] if self._open else 0

    def _in_article(self) -> bool:
        return any(mark.group == "ordinal" and mark.rank == ARTICLE for _, mark, _ in self._open)

    def _depth_for(self, mark: HeadingMark, inner: HeadingMark | None) -> int:
        """How many of the open parts a heading with this mark stands in."""
        if mark.group != "certain":
            for depth in range(len(self._open) - 1, -1, -1):
                if self._open[depth][1].style == mark.style:
                    return depth
        depth = len(self._open)
        while depth and _ends(self._open[depth - 1][1], self._open[depth - 1][2], mark, inner):
            depth -= 1
        return depth


def _inner(heading: Heading) -> HeadingMark | None:
    """The mark in the text of a heading that is known to be one: 第一章 in "## 第一章 总则"."""
    if heading.mark.group != "certain":
        return None
    marks = heading_marks(heading.title)
    return marks[0] if marks and marks[0].start == 0 else None


def _ends(top: HeadingMark, top_inner: HeadingMark | None, mark: HeadingMark, inner: HeadingMark | None) -> bool:
    """Whether a heading ends the part under another one that is open."""
    if mark.group == "certain":
        if top.group == "certain":
            return top.rank >= mark.rank
        return inner is None or not _stands_below(inner, top)
    if top.group == "certain":
        return top_inner is not None and top_inner.group == mark.group and top_inner.rank >= mark.rank
    if top.group == "named" and mark.group in ("han", "decimal"):
        return True  # a preface or an appendix stands beside what is numbered
    return _comparable(top, mark) and not _stands_below(mark, top)


def _comparable(a: HeadingMark, b: HeadingMark) -> bool:
    """Whether it is known which of the two stands higher; 一、 may stand above articles or in one."""
    groups = {a.group, b.group}
    if groups == {"ordinal", "han"}:
        return ARTICLE not in (a.rank, b.rank) or "formal" in (a.style, b.style)
    return groups != {"han", "decimal"}


def _stands_below(mark: HeadingMark, other: HeadingMark) -> bool:
    if other.rank == ARTICLE and mark.style == "formal":
        return False  # 壹、 never stands in an article
    return mark.rank > other.rank
