"""Pages that have to be read from their picture: rendered, recognized, and put in place of what is not trusted."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

import numpy as np

from chinese_llm_rag.document_loaders import pdf_quality
from chinese_llm_rag.document_loaders.beat import beat
from chinese_llm_rag.document_loaders.ocr import PageRecognizer
from chinese_llm_rag.document_loaders.pdf_chars import Handle
from chinese_llm_rag.document_loaders.pdf_lines import Piece
from chinese_llm_rag.document_loaders.pdf_order import by_white_space
from chinese_llm_rag.document_loaders.pdf_page import PageRead

_DPI = 200
_MAX_SIDE = 3_000  # pixels; a page of a metre is rendered more coarsely
_MIN_SIDE = 32
_EM = 0.8  # of the height of a recognized line, which has some white around it
_SAME = 0.3
_COVERED = 0.5  # of a recognized line's area; such a line is there already as trusted text


def read_scans(document: Handle, pages: Sequence[PageRead], recognizer: PageRecognizer) -> frozenset[int]:
    """Read the pages that need it; which they were, counted from 0."""
    read = set()
    for number, page in enumerate(pages):
        if page.is_unreadable or not (page.is_scan or page.garbled or page.is_lost):
            continue
        beat()
        pieces = _recognized(document[number], page, recognizer)
        if pieces:
            _put_in(page, pieces)
            read.add(number)
    return frozenset(read)


def _recognized(pdf_page: Handle, page: PageRead, recognizer: PageRecognizer) -> list[Piece]:
    longest = max(page.width, page.height, 1.0)
    scale = min(_DPI / 72, _MAX_SIDE / longest)
    if min(page.width, page.height) * scale < _MIN_SIDE:
        return []
    try:
        bitmap = pdf_page.render(scale=scale, may_draw_forms=False)
        picture = np.array(bitmap.to_numpy()[:, :, :3] if bitmap.n_channels > 1 else bitmap.to_numpy())
        if picture.ndim == 2 or picture.shape[2] == 1:
            picture = np.repeat(picture.reshape(*picture.shape[:2], 1), 3, axis=2)
        bitmap.close()
    finally:
        pdf_page.close()
    lines = recognizer.recognize(np.ascontiguousarray(picture[:, :, ::-1]))  # PDFium gives BGR
    if not lines:
        return []
    usual = median(line.bottom - line.top for line in lines)
    return [
        Piece(
            line.text,
            line.left / scale,
            page.height - line.bottom / scale,
            line.right / scale,
            page.height - line.top / scale,
            _size(line.bottom - line.top, usual) / scale,
        )
        for line in lines
    ]


def _size(height: float, usual: float) -> float:
    """The em of a line whose ink is so high; lines of one size differ in it, lines of another size differ more."""
    return _EM * (usual if abs(height / usual - 1) < _SAME else height)


def _put_in(page: PageRead, lines: list[Piece]) -> None:
    """Recognized lines take the place of garbled ones; trusted text stays unless it is on such a line."""
    if page.is_scan or page.is_lost or page.is_out_of_place or 2 * page.n_garbled > page.n_letters:
        page.pieces, page.tables = by_white_space(lines), []
    else:
        replaced = [line for line in lines if any(_overlap(line, bad) > 0.2 for bad in page.garbled)]
        kept = [piece for piece in page.pieces if not any(_overlap(piece, line) > _COVERED for line in replaced)]
        page.pieces = _inserted(kept, replaced)
    page.garbled = []
    page.n_letters = sum(pdf_quality.count_letters(piece.text) for piece in page.pieces)
    page.n_garbled = 0


def _inserted(pieces: list[Piece], lines: list[Piece]) -> list[Piece]:
    """The pieces with each line before the first that stands below it in its column."""
    ordered = list(pieces)
    for line in by_white_space(lines):
        place = next(
            (
                number
                for number, piece in enumerate(ordered)
                if piece.middle < line.middle and min(piece.x1, line.x1) > max(piece.x0, line.x0)
            ),
            len(ordered),
        )
        ordered.insert(place, replace(line))
    return ordered


def _overlap(a: Piece, b: Piece) -> float:
    """The share of a's box that lies in b's."""
    width, height = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
    area = (a.x1 - a.x0) * (a.y1 - a.y0)
    return width * height / area if width > 0 and height > 0 and area > 0 else 0.0
