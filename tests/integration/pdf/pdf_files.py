"""PDFs written byte by byte, with every character where a test wants it."""

import zlib
from collections.abc import Callable, Iterable
from itertools import groupby

WIDTH, HEIGHT = 595, 842
_CODES = 200  # a simple font has at most 255
_PICTURE = b"/Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8"


def text(x: float, y: float, characters: str, size: float = 10) -> tuple[float, float, str, float]:
    """Characters from the baseline (x, y) to the right; Han ones as wide as `size`, ASCII half as wide."""
    return x, y, characters, size


def lines(x: float, y: float, rows: Iterable[str], size: float = 10, pitch: float = 15) -> list[tuple]:
    """Rows of text downwards."""
    return [text(x, y - number * pitch, row, size) for number, row in enumerate(rows)]


def column(x: float, y: float, characters: str, size: float = 10) -> list[tuple]:
    """Characters one under the other, as in vertical text."""
    return [text(x, y - number * size * 1.1, character, size) for number, character in enumerate(characters)]


def rule(x0: float, y0: float, x1: float, y1: float) -> bytes:
    """A straight line."""
    return f"{x0} {y0} m {x1} {y1} l S".encode()


def grid(xs: Iterable[float], ys: Iterable[float]) -> list[bytes]:
    """All rules of a table with these column and row borders."""
    xs, ys = sorted(xs), sorted(ys)
    return [rule(x, ys[0], x, ys[-1]) for x in xs] + [rule(xs[0], y, xs[-1], y) for y in ys]


def build(
    *pages: list,
    shown_as: Callable[[str], str] | None = None,
    to_unicode: bool = True,
    wrong: str = "",
    invisible: bool = False,
    picture: bool = False,
    rotate: int = 0,
) -> bytes:
    """A PDF of pages, each a list of what `text`, `rule` and so on give. Glyphs are boxes, each of its own size.

    Args:
        pages: what is on them, in the order in which it is drawn.
        shown_as: what the character map makes of each character; the truth by default.
        to_unicode: whether there is a map at all.
        wrong: the characters on which `shown_as` is used; all by default. They are set in fonts of their own.
        invisible: draw text in no colour.
        picture: a grey picture over the whole page, under the text.
        rotate: degrees that a viewer turns the pages by.
    """
    drawn = sorted(
        {c for page in pages for item in page if isinstance(item, tuple) for c in item[2]},
        key=lambda c: (c in wrong, c),
    )
    code: dict[str, tuple[int, int]] = {}  # font, code in it
    for c in drawn:
        font, number = max(code.values(), default=(0, 0))
        if number == _CODES or (c in wrong and not any(other in wrong for other in code)):
            font, number = font + 1, 0
        code[c] = font, number + 1
    mapped = {c: shown_as(c) if shown_as and (not wrong or c in wrong) else c for c in drawn}
    objects: dict[int, bytes] = {1: b"<< /Type /Catalog /Pages 2 0 R >>"}
    objects[3] = stream(b"\x80", _PICTURE)
    free = 4
    fonts = {}
    for font in sorted({font for font, _ in code.values()}):
        fonts[font] = free
        members = {number: c for c, (home, number) in code.items() if home == font}
        free = _add_font(objects, free, members, mapped if to_unicode else None)
    used = " ".join(f"/F{font} {number} 0 R" for font, number in fonts.items())
    kids = range(free, free + 2 * len(pages), 2)
    for number, page in zip(kids, pages, strict=True):
        background = f"q {WIDTH} 0 0 {HEIGHT} 0 0 cm /P Do Q".encode() if picture else b""
        content = b"\n".join([background, *(_operators(item, code, invisible=invisible) for item in page)])
        objects[number] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {WIDTH} {HEIGHT}] /Rotate {rotate} "
            f"/Resources << /Font << {used} >> /XObject << /P 3 0 R >> >> /Contents {number + 1} 0 R >>"
        ).encode()
        objects[number + 1] = stream(content)
    objects[2] = f"<< /Type /Pages /Kids [{' '.join(f'{k} 0 R' for k in kids)}] /Count {len(pages)} >>".encode()
    return assemble(objects)


def _add_font(objects: dict[int, bytes], free: int, members: dict[int, str], mapped: dict[str, str] | None) -> int:
    """A Type 3 font with these characters by code; the next free object number."""
    last = max(members)
    widths = " ".join("500" if members[n].isascii() else "1000" for n in range(1, last + 1))
    glyphs = range(free + 2, free + 2 + last)
    for number, glyph in enumerate(glyphs, 1):
        wide = 400 if members[number].isascii() else 700
        size = wide + ord(members[number]) % 97
        # A blank has no ink.
        ink = b"" if members[number].isspace() else b"0 -100 %d %d re f" % (size, size + 100)
        objects[glyph] = stream(
            b"%d 0 0 -100 %d %d d1 %s" % (500 if members[number].isascii() else 1000, size, size, ink)
        )
    procs = " ".join(f"/g{n} {glyph} 0 R" for n, glyph in enumerate(glyphs, 1))
    names = " ".join(f"/g{n}" for n in range(1, last + 1))
    map_ = f"/ToUnicode {free + 1} 0 R" if mapped is not None else ""
    objects[free] = (
        f"<< /Type /Font /Subtype /Type3 /Name /F{free} /FontBBox [0 -120 1000 880] /FontMatrix [0.001 0 0 0.001 0 0] "
        f"/FirstChar 1 /LastChar {last} /Widths [{widths}] /CharProcs << {procs} >> /Resources << >> "
        f"/Encoding << /Type /Encoding /Differences [1 {names}] >> {map_} >>"
    ).encode()
    objects[free + 1] = stream(_cmap({n: mapped[c] for n, c in members.items()}) if mapped is not None else b"")
    return free + 2 + last


def stream(data: bytes, entries: bytes = b"") -> bytes:
    """A compressed stream object."""
    packed = zlib.compress(data, 9)
    return b"<< /Length %d /Filter /FlateDecode %s >>\nstream\n%s\nendstream" % (len(packed), entries, packed)


def assemble(objects: dict[int, bytes]) -> bytes:
    """A file of these objects; object 1 is its catalog."""
    body, table = b"%PDF-1.7\n", [b"0000000000 65535 f \n"]
    for number in range(1, max(objects) + 1):
        table.append(b"%010d 00000 n \n" % len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, objects.get(number, b"null"))
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(table), len(body))
    return body + b"xref\n0 %d\n" % len(table) + b"".join(table) + trailer


def _operators(item: tuple | bytes, code: dict[str, tuple[int, int]], *, invisible: bool) -> bytes:
    if isinstance(item, bytes):
        return item
    x, y, characters, size = item
    parts = [f"BT {3 if invisible else 0} Tr 1 0 0 1 {x} {y} Tm"]
    for font, run in groupby(characters, key=lambda c: code[c][0]):
        parts.append(f"/F{font} {size} Tf <{''.join(f'{code[c][1]:02x}' for c in run)}> Tj")
    return " ".join([*parts, "ET"]).encode()


def _cmap(mapping: dict[int, str]) -> bytes:
    rows = "\n".join(f"<{number:02x}> <{shown.encode('utf-16-be').hex()}>" for number, shown in mapping.items())
    return (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
        f"1 begincodespacerange <00> <ff> endcodespacerange\n{len(mapping)} beginbfchar\n{rows}\nendbfchar\n"
        "endcmap end end"
    ).encode("ascii")
