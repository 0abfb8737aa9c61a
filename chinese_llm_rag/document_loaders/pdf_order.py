"""Pieces of a page -> the order in which they are read. Pure.

The order in which a file draws its text is nearly always the one in which it was written, and nothing on
the page tells a margin note from a column as surely. So it is kept, unless it visibly is not a reading order:
lines of two columns drawn in turns, or pieces drawn upwards or at random. Then the page's white space
decides.
"""

from collections.abc import Sequence
from itertools import pairwise

from chinese_llm_rag.document_loaders.pdf_lines import Piece

_MIN_COLUMN_LINES = 4
_FULL = 0.7  # of a column's width; most lines of running text are as long
_GUTTER = 0.8  # em; the least distance of two columns
_BAND = 1.2  # em; white space that parts more than lines
_MAX_DEPTH = 12
_MANY_PIECES = 3_000  # drawings; cutting them is slow and gains nothing


def reading_order(pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces as they are read; vertical columns from right to left."""
    if len(pieces) < 3 or len(pieces) > _MANY_PIECES:
        return list(pieces)
    if sum(piece.vertical for piece in pieces) * 2 > len(pieces):
        return list(pieces) if _runs_leftward(pieces) else _right_to_left(pieces)
    if not _is_woven(pieces) and not _climbs(pieces):
        return list(pieces)
    return by_white_space(pieces)


def by_white_space(pieces: Sequence[Piece]) -> list[Piece]:
    """Top to bottom, column by column, whatever order the pieces come in."""
    return _by_cuts(list(pieces), 0)


def same_line(a: Piece, b: Piece) -> bool:
    """Whether two horizontal pieces stand on one line."""
    return abs(a.middle - b.middle) < 0.45 * max(a.size, b.size)


def _is_woven(pieces: Sequence[Piece]) -> bool:
    """Whether the order jumps between two columns of running text line by line."""
    split = _find_gutter(pieces)
    if split is None:
        return False
    left, right, _ = split
    side = {id(p): 0 for p in left} | {id(p): 1 for p in right}
    sides = [side[id(p)] for p in pieces if id(p) in side]
    jumps = sum(a != b for a, b in pairwise(sides))
    return jumps > 3 and jumps > 0.3 * min(len(left), len(right))


def _climbs(pieces: Sequence[Piece]) -> bool:
    """Whether the order often goes upwards within a column, as no reader does."""
    steps = climbs = 0
    for a, b in pairwise(pieces):
        if same_line(a, b):
            steps += 1
            climbs += b.x1 <= a.x0
            continue
        if min(a.x1, b.x1) - max(a.x0, b.x0) > 0:
            steps += 1
            climbs += b.middle > a.middle
    return climbs > 2 and climbs > 0.25 * steps


def _find_gutter(pieces: Sequence[Piece]) -> tuple[list[Piece], list[Piece], list[Piece]] | None:
    """Left and right column of running text with white space between, and what lies across both."""
    if len(pieces) < 2 * _MIN_COLUMN_LINES:
        return None
    x0, x1 = min(p.x0 for p in pieces), max(p.x1 for p in pieces)
    width = x1 - x0
    narrow = [p for p in pieces if p.x1 - p.x0 < 0.62 * width]
    size = sorted(p.size for p in pieces)[len(pieces) // 2]
    best: tuple[int, float] | None = None
    for low, high in empty_strips(narrow, max(1, 0.05 * len(narrow))):
        middle = (low + high) / 2
        if high - low >= _GUTTER * size and 0.2 < (middle - x0) / width < 0.8:
            weight = min(sum(p.x1 <= middle for p in narrow), sum(p.x0 >= middle for p in narrow))
            if best is None or weight > best[0]:
                best = (weight, middle)
    if best is None:
        return None
    left = [p for p in pieces if p.x1 <= best[1]]
    right = [p for p in pieces if p.x0 >= best[1]]
    sides = {id(p) for p in left} | {id(p) for p in right}
    if is_text_column(left) and is_text_column(right):
        return left, right, [p for p in pieces if id(p) not in sides]
    return None


def empty_strips(pieces: Sequence[Piece], few: float = 0) -> list[tuple[float, float]]:
    """Stretches of x between pieces over which none, or at most a few, of them lie."""
    edges = sorted([(p.x0, 1) for p in pieces] + [(p.x1, -1) for p in pieces])
    gaps, depth, since = [], 0, None
    for x, step in edges:
        depth += step
        if depth <= few and since is None:
            since = x
        elif depth > few and since is not None:
            gaps.append((since, x))
            since = None
    return gaps


def is_text_column(pieces: Sequence[Piece]) -> bool:
    """Whether these are lines of running text: most reach across their column, and none stands beside another."""
    if len(pieces) < _MIN_COLUMN_LINES:
        return False
    widths = sorted(p.x1 - p.x0 for p in pieces)
    usual = widths[int(len(widths) * 0.8)]
    full = sum(w >= _FULL * usual for w in widths)
    size = sorted(p.size for p in pieces)[len(pieces) // 2]
    return full >= 0.5 * len(pieces) and usual >= 8 * size


def _by_cuts(pieces: list[Piece], depth: int) -> list[Piece]:
    """Cut at a gutter of two columns, else at the widest horizontal white space, until nothing is left to cut."""
    if len(pieces) < 2 or depth > _MAX_DEPTH:
        return _by_rows(pieces)
    split = _find_gutter(pieces)
    if split is None:
        upper, lower = _halves(pieces)
        return _by_cuts(upper, depth + 1) + _by_cuts(lower, depth + 1) if upper else _by_rows(pieces)
    left, right, across = split
    # What lies across both columns divides them into bands.
    ordered: list[Piece] = []
    for piece in sorted(across, key=lambda p: -p.middle):
        for column in (left, right):
            ordered += _by_cuts([p for p in column if p.middle > piece.middle], depth + 1)
        left = [p for p in left if p.middle <= piece.middle]
        right = [p for p in right if p.middle <= piece.middle]
        ordered.append(piece)
    return ordered + _by_cuts(left, depth + 1) + _by_cuts(right, depth + 1)


def _halves(pieces: Sequence[Piece]) -> tuple[list[Piece], list[Piece]]:
    """What is above and below the widest horizontal white space; nothing above where there is only that of lines."""
    ordered = sorted(pieces, key=lambda p: -p.y1)
    size = sorted(p.size for p in pieces)[len(pieces) // 2]
    low, widest, place = ordered[0].y0, _BAND * size, 0
    for number, piece in enumerate(ordered[1:], 1):
        if low - piece.y1 > widest:
            widest, place = low - piece.y1, number
        low = min(low, piece.y0)
    return ordered[:place], ordered[place:]


def _by_rows(pieces: Sequence[Piece]) -> list[Piece]:
    rows: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda p: -p.middle):
        if rows and same_line(rows[-1][0], piece):
            rows[-1].append(piece)
        else:
            rows.append([piece])
    return [piece for row in rows for piece in sorted(row, key=lambda p: p.x0)]


def _runs_leftward(pieces: Sequence[Piece]) -> bool:
    """Whether vertical columns follow one another downwards and to the left."""
    steps = back = 0
    for a, b in pairwise(pieces):
        steps += 1
        back += b.x0 > a.x1 + a.size and b.y1 > a.y0
    return back <= 0.2 * steps


def _right_to_left(pieces: Sequence[Piece]) -> list[Piece]:
    columns: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda p: -(p.x0 + p.x1)):
        if columns and piece.x1 > (columns[-1][0].x0 + columns[-1][0].x1) / 2:
            columns[-1].append(piece)
        else:
            columns.append([piece])
    return [piece for column in columns for piece in sorted(column, key=lambda p: -p.y1)]
