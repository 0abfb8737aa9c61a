"""Pages whose text PDFium finds but cannot read, by another extractor (pypdf).

PDFium leaves text out when its font is not in the file and no font of the machine has the characters. pypdf
needs no font, only the encoding's name; it gives lines without their places.
"""

import io
import warnings
from collections.abc import Sequence

from chinese_llm_rag.chinese_text import display_width
from chinese_llm_rag.document_loaders import pdf_quality
from chinese_llm_rag.document_loaders.page_lines import clean_line
from chinese_llm_rag.document_loaders.pdf_lines import Piece
from chinese_llm_rag.document_loaders.pdf_page import PageRead, take

_MORE = 1.02  # times the letters that PDFium has
_SIZE = 10.0  # points; only proportions matter


def read_lost_pages(pages: Sequence[PageRead], data: bytes, passwords: Sequence[str]) -> None:
    """Replace the text of the pages that may lack some, where the other extractor has more."""
    lost = [number for number, page in enumerate(pages) if page.may_lack]
    if not lost:
        return
    import logging  # noqa: PLC0415

    import pypdf  # noqa: PLC0415  (needed for few files)

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            reader = pypdf.PdfReader(io.BytesIO(data))
            if reader.is_encrypted and not any(reader.decrypt(password) for password in ("", *passwords)):
                return
            texts = [(number, reader.pages[number].extract_text()) for number in lost]
        except (pypdf.errors.PyPdfError, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
            return  # a damaged file: the page stays lost and is named so
    for number, text in texts:
        _replace(pages[number], text)


def _replace(page: PageRead, text: str) -> None:
    """Take over the other extractor's text where more of it is trusted."""
    other = PageRead(page.width, page.height)
    for row, line in enumerate(clean_line(line) for line in text.splitlines()):
        if line:
            y = -row * 1.5 * _SIZE
            piece = Piece(line, 0, y, display_width(line) * _SIZE / 2, y + _SIZE, _SIZE)
            take(other, piece, pdf_quality.garbled_spans(line, from_ocr=page.is_ocr_layer))
    if pdf_quality.is_no_chinese(text) or other.n_trusted <= _MORE * page.n_trusted:
        return
    page.pieces, page.garbled, page.tables = other.pieces, other.garbled, []
    page.n_letters, page.n_garbled = other.n_letters, other.n_garbled
    page.is_lost = False
    page.is_out_of_place = True
