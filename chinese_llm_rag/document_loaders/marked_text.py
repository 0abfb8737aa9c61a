"""A page's text as it grows from a file's parts: paragraphs, headings, tables. Pure."""

import re
from collections.abc import Sequence

from chinese_llm_rag.chinese_text import HAN
from chinese_llm_rag.schema import Mark

MAX_HEADING_LEVEL = 9
_LONGEST_NAME = 16  # of a column or row, in characters
_BROKEN_NAME = re.compile(rf"(?<={HAN})\s*[\n\r\v]\s*(?={HAN})")
_SPACE = re.compile(r"[ \t\r\f\v\xa0]*\n[ \t\r\f\v\xa0]*|[ \t\r\f\v]+")
_LINES = re.compile(r"\s*[\n\r\v\f\u2028\u2029]\s*")


class MarkedText:
    """Collects a page's text and the marks in it; blocks stand on lines of their own."""

    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._marks: list[Mark] = []
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def text(self) -> str:
        """The blocks so far, a line break between two."""
        return "\n".join(self._blocks)

    @property
    def marks(self) -> tuple[Mark, ...]:
        """Headings and tables so far, in order."""
        return tuple(self._marks)

    def paragraph(self, text: str) -> None:
        """Add a text, without white space around it; nothing where nothing is left."""
        self._add(text.strip())

    def heading(self, text: str, level: int) -> None:
        """Add a heading on one line; level 1 is the highest."""
        line = one_line(text)
        if line:
            start = self._add(line)
            self._marks.append(Mark("heading", start, start + len(line), min(max(level, 1), MAX_HEADING_LEVEL)))

    def table(self, rows: Sequence[Sequence[str]], *, n_header: int, first_row: int = 0) -> None:
        """Add rows of cells as Markdown; the first n_header rows are the header.

        A table of one cell a row is no table for a reader: its cells become paragraphs. That and empty rows
        stay as they are where the rows have numbers (first_row).
        """
        if not first_row:
            rows, n_header = _without_empty(rows, n_header)
        width = max(map(_filled_width, rows), default=0)
        if width < 2 and not first_row:
            for row in rows:
                for cell in row:
                    self.paragraph(cell)
            return
        if width == 0:
            return
        lines = [markdown_row(row[:width], width) for row in rows]
        header_size = 0
        if n_header:
            lines.insert(1, "|" + " --- |" * width)  # Markdown knows one row of header; more follow the dashes
            header_size = len("\n".join(lines[: n_header + 1]))
        text = "\n".join(lines)
        start = self._add(text)
        header_end = start + header_size if header_size else 0
        self._marks.append(Mark("table", start, start + len(text), header_end=header_end, first_row=first_row))

    def append(self, other: "MarkedText") -> None:
        """Add all blocks of another text, with their marks."""
        if not other.text:
            return
        start = self._add(other.text)
        self._marks.extend(shifted(mark, start) for mark in other.marks)

    def _add(self, block: str) -> int:
        """Where the block begins."""
        if not block:
            return self._size
        start = self._size + 1 if self._blocks else 0
        self._blocks.append(block)
        self._size = start + len(block)
        return start


def _without_empty(rows: Sequence[Sequence[str]], n_header: int) -> tuple[list[Sequence[str]], int]:
    kept = [(i, row) for i, row in enumerate(rows) if _filled_width(row)]
    return [row for _, row in kept], sum(i < n_header for i, _ in kept)


def _filled_width(row: Sequence[str]) -> int:
    """Number of cells up to the last that holds something."""
    return next((i for i in range(len(row), 0, -1) if row[i - 1].strip()), 0)


def shifted(mark: Mark, by: int) -> Mark:
    """The mark in a text that begins `by` characters earlier."""
    header_end = mark.header_end + by if mark.header_end else 0
    return Mark(mark.kind, mark.start + by, mark.end + by, mark.level, header_end, mark.first_row)


def markdown_row(cells: Sequence[str], width: int) -> str:
    """Cells as one row of a Markdown table, filled up to `width`."""
    shown = [_cell(cell).replace("|", "\\|") for cell in cells]
    return "|" + "".join(f" {cell} |" if cell else "  |" for cell in [*shown, *[""] * (width - len(cells))])


def _cell(text: str) -> str:
    """A cell on one line; a short name that was broken to fit its column is whole again."""
    text = text.strip()
    if len(text) <= _LONGEST_NAME:
        text = _BROKEN_NAME.sub("", text)
    return one_line(text)


def one_line(text: str) -> str:
    """The text without line breaks."""
    return _LINES.sub(" ", text.strip())


def spaced(text: str) -> str:
    """Markup's white space as a reader sees it: runs become one blank."""
    return _SPACE.sub(" ", text)
