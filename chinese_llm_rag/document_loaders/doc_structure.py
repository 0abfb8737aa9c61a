"""The inside of a Word 97-2003 file: its text by character positions, and what its paragraphs are. Pure.

After [MS-DOC]: File Information Block, piece table (2.4.1), paragraph properties (2.4.6), styles (2.9.271).
"""

import bisect
import struct
from dataclasses import dataclass

_MAGIC = 0xA5EC
_WORD_97 = 0xC1
_PAIRS = 154  # where the table of (offset, size) pairs begins
_STYLES, _PARAGRAPHS, _PIECES = 1, 13, 33  # pairs of that table
_PAGE = 512
_COMPRESSED = 0x40000000
_N_HEADING_STYLES = 9
_TITLE_STYLE = 62
_MAX_BASES = 20
_VARIABLE = 6
_OPERAND_SIZES = (1, 1, 2, 4, 2, 2, 0, 3)
_IN_TABLE, _ROW_END, _DEPTH, _OUTLINE, _TABLE_DEFINITION = 0x2416, 0x2417, 0x6649, 0x2640, 0xD608
_BODY_OUTLINE = 9

# Which text a range of characters is, in the order in which they follow one another.
STORIES = ("body", "footnotes", "headers", "macros", "comments", "endnotes", "text boxes", "header text boxes")


class DocFormatError(Exception):
    """The file is not as the format has it; the text says what."""


class DocEncryptedError(Exception):
    """The file is encrypted."""


@dataclass(frozen=True, slots=True)
class ParagraphKind:
    """What a paragraph is: heading level from 1, 0 for none; in a table; the end of a table's row."""

    heading: int = 0
    in_table: bool = False
    ends_row: bool = False
    depth: int = 0  # of tables in one another


