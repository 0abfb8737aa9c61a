"""Numbered rows of a sheet or a CSV file -> headings and tables of a page. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence

from chinese_llm_rag.document_loaders.marked_text import MarkedText

_NUMBER = re.compile(r"[-+(]?[¥$€￥]?\s?[\d,.]*\d\)?\s?[%‰]?$")
_DATE = re.compile(r"\d{2,4}[-/.年]\d{1,2}(?:[-/.月]|$)")
_LONGEST_TITLE = 80

Row = tuple[int, Sequence[str]]  # its number in the file, its cells


def add_rows(page: MarkedText, rows: Iterable[Row], *, header_depth: dict[int, int] | None = None) -> None:
    """Add rows to a page: a table for each run without an empty row, titles above a table as headings.

    Args:
        page: grows by the rows.
        rows: in order.
        header_depth: number of a row -> how many rows its deepest merged cell reaches down.
    """
    for block in _blocks(rows):
        width = max(sum(1 for cell in cells if cell.strip()) for _, cells in block)
        body = list(block)
        while width > 1 and len(body) > 1 and (title := _only_cell(body[0][1])):
            if len(title) <= _LONGEST_TITLE:
                page.heading(title, 1)
            else:
                page.paragraph(title)
            body.pop(0)
        first_number = body[0][0]
        depth = (header_depth or {}).get(first_number, 1)
        n_header = min(depth, len(body) - 1) if names_columns([cells for _, cells in body]) else 0
        page.table(_trimmed([cells for _, cells in body]), n_header=n_header, first_row=first_number)


def _blocks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    block: list[Row] = []
    for number, cells in rows:
        filled = any(cell.strip() for cell in cells)
        if block and (not filled or number != block[-1][0] + 1):
            yield block
            block = []
        if filled:
            block.append((number, cells))
    if block:
        yield block


def _only_cell(cells: Sequence[str]) -> str:
    filled = [cell.strip() for cell in cells if cell.strip()]
    return filled[0] if len(filled) == 1 else ""


def names_columns(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row is a header: names, where the table has values."""
    if len(rows) < 2:
        return False
    names = [cell.strip() for cell in rows[0] if cell.strip()]
    n_columns = max(sum(1 for cell in row if cell.strip()) for row in rows)
    return 2 * len(names) > n_columns and not any(_NUMBER.match(name) or _DATE.match(name) for name in names)


def _trimmed(rows: list[Sequence[str]]) -> list[Sequence[str]]:
    """The rows without columns that are empty on the left."""
    left = min((i for row in rows for i, cell in enumerate(row) if cell.strip()), default=0)
    return [row[left:] for row in rows]
