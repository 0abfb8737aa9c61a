"""Notes in the margin, told apart from the text that they stand beside. Pure."""

import re
from collections.abc import Sequence

from chinese_llm_rag.document_loaders.pdf_lines import Piece

_WORD = re.compile(r"[^\W\d_]{2}")
_WIDE = 0.6  # of the page's usual long line
_ALIKE = 0.8  # of the wide lines lie over one another: the page has one column of text
_NARROW = 0.4  # of the column's width
_FEW = 0.25  # of the page's characters are in notes, or they are no notes


def margin_notes(pieces: Sequence[Piece]) -> frozenset[int]:
    """Which of the pieces stand beside the page's one column of text; none where there are more columns."""
    if len(pieces) < 6 or any(piece.vertical for piece in pieces):
        return frozenset()
    widths = sorted(piece.x1 - piece.x0 for piece in pieces)
    long = widths[int(0.9 * (len(widths) - 1))]
    wide = [piece for piece in pieces if piece.x1 - piece.x0 >= _WIDE * long]
    low = sorted(piece.x0 for piece in wide)[len(wide) // 2]
    high = sorted(piece.x1 for piece in wide)[len(wide) // 2]
    alike = sum(min(piece.x1, high) - max(piece.x0, low) > 0.7 * (piece.x1 - piece.x0) for piece in wide)
    if alike < _ALIKE * len(wide) or len(wide) < 3:
        return frozenset()
    notes = frozenset(
        number
        for number, piece in enumerate(pieces)
        if piece.x1 - piece.x0 < _NARROW * (high - low)
        and _WORD.search(piece.text)  # the numbers of pages, lines and formulas belong to their lines
        and (piece.x0 > high - 0.5 * piece.size or piece.x1 < low + 0.5 * piece.size)
    )
    n_chars = sum(len(piece.text) for piece in pieces)
    return notes if sum(len(pieces[number].text) for number in notes) < _FEW * n_chars else frozenset()