class DocStructure:
    """The parts of a file that its text is put together from.

    Raises:
        DocFormatError: damaged, or from before Word 97.
        DocEncryptedError: encrypted.
    """

    def __init__(self, main: bytes, tables: dict[str, bytes]) -> None:
        self._main = main
        try:
            self._table = tables[self._check_header()]
            self._starts, self._pieces = self._read_pieces()
            self.text = self._read_text()
            self._runs, self._run_kinds = self._read_paragraphs()
            counts = struct.unpack_from("<8i", main, 76)
        except (struct.error, IndexError, KeyError, ValueError) as error:
            raise DocFormatError(str(error)) from error
        if any(count < 0 for count in counts):
            raise DocFormatError("text sizes")
        self._counts = counts

    def _check_header(self) -> str:
        """The name of the stream that holds the tables."""
        magic, version = struct.unpack_from("<HH", self._main, 0)
        flags = struct.unpack_from("<H", self._main, 10)[0]
        if magic != _MAGIC or version < _WORD_97:
            raise DocFormatError("Word 95 or older" if magic in (0xA5DC, 0xA5DB, _MAGIC) else "no Word header")
        if flags & 0x0100:
            raise DocEncryptedError
        return "1Table" if flags & 0x0200 else "0Table"

    def _pair(self, index: int) -> bytes:
        offset, size = struct.unpack_from("<II", self._main, _PAIRS + 8 * index)
        part = self._table[offset : offset + size]
        if len(part) < size:
            raise DocFormatError("cut off")
        return part

    def _read_pieces(self) -> tuple[list[int], list[int]]:
        """Where the pieces begin in the text, its end last; and where each lies in the file."""
        data, at = self._pair(_PIECES), 0
        while at < len(data) and data[at] == 1:  # properties that pieces refer to
            at += 3 + struct.unpack_from("<H", data, at + 1)[0]
        if at >= len(data) or data[at] != 2:
            raise DocFormatError("no piece table")
        size = struct.unpack_from("<I", data, at + 1)[0]
        n = (size - 4) // 12
        starts = list(struct.unpack_from(f"<{n + 1}I", data, at + 5))
        descriptors = at + 5 + 4 * (n + 1)
        pieces = [struct.unpack_from("<I", data, descriptors + 8 * i + 2)[0] for i in range(n)]
        if starts != sorted(starts) or 2 * starts[-1] > 2 * len(self._main):
            raise DocFormatError("piece table")
        return starts, pieces

    def _read_text(self) -> list[str]:
        """One string for each piece, a character for each position: pairs of surrogates stay apart."""
        texts = []
        for start, end, piece in zip(self._starts, self._starts[1:], self._pieces, strict=False):
            n = end - start
            if piece & _COMPRESSED:
                offset = (piece & ~_COMPRESSED) // 2
                text = self._main[offset : offset + n].decode("cp1252", "replace")
            else:
                units = struct.unpack_from(f"<{n}H", self._main, piece)
                text = "".join(map(chr, units))
            if len(text) < n:
                raise DocFormatError("cut off")
            texts.append(text)
        return texts

    def _read_paragraphs(self) -> tuple[list[int], list[ParagraphKind]]:
        """File offsets where runs of paragraph properties begin, in order, and what they are."""
        table = self._pair(_PARAGRAPHS)
        n = (len(table) - 4) // 8
        styles = self._read_styles()
        runs: dict[int, ParagraphKind] = {}
        for page in struct.unpack_from(f"<{n}I", table, 4 * (n + 1)):
            begin = (page & 0x3FFFFF) * _PAGE
            block = self._main[begin : begin + _PAGE]
            count = block[_PAGE - 1]
            starts = struct.unpack_from(f"<{count}I", block, 0)
            for i, start in enumerate(starts):
                offset = 2 * block[4 * (count + 1) + 13 * i]
                runs[start] = _kind(block, offset, styles) if offset else ParagraphKind()
        ordered = sorted(runs)
        return ordered, [runs[start] for start in ordered]

    def _read_styles(self) -> list[int]:
        """The heading level of each style, 0 for none."""
        data = self._pair(_STYLES)
        size = struct.unpack_from("<H", data, 0)[0]
        n = struct.unpack_from("<H", data, 2)[0]
        at = 2 + size
        levels: list[int] = []
        bases: list[int] = []
        for _ in range(n):
            length = struct.unpack_from("<H", data, at)[0]
            name, base = struct.unpack_from("<HH", data, at + 2) if length >= 4 else (0, 0)
            number = name & 0x0FFF
            levels.append(number if 1 <= number <= _N_HEADING_STYLES else int(number == _TITLE_STYLE and length > 0))
            bases.append(base >> 4)
            at += 2 + length + length % 2
        for i in range(n):
            base, steps = bases[i], 0
            while not levels[i] and base < n and steps < _MAX_BASES:
                levels[i] = levels[base]
                base, steps = bases[base], steps + 1
        return levels

    def story(self, name: str) -> tuple[int, int]:
        """Where a text begins and ends in character positions."""
        index = STORIES.index(name)
        start = sum(self._counts[:index])
        return start, start + self._counts[index]

    def characters(self, start: int, end: int) -> str:
        """The characters from one position to another."""
        first = max(bisect.bisect_right(self._starts, start) - 1, 0)
        parts = []
        for i in range(first, len(self.text)):
            begin = self._starts[i]
            if begin >= end:
                break
            parts.append(self.text[i][max(start - begin, 0) : end - begin])
        return "".join(parts)

    def kind_at(self, position: int) -> ParagraphKind:
        """What the paragraph is whose end mark stands at a position."""
        i = bisect.bisect_right(self._starts, position) - 1
        if not 0 <= i < len(self._pieces):
            return ParagraphKind()
        piece, inside = self._pieces[i], position - self._starts[i]
        offset = (piece & ~_COMPRESSED) // 2 + inside if piece & _COMPRESSED else piece + 2 * inside
        run = bisect.bisect_right(self._runs, offset) - 1
        return self._run_kinds[run] if run >= 0 else ParagraphKind()


def _kind(block: bytes, offset: int, styles: list[int]) -> ParagraphKind:
    size = 2 * block[offset] - 1 if block[offset] else 2 * block[offset + 1]
    begin = offset + (1 if block[offset] else 2)
    properties = block[begin : begin + size]
    style = struct.unpack_from("<H", properties, 0)[0]
    heading = styles[style] if style < len(styles) else 0
    in_table = ends_row = False
    depth = 0
    for code, operand in _sprms(properties[2:]):
        value = int.from_bytes(operand, "little")
        if code == _IN_TABLE:
            in_table = value != 0
        elif code == _ROW_END:
            ends_row = value != 0
        elif code == _DEPTH:
            depth = value
        elif code == _OUTLINE:
            heading = value + 1 if value < _BODY_OUTLINE else 0
    return ParagraphKind(heading, in_table, ends_row, depth)


def _sprms(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    at = 0
    while at + 2 <= len(data):
        code = struct.unpack_from("<H", data, at)[0]
        at += 2
        size = _OPERAND_SIZES[code >> 13]
        if code >> 13 == _VARIABLE and at < len(data):
            wide = code == _TABLE_DEFINITION
            size = (int.from_bytes(data[at : at + 2], "little") - 1 if wide else data[at]) if at < len(data) else 0
            at += 2 if wide else 1
        found.append((code, data[at : at + size]))
        at += size
    return found
