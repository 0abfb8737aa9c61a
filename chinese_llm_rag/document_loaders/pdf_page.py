"""One page of a PDF -> its pieces of text, the trusted ones apart from the garbled."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from chinese_llm_rag.document_loaders import pdf_quality
from chinese_llm_rag.document_loaders.compatibility import ordinary_symbols
from chinese_llm_rag.document_loaders.pdf_chars import (
    Drawing,
    Handle,
    PageChars,
    read_chars,
    read_drawing,
    read_fonts,
    read_tight_boxes,
)
from chinese_llm_rag.document_loaders.pdf_lines import Piece, find_pieces
from chinese_llm_rag.document_loaders.pdf_tables import Table, find_tables

HOLE = "〓"  # the printers' mark for characters that are missing
_PICTURE = 0.6  # of the page's area; a page with such a picture and few letters is a scan
_FEW_LETTERS = 50
_LOST = 0.4  # characters for each text object; with fewer, PDFium could not read the rest
_MANY_TEXTS = 20
_SAME_INK = 0.04  # of the size; boxes of one glyph do not differ by more


@dataclass(slots=True)
class PageRead:
    """What was read of a page.

    Attributes:
        pieces: trusted text, in the order of the file.
        garbled: pieces whose text is not to be trusted, where they stand; the text of a piece with holes is in
            `pieces` too.
        tables: the tables, whose text is in no piece.
        is_ocr_layer: the text is invisible, under a scan.
        is_lost: PDFium found text that it could not read.
        may_lack: the same, of some of the text, or of nothing but blanks.
        is_out_of_place: the pieces are in order, but not where they stand on the page.
    """

    width: float
    height: float
    pieces: list[Piece] = field(default_factory=list)
    garbled: list[Piece] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    n_letters: int = 0
    n_garbled: int = 0
    picture_share: float = 0.0
    is_drawn_on: bool = False
    is_ocr_layer: bool = False
    is_lost: bool = False
    may_lack: bool = False
    is_out_of_place: bool = False
    is_unreadable: bool = False

    @property
    def quality(self) -> pdf_quality.Quality:
        """How much of the page's text is trusted."""
        return pdf_quality.Quality(self.n_letters, self.n_garbled)

    def distrust(self, pieces: Sequence[Piece]) -> None:
        """Take pieces out of the trusted text."""
        self.garbled.extend(pieces)
        self.n_garbled += sum(pdf_quality.count_letters(piece.text) for piece in pieces)
        out = {id(piece) for piece in pieces}
        self.pieces = [piece for piece in self.pieces if id(piece) not in out]

    @property
    def n_trusted(self) -> int:
        """Letters that are trusted."""
        return self.n_letters - self.n_garbled

    @property
    def is_scan(self) -> bool:
        """Whether what is to be read on the page is in a picture."""
        if self.n_trusted == 0:
            return self.is_drawn_on
        return self.picture_share >= _PICTURE and self.n_trusted < _FEW_LETTERS


def read_page(page: Handle, text_page: Handle) -> PageRead:
    """The page's text as far as its text layer has it.

    Raises:
        OverflowError: more characters than a page can have.
    """
    chars = read_chars(page, text_page)
    drawing = read_drawing(page)
    pieces = find_pieces(chars)
    tables, pieces = find_tables(chars, pieces, drawing.rules)
    _name_fonts(text_page, pieces)
    read = PageRead(chars.width, chars.height, tables=tables)
    read.picture_share = drawing.picture_share
    read.is_drawn_on = bool(drawing.n_others or drawing.n_texts)
    read.is_ocr_layer = drawing.n_invisible > 0.5 * drawing.n_texts
    n_chars = sum(len(piece.text) for piece in pieces)
    read.is_lost = drawing.n_texts >= _MANY_TEXTS and n_chars < _LOST * drawing.n_texts
    read.may_lack = read.is_lost or drawing.n_dropped > 0
    spans = _garbled_spans(page, text_page, chars, pieces, drawing)
    inside = {id(piece) for table in tables for piece in table.pieces}
    for piece, found in zip(pieces, spans, strict=True):
        piece.text = ordinary_symbols(piece.text)
        take(read, piece, found, in_table=id(piece) in inside)
    return read


