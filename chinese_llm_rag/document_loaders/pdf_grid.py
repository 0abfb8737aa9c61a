"""Rules of a page -> grids of cells. Pure; knows nothing of text.

A grid is where horizontal and vertical rules cross. Cells without a rule between them are one.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from chinese_llm_rag.document_loaders.pdf_chars import Boxes

_SNAP = 3.0  # points; rules as near as this meet, and are one where they lie side by side
_SHORTEST = 6.0
_MAX_RULES = 5_000  # as they are drawn, cell by cell
_MAX_JOINED = 400  # drawings have more, tables do not
_MAX_CELLS = 2_500


@dataclass(frozen=True, slots=True)
class Rule:
    """A straight line: at height or distance `at`, from `low` to `high`."""

    at: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell over the rows top..bottom and the columns left..right of a grid, ends exclusive, and its box."""

    top: int
    bottom: int
    left: int
    right: int
    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, slots=True)
class Grid:
    """Cells from the top left to the bottom right, and how many rows and columns there are."""

    cells: tuple[Cell, ...]
    n_rows: int
    n_columns: int


def sort_rules(rules: Boxes) -> tuple[list[Rule], list[Rule]]:
    """Horizontal rules from the top, vertical ones from the left; what continues a rule is joined to it."""
    across, down = [], []
    for x0, y0, x1, y1 in rules.tolist()[:_MAX_RULES]:
        if x1 - x0 >= _SHORTEST and y1 - y0 < 1:
            across.append(Rule((y0 + y1) / 2, x0, x1))
        elif y1 - y0 >= _SHORTEST and x1 - x0 < 1:
            down.append(Rule((x0 + x1) / 2, y0, y1))
    return _joined(across)[::-1], _joined(down)


def find_grids(across: Sequence[Rule], down: Sequence[Rule]) -> list[Grid]:
    """All grids with two rows and two columns or more."""
    grids: list[Grid] = []
    if len(across) + len(down) > _MAX_JOINED:
        return grids
    for rows, columns in _crossing(across, down):
        grid = _grid(rows, columns)
        if grid is not None:
            grids.append(grid)
    return grids


def _joined(rules: Iterable[Rule]) -> list[Rule]:
    lines: list[list[Rule]] = []
    for rule in sorted(rules, key=lambda r: r.at):
        if lines and rule.at - lines[-1][0].at <= _SNAP:
            lines[-1].append(rule)
        else:
            lines.append([rule])
    joined = []
    for line in lines:
        run: list[Rule] = []
        for rule in sorted(line, key=lambda r: r.low):
            if run and rule.low <= run[-1].high + _SNAP:
                run[-1] = Rule(run[-1].at, run[-1].low, max(run[-1].high, rule.high))
            else:
                run.append(rule)
        joined.extend(run)
    return joined


def _crossing(across: Sequence[Rule], down: Sequence[Rule]) -> list[tuple[list[Rule], list[Rule]]]:
    """Groups of rules that hang together by crossings."""
    parent = list(range(len(across) + len(down)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i, row in enumerate(across):
        for j, column in enumerate(down, len(across)):
            if row.low - _SNAP <= column.at <= row.high + _SNAP and column.low - _SNAP <= row.at <= column.high + _SNAP:
                parent[root(i)] = root(j)
    groups: dict[int, tuple[list[Rule], list[Rule]]] = defaultdict(lambda: ([], []))
    for i, rule in enumerate([*across, *down]):
        groups[root(i)][i >= len(across)].append(rule)
    return [group for group in groups.values() if group[0] and group[1]]


def _grid(across: list[Rule], down: list[Rule]) -> Grid | None:
    low = min(rule.low for rule in down), min(rule.low for rule in across)
    high = max(rule.high for rule in down), max(rule.high for rule in across)
    # Open sides: many tables have no rule at the left and the right.
    ys = _distinct([*(rule.at for rule in across), low[0], high[0]])[::-1]
    xs = _distinct([*(rule.at for rule in down), low[1], high[1]])
    n_rows, n_columns = len(ys) - 1, len(xs) - 1
    if n_rows < 2 or n_columns < 2 or n_rows * n_columns > _MAX_CELLS:
        return None
    owner = [[(r, c) for c in range(n_columns)] for r in range(n_rows)]
    for r in range(n_rows):
        for c in range(n_columns):
            y, x = (ys[r] + ys[r + 1]) / 2, (xs[c] + xs[c + 1]) / 2
            if c and not _is_ruled(down, xs[c], y):
                _merge(owner, owner[r][c - 1], owner[r][c])
            if r and not _is_ruled(across, ys[r], x):
                _merge(owner, owner[r - 1][c], owner[r][c])
    members: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for r in range(n_rows):
        for c in range(n_columns):
            members[owner[r][c]].append((r, c))
    cells = []
    for places in members.values():
        top, bottom = min(r for r, _ in places), max(r for r, _ in places) + 1
        left, right = min(c for _, c in places), max(c for _, c in places) + 1
        if (bottom - top) * (right - left) != len(places):
            return None  # no rectangle: a drawing
        cells.append(Cell(top, bottom, left, right, xs[left], ys[bottom], xs[right], ys[top]))
    return Grid(tuple(sorted(cells, key=lambda c: (c.top, c.left))), n_rows, n_columns)


def _merge(owner: list[list[tuple[int, int]]], keep: tuple[int, int], drop: tuple[int, int]) -> None:
    if keep == drop:
        return
    for row in owner:
        for c, place in enumerate(row):
            if place == drop:
                row[c] = keep


def _is_ruled(rules: Sequence[Rule], at: float, where: float) -> bool:
    return any(abs(rule.at - at) <= _SNAP and rule.low - _SNAP <= where <= rule.high + _SNAP for rule in rules)


def _distinct(values: Iterable[float]) -> list[float]:
    ordered = sorted(values)
    return [ordered[0], *(b for a, b in pairwise(ordered) if b - a > _SNAP)]
