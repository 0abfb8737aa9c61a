"""Tables of a page: ruled grids, and text in columns between horizontal rules. Pure.

A wrong table is worse than plain lines: what does not fit is left as text. Tables that only blanks
set out are left too; their lines keep the distance of their cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from chinese_llm_rag.document_loaders.page_lines import join_texts
from chinese_llm_rag.document_loaders.pdf_chars import Boxes, PageChars
from chinese_llm_rag.document_loaders.pdf_grid import Cell, Grid, Rule, find_grids, sort_rules
from chinese_llm_rag.document_loaders.pdf_lines import Piece, find_pieces
from chinese_llm_rag.document_loaders.pdf_order import by_white_space, empty_strips, is_text_column, same_line

_SLACK = 3.0  # points that text may stick out of its cell
_MIN_FILLED = 0.5  # of the cells of a grid
_MIN_CELLS = 4
_MAX_LINES = 4  # of the usual cell; with more, the grid only lays out the page
_STRIP = 0.6  # em; the least white space between two columns
_TALL = 0.5  # of the page; two rules further apart are those of header and footer


@dataclass(slots=True)
class Table:
    """A table: pieces by row and column, the first rows its header."""

    rows: list[list[list[Piece]]]
    n_header: int = 1
    y1: float = 0.0
    pieces: list[Piece] = field(default_factory=list)

    def texts(self) -> list[list[str]]:
        """The cells' texts."""
        return [[_cell_text(cell) for cell in row] for row in self.rows]


def find_tables(chars: PageChars, pieces: Sequence[Piece], rules: Boxes) -> tuple[list[Table], list[Piece]]:
    """The tables of a page, and all its pieces, cut where a rule of a table goes through one."""
    if len(rules) < 2 or not pieces:
        return [], list(pieces)
    across, down = sort_rules(rules)
    tables, rest, cut = [], list(pieces), []
    for grid in find_grids(across, down):
        inside, outside = _split(rest, *_bounds(grid))
        parts = [part for piece in inside for part in _cut_at_cells(chars, piece, grid)]
        table = _filled(grid, parts)
        if table is not None:
            tables.append(table)
            rest = outside
            cut.extend(parts)
    for top, *others in _bands(across, chars.height):
        inside, outside = _split(rest, top.low - _SLACK, others[-1].at, top.high + _SLACK, top.at)
        table = _aligned(inside, [rule.at for rule in (top, *others)])
        if table is not None:
            tables.append(table)
            rest = outside
            cut.extend(inside)
    kept = {id(piece) for piece in rest}
    in_order = sorted([*cut, *rest], key=lambda piece: piece.start)
    return tables, [piece for piece in pieces if id(piece) in kept] if not tables else in_order


def _bounds(grid: Grid) -> tuple[float, float, float, float]:
    return (
        min(cell.x0 for cell in grid.cells),
        min(cell.y0 for cell in grid.cells),
        max(cell.x1 for cell in grid.cells),
        max(cell.y1 for cell in grid.cells),
    )


def _split(pieces: Sequence[Piece], x0: float, y0: float, x1: float, y1: float) -> tuple[list[Piece], list[Piece]]:
    """Pieces in a box, and the others."""
    inside: list[Piece] = []
    outside: list[Piece] = []
    for piece in pieces:
        middle = (piece.x0 + piece.x1) / 2
        (inside if x0 <= middle <= x1 and y0 <= piece.middle <= y1 else outside).append(piece)
    return inside, outside


def _cut_at_cells(chars: PageChars, piece: Piece, grid: Grid) -> list[Piece]:
    """The piece, in parts where it lies over several cells."""
    row = [cell for cell in grid.cells if cell.y0 <= piece.middle <= cell.y1]
    if any(cell.x0 - _SLACK <= piece.x0 and piece.x1 <= cell.x1 + _SLACK for cell in row) or piece.end == piece.start:
        return [piece]
    middles = (chars.boxes[piece.start : piece.end, 0] + chars.boxes[piece.start : piece.end, 2]) / 2
    parts = []
    for cell in row:
        chosen = np.zeros(len(chars.codes), bool)
        chosen[piece.start : piece.end] = (middles >= cell.x0) & (middles < cell.x1)
        parts.extend(find_pieces(chars, chosen))
    return parts if sum(len(p.text.replace(" ", "")) for p in parts) == len(piece.text.replace(" ", "")) else [piece]