def take(read: PageRead, piece: Piece, garbled: Sequence[tuple[int, int]], *, in_table: bool = False) -> None:
    """Add a piece of which some characters are garbled to a page."""
    n_letters = pdf_quality.count_letters(piece.text)
    read.n_letters += n_letters
    if not garbled:
        if not in_table:
            read.pieces.append(piece)
        return
    n_garbled = sum(max(1, pdf_quality.count_letters(piece.text[start:end])) for start, end in garbled)
    read.n_garbled += min(n_letters, n_garbled)
    read.garbled.append(piece)
    text = piece.text
    for start, end in reversed(garbled):
        text = f"{text[:start]}{HOLE}{text[end:]}"
    if text != HOLE and not in_table:
        read.pieces.append(replace(piece, text=text))


def _name_fonts(text_page: Handle, pieces: Sequence[Piece]) -> None:
    chosen = [piece for piece in pieces if not piece.text.isascii()]
    for piece, font in zip(chosen, read_fonts(text_page, [piece.start for piece in chosen]), strict=True):
        piece.font = font


def _garbled_spans(
    page: Handle, text_page: Handle, chars: PageChars, pieces: Sequence[Piece], drawing: Drawing
) -> list[list[tuple[int, int]]]:
    text = ordinary_symbols("\n".join(piece.text for piece in pieces))
    from_ocr = drawing.n_invisible > 0.5 * drawing.n_texts
    spans = [pdf_quality.garbled_spans(ordinary_symbols(piece.text), from_ocr=from_ocr) for piece in pieces]
    if pdf_quality.is_suspicious(text):
        for number, bad in enumerate(_in_bad_fonts(text_page, pieces)):
            if bad:
                spans[number] = [(0, len(pieces[number].text))]
    for number, piece in enumerate(pieces):
        if not spans[number] and any(
            _differ(page, text_page, chars, piece, run) for run in pdf_quality.repeated_runs(piece.text)
        ):
            spans[number] = [(0, len(piece.text))]
    return spans


def _in_bad_fonts(text_page: Handle, pieces: Sequence[Piece]) -> list[bool]:
    """Which pieces are to a good part in fonts whose Latin letters are no language's."""
    places = [list(range(piece.start, piece.end)) for piece in pieces]
    fonts = [read_fonts(text_page, place) for place in places]
    texts: dict[str, list[str]] = defaultdict(list)
    for piece, names in zip(pieces, fonts, strict=True):
        if len(names) == len(piece.text):
            for name, character in zip(names, piece.text, strict=True):
                texts[name].append(character)
    texts.pop("", None)
    beyond = {name for name, found in texts.items() if pdf_quality.is_beyond_ascii("".join(found))}
    if not pdf_quality.is_no_western("".join(c for name in beyond for c in texts[name])):
        return [False] * len(pieces)
    return [bool(names) and sum(name in beyond for name in names) >= 0.3 * len(names) for names in fonts]


def _differ(page: Handle, text_page: Handle, chars: PageChars, piece: Piece, run: tuple[int, int]) -> bool:
    """Whether glyphs that are all given as one character differ: then the map is wrong."""
    if piece.end - piece.start != len(piece.text):
        return False
    start, end = run
    boxes = read_tight_boxes(page, text_page, list(range(piece.start + start, piece.start + end)))
    sizes = boxes[:, 2:] - boxes[:, :2]
    offsets = boxes[:, :2] - chars.boxes[piece.start + start : piece.start + end, :2]
    return bool(
        max((sizes.max(0) - sizes.min(0)).max(), (offsets.max(0) - offsets.min(0)).max()) > _SAME_INK * piece.size
    )
