"""Tables in a text: rows of Markdown, as loaders mark them or as they stand in the text. Pure."""

import bisect
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from chinese_llm_rag.schema import Span

_BLANK = "[ \\t]*+"
_DASH_CELL = f"{_BLANK}:?-++:?{_BLANK}"
_DASHES = re.compile(rf"^{_BLANK}\|?{_DASH_CELL}(?:\|{_DASH_CELL})*+(?:\|{_BLANK})?\r?$", re.MULTILINE)
_CELL_EDGE = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows start..end of a text.

    Attributes:
        start: of its first row.
        end: of its last row.
        header_end: of its header, the line of dashes included; `start` where it has none.
        header: its header as shown with a piece of it, which may stand elsewhere; "" where it has none.
        first_row: number that the file gives its first row, the header included; 0 where rows have none.
    """

    start: int
    end: int
    header_end: int
    header: str
    first_row: int = 0

    @property
    def span(self) -> Span:
        """Its rows."""
        return Span(self.start, self.end)


def marked_tables(text: str, marks: Iterable[Table]) -> list[Table]:
    """Tables that a loader marks, in order; one that goes on over a page break is one table.

    It goes on where nothing but white space stands between two tables of as many columns, and the second
    has no header.
    """
    tables: list[Table] = []
    for table in marks:
        before = tables[-1] if tables else None
        if before is not None and _goes_on(text, before, table):
            tables[-1] = replace(before, end=table.end)
        else:
            tables.append(table)
    return tables


def _goes_on(text: str, before: Table, table: Table) -> bool:
    if text[before.end : table.start].strip() or before.first_row or table.first_row or not before.header:
        return False
    return not table.header and _columns(_line(text, before.start)) == _columns(_line(text, table.start))


def find_tables(text: str, known: Sequence[Table] = ()) -> list[Table]:
    """The known tables and the other Markdown tables of a text, in order."""
    if "|" not in text:
        return list(known)
    found: list[Table] = []
    for match in _DASHES.finditer(text):
        if "|" not in match.group() or (found and match.start() < found[-1].end):
            continue
        table = _table_at(text, match.start(), match.end())
        if table and (not found or found[-1].end <= table.start) and not _overlaps(table, known):
            found.append(table)
    return sorted([*known, *found], key=lambda table: table.start)


def _overlaps(table: Table, others: Sequence[Table]) -> bool:
    """Whether the table has characters in common with others, which are in order."""
    index = bisect.bisect_left(others, table.end, key=lambda other: other.start) - 1
    return index >= 0 and others[index].end > table.start


def continued_table(text: str, header: str) -> Table | None:
    """The rows at the beginning of a piece of a table whose header stands elsewhere."""
    end = _rows_end(text, 0)
    return Table(0, end, 0, header) if end else None


def iter_rows(text: str, table: Table) -> Iterable[Span]:
    """Its header as one, and its rows, with the line breaks after them; they tile the table."""
    start = table.start
    if table.header_end > table.start:
        start = min(_line_end(text, table.header_end), table.end)
        yield Span(table.start, start)
    while start < table.end:
        end = min(_line_end(text, start), table.end)
        yield Span(start, end)
        start = end


def _table_at(text: str, dashes: int, dashes_end: int) -> Table | None:
    """The table with this line of dashes; None where no header stands above it."""
    if not dashes:
        return None
    start = text.rfind("\n", 0, dashes - 1) + 1
    header = text[start : dashes - 1]
    if "|" not in header or _columns(header) != _columns(text[dashes:dashes_end]):
        return None
    end = _rows_end(text, min(dashes_end + 1, len(text))) or dashes_end
    while text[end - 1] in "\r\n":
        end -= 1
    header_end = min(dashes_end, end)
    return Table(start, end, header_end, text[start:header_end].rstrip())


def _rows_end(text: str, start: int) -> int:
    """End of the lines with cells that follow one another from start on; 0 where there are none."""
    end = 0
    while start < len(text):
        line = _line(text, start)
        if not _CELL_EDGE.search(line):
            break
        end = start + len(line)
        start = end + 1
    return end


def _line(text: str, start: int) -> str:
    end = text.find("\n", start)
    return text[start:] if end < 0 else text[start:end]


def _line_end(text: str, start: int) -> int:
    """Where the line that `start` lies in is over, its line break included."""
    end = text.find("\n", start)
    return len(text) if end < 0 else end + 1


def _columns(row: str) -> int:
    return len(_CELL_EDGE.findall(row.strip().strip("|"))) + 1