def _filled(grid: Grid, pieces: Sequence[Piece]) -> Table | None:
    """The grid with its text, if it looks like a table."""
    found: dict[Cell, list[Piece]] = {cell: [] for cell in grid.cells}
    for piece in pieces:
        middle = (piece.x0 + piece.x1) / 2
        home = next((c for c in grid.cells if c.x0 <= middle <= c.x1 and c.y0 <= piece.middle <= c.y1), None)
        if home is None or piece.x0 < home.x0 - _SLACK - piece.size or piece.x1 > home.x1 + _SLACK + piece.size:
            return None
        found[home].append(piece)
    filled = [cell for cell, text in found.items() if text]
    n_rows, n_columns = len({cell.top for cell in filled}), len({cell.left for cell in filled})
    if len(filled) < max(_MIN_CELLS, _MIN_FILLED * len(grid.cells)) or n_rows < 2 or n_columns < 2:
        return None
    if median(len(_lines(found[cell])) for cell in filled) > _MAX_LINES:
        return None
    rows: list[list[list[Piece]]] = [[[] for _ in range(grid.n_columns)] for _ in range(grid.n_rows)]
    for cell, text in found.items():
        rows[cell.top][cell.left] = text
    used = [c for c in range(grid.n_columns) if any(row[c] for row in rows)]
    rows = [[row[c] for c in used] for row in rows if any(row)]
    return Table(rows, y1=max(cell.y1 for cell in grid.cells), pieces=list(pieces))


def _bands(across: Sequence[Rule], page_height: float) -> list[list[Rule]]:
    """Rules of the same length under one another, as over, in and under a table."""
    groups: list[list[Rule]] = []
    for rule in across:
        group = next(
            (g for g in groups if abs(g[0].low - rule.low) < _SLACK and abs(g[0].high - rule.high) < _SLACK), None
        )
        if group is None:
            groups.append([rule])
        else:
            group.append(rule)
    return [
        group
        for group in groups
        if len(group) >= 3 or (len(group) == 2 and group[0].at - group[1].at < _TALL * page_height)
    ]


def _aligned(pieces: list[Piece], rules: list[float]) -> Table | None:
    """Text between rules as a table, if white space parts it into columns all the way down."""
    lines = _lines(pieces)
    if len(lines) < 3:
        return None
    size = sorted(piece.size for piece in pieces)[len(pieces) // 2]
    strips = [(a, b) for a, b in empty_strips(pieces) if b - a >= _STRIP * size]
    edges = [(a + b) / 2 for a, b in strips]
    if not edges:
        return None
    columns = [[p for p in pieces if sum(p.x0 > e for e in edges) == c] for c in range(len(edges) + 1)]
    if len(columns) == 2 and all(is_text_column(column) for column in columns):
        return None
    rows: list[tuple[list[list[Piece]], float]] = []
    for line in lines:
        row: list[list[Piece]] = [[] for _ in columns]
        for piece in line:
            row[sum(piece.x0 > e for e in edges)].append(piece)
        is_ruled_off = any(rows[-1][1] > rule > line[0].middle for rule in rules) if rows else True
        if row[0] or is_ruled_off:
            rows.append((row, line[0].middle))
        else:  # a cell that goes on
            for cell, more in zip(rows[-1][0], row, strict=True):
                cell.extend(more)
            rows[-1] = (rows[-1][0], line[0].middle)
    n_full = sum(sum(bool(cell) for cell in row) >= 2 for row, _ in rows)
    if len(rows) < 3 or n_full < 0.8 * len(rows):
        return None
    inner = [rule for rule in rules[1:-1] if rule < rows[0][1]]
    n_header = sum(middle > inner[0] for _, middle in rows) if inner else 1
    return Table(
        [row for row, _ in rows], n_header if n_header < len(rows) / 2 else 1, y1=rules[0], pieces=list(pieces)
    )


def _lines(pieces: Sequence[Piece]) -> list[list[Piece]]:
    lines: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda p: -p.middle):
        if lines and same_line(lines[-1][0], piece):
            lines[-1].append(piece)
        else:
            lines.append([piece])
    return [sorted(line, key=lambda p: p.x0) for line in lines]


def _cell_text(pieces: Sequence[Piece]) -> str:
    text = ""
    for piece in by_white_space(pieces):
        text = join_texts(text, piece.text.strip())
    return text


def place_tables(pieces: Sequence[Piece], tables: Sequence[Table]) -> list[list[Piece] | Table]:
    """Runs of pieces and the tables between them, each table before the first piece that the file has after it."""
    parts: list[list[Piece] | Table] = [[]]
    waiting = sorted(tables, key=lambda table: min(piece.start for piece in table.pieces))
    ends = {id(table): max(piece.end for piece in table.pieces) for table in waiting}
    for piece in pieces:
        while waiting and piece.start >= ends[id(waiting[0])] and piece.middle < waiting[0].y1:
            parts.extend((waiting.pop(0), []))
        last = parts[-1]
        assert isinstance(last, list)
        last.append(piece)
    for table in waiting:
        parts.extend((table, []))
    return [part for part in parts if part]
