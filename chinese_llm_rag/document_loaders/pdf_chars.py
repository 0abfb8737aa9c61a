"""A page of a PDF as PDFium sees it: characters with their boxes, rules, pictures.

The one module that calls PDFium for every character.

Everything is in points of the page as it is shown: x to the right, y upwards, /Rotate applied.
"""

import ctypes
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Handle: TypeAlias = Any  # of a document, page or object; pypdfium2 has no types
Boxes: TypeAlias = NDArray[np.float32]  # [n, 4]: left, bottom, right, top

MAX_PAGE_CHARS = 400_000
MAX_PAGE_OBJECTS = 200_000
_MAX_PATH_POINTS = 5_000  # of one path; a drawing, not a table, has more
_MAX_DEPTH = 4  # forms inside forms
_THIN = 2.5  # points; a filled box as thin as this is a rule
_LATIN_FONT = re.compile(
    r"(?:\w{6}\+)?(?:Arial(?!Unicode)|Times|Helvetica|Courier|Calibri|Cambria|Verdana|Tahoma|Georgia|Symbol|Zapf|Wingdings"
    r"|Garamond|Trebuchet|Consolas|Century|Palatino|Lucida)"
)
_INVISIBLE = 3  # text render mode: neither filled nor stroked


@dataclass(frozen=True, slots=True)
class PageChars:
    """The characters of a page in the order in which the file draws them.

    Line breaks and blanks that PDFium puts in have no box of their own (all zero).
    """

    codes: NDArray[np.uint32]
    boxes: Boxes
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is on a page beside its text.

    Attributes:
        rules: horizontal and vertical lines, [n, 4] as boxes without thickness.
        picture_share: the largest picture's share of the page's area, 0..1.
        n_texts: text objects, n_invisible of them drawn in no colour.
        n_dropped: text objects that PDFium may have left out of the text.
        n_others: other objects.
    """

    rules: Boxes
    picture_share: float
    n_texts: int
    n_invisible: int
    n_dropped: int
    n_others: int


@dataclass(frozen=True, slots=True)
class _PdfiumCalls:
    """PDFium functions that are called once a character or object, with arguments that need no conversion."""

    unicode_of: Callable[..., int]
    loose_box: Callable[..., int]
    tight_box: Callable[..., int]
    object_of: Callable[..., int]
    page_count: Callable[..., int]
    page_object: Callable[..., int]
    form_count: Callable[..., int]
    form_object: Callable[..., int]
    kind_of: Callable[..., int]
    render_mode: Callable[..., int]
    bounds: Callable[..., int]
    font_of: Callable[..., int]
    is_embedded: Callable[..., int]
    font_name: Callable[..., int]


@cache
def _calls() -> _PdfiumCalls:
    import pypdfium2.raw as pdfium  # noqa: PLC0415  (loads a shared library)

    def prototype(name: str, result: type, *arguments: type) -> Callable[..., int]:
        address = ctypes.cast(getattr(pdfium, name), ctypes.c_void_p).value
        assert address is not None
        return ctypes.CFUNCTYPE(result, *arguments)(address)

    handle, index, pointer = ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p
    return _PdfiumCalls(
        prototype("FPDFText_GetUnicode", ctypes.c_uint, handle, index),
        prototype("FPDFText_GetLooseCharBox", ctypes.c_int, handle, index, pointer),
        prototype("FPDFText_GetCharBox", ctypes.c_int, handle, index, *[pointer] * 4),
        prototype("FPDFText_GetTextObject", ctypes.c_void_p, handle, index),
        prototype("FPDFPage_CountObjects", ctypes.c_int, handle),
        prototype("FPDFPage_GetObject", ctypes.c_void_p, handle, index),
        prototype("FPDFFormObj_CountObjects", ctypes.c_int, handle),
        prototype("FPDFFormObj_GetObject", ctypes.c_void_p, handle, ctypes.c_ulong),
        prototype("FPDFPageObj_GetType", ctypes.c_int, handle),
        prototype("FPDFTextObj_GetTextRenderMode", ctypes.c_int, handle),
        prototype("FPDFPageObj_GetBounds", ctypes.c_int, handle, *[pointer] * 4),
        prototype("FPDFTextObj_GetFont", ctypes.c_void_p, handle),
        prototype("FPDFFont_GetIsEmbedded", ctypes.c_int, handle),
        prototype("FPDFFont_GetBaseFontName", ctypes.c_size_t, handle, pointer, ctypes.c_size_t),
    )


def read_chars(page: Handle, text_page: Handle) -> PageChars:
    """The characters of a page; at most MAX_PAGE_CHARS.

    Raises:
        OverflowError: the page has more.
    """
    n = text_page.count_chars()
    if n > MAX_PAGE_CHARS:
        raise OverflowError(n)
    calls, handle = _calls(), ctypes.cast(text_page.raw, ctypes.c_void_p).value
    text = text_page.get_text_range() if n else ""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    if len(codes) != n:  # PDFium leaves some characters out of the text as a whole
        codes = _whole(np.fromiter(map(calls.unicode_of, repeat(handle), range(n)), np.uint32, n))
    boxes = np.zeros((n, 4), np.float32)
    address = boxes.ctypes.data
    for _ in map(calls.loose_box, repeat(handle), range(n), range(address, address + 16 * n, 16)):
        pass
    boxes = boxes[:, [0, 3, 2, 1]]  # PDFium gives left, top, right, bottom
    boxes[~np.isfinite(boxes).all(axis=1)] = 0
    width, height = page.get_size()
    return PageChars(codes, _turned(boxes, page), width, height)


def _whole(codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The codes with pairs of surrogates as one character and a NUL, which stands for nothing."""
    pairs = np.flatnonzero((codes[:-1] >> 10 == 0xD800 >> 10) & (codes[1:] >> 10 == 0xDC00 >> 10))
    codes[pairs] = 0x10000 + ((codes[pairs] & 0x3FF) << 10) + (codes[pairs + 1] & 0x3FF)
    codes[pairs + 1] = 0
    return codes


def read_tight_boxes(page: Handle, text_page: Handle, indices: list[int]) -> Boxes:
    """Boxes of the ink of some characters."""
    calls, handle = _calls(), ctypes.cast(text_page.raw, ctypes.c_void_p).value
    values = np.zeros((len(indices), 4), np.float64)  # left, right, bottom, top
    for row, index in enumerate(indices):
        address = values.ctypes.data + 32 * row
        calls.tight_box(handle, index, address, address + 8, address + 16, address + 24)
    return _turned(values[:, [0, 2, 1, 3]].astype(np.float32), page)


def read_fonts(text_page: Handle, indices: list[int]) -> list[str]:
    """Names of the fonts of some characters, numbers of those without a name; "" for characters that are not drawn."""
    calls, handle = _calls(), ctypes.cast(text_page.raw, ctypes.c_void_p).value
    names: dict[int | None, str] = {None: "", 0: ""}
    found = []
    for index in indices:
        text_object = calls.object_of(handle, index)
        if text_object not in names:
            font = calls.font_of(text_object)
            names[text_object] = (_font_name(font) or f"#{font}") if font else ""
        found.append(names[text_object])
    return found


def _font_name(font: int) -> str:
    buffer = ctypes.create_string_buffer(256)
    length = _calls().font_name(font, ctypes.addressof(buffer), len(buffer))
    return buffer.raw[: max(0, min(length, len(buffer)) - 1)].decode("utf-8", "replace")


def _turned(boxes: Boxes, page: Handle) -> Boxes:
    """Boxes in the coordinates of the page as it is shown."""
    left, bottom, right, top = page.get_bbox()
    rotation = page.get_rotation()
    out = boxes.copy()
    blank = ~boxes.any(axis=1)
    x0, y0, x1, y1 = boxes.T
    if rotation == 90:
        out = np.stack([y0 - bottom, right - x1, y1 - bottom, right - x0], axis=1)
    elif rotation == 180:
        out = np.stack([right - x1, top - y1, right - x0, top - y0], axis=1)
    elif rotation == 270:
        out = np.stack([top - y1, x0 - left, top - y0, x1 - left], axis=1)
    else:
        out = np.stack([x0 - left, y0 - bottom, x1 - left, y1 - bottom], axis=1)
    out[blank] = 0
    return np.ascontiguousarray(out, np.float32)


def read_drawing(page: Handle) -> Drawing:
    """Rules, pictures and counts of text objects of a page."""
    import pypdfium2.raw as pdfium  # noqa: PLC0415

    rules: list[tuple[float, float, float, float]] = []
    width, height = page.get_size()
    picture, n_texts, n_invisible, n_dropped, n_others = 0.0, 0, 0, 0, 0
    is_dropped = _DroppedTexts()
    for item, kind in _iter_objects(page):
        if kind == pdfium.FPDF_PAGEOBJ_TEXT:
            n_texts += 1
            n_invisible += _calls().render_mode(item) == _INVISIBLE
            n_dropped += is_dropped(item)
            continue
        n_others += 1
        typed = ctypes.cast(item, pdfium.FPDF_PAGEOBJECT)
        if kind == pdfium.FPDF_PAGEOBJ_PATH:
            rules.extend(_path_rules(typed))
        elif kind == pdfium.FPDF_PAGEOBJ_IMAGE:
            x0, y0, x1, y1 = _bounds(typed)
            picture = max(picture, (x1 - x0) * (y1 - y0) / max(1.0, width * height))
    boxes = np.array(rules, np.float32).reshape(-1, 4)
    return Drawing(_turned(boxes, page), min(1.0, picture), n_texts, n_invisible, n_dropped, n_others)


class _DroppedTexts:
    """Tells text objects without extent in fonts that are not in the file, Latin ones aside.

    PDFium leaves them out of the text: blanks, and characters that no font of the machine has. For Latin fonts
    it brings its own, and what is left out there is blank.
    """

    def __init__(self) -> None:
        self._is_embedded: dict[int, bool] = {}
        self._bounds = np.zeros(4, np.float32)

    def __call__(self, item: int) -> bool:
        calls, address = _calls(), self._bounds.ctypes.data
        if not calls.bounds(item, address, address + 4, address + 8, address + 12):
            return False
        if abs(self._bounds[2] - self._bounds[0]) > 0.01 and abs(self._bounds[3] - self._bounds[1]) > 0.01:
            return False
        font = calls.font_of(item)
        if font not in self._is_embedded:
            is_latin = _LATIN_FONT.match(_font_name(font)) is not None
            self._is_embedded[font] = is_latin or calls.is_embedded(font) != 0
        return not self._is_embedded[font]


def _iter_objects(page: Handle) -> Iterator[tuple[int, int]]:
    """(object, kind) of everything on the page but forms, whose contents come instead of them."""
    import pypdfium2.raw as pdfium  # noqa: PLC0415

    calls, left = _calls(), MAX_PAGE_OBJECTS
    # Forms are flattened without their matrices: rules inside forms are used only where they fall on the text.
    stack = [(calls.page_count, calls.page_object, ctypes.cast(page.raw, ctypes.c_void_p).value, 0)]
    while stack:
        count, get, holder, depth = stack.pop()
        n = min(count(holder), left)
        left -= n
        items = list(map(get, repeat(holder), range(n)))
        for item, kind in zip(items, map(calls.kind_of, items), strict=True):
            if kind != pdfium.FPDF_PAGEOBJ_FORM:
                yield item, kind
            elif depth < _MAX_DEPTH:
                stack.append((calls.form_count, calls.form_object, item, depth + 1))


def _bounds(item: Handle) -> tuple[float, float, float, float]:
    import pypdfium2.raw as pdfium  # noqa: PLC0415

    values = [ctypes.c_float() for _ in range(4)]
    if not pdfium.FPDFPageObj_GetBounds(item, *values):
        return 0.0, 0.0, 0.0, 0.0
    x0, y0, x1, y1 = (value.value for value in values)
    return x0, y0, x1, y1


def _path_rules(item: Handle) -> Iterator[tuple[float, float, float, float]]:
    import pypdfium2.raw as pdfium  # noqa: PLC0415

    x0, y0, x1, y1 = _bounds(item)
    if y1 - y0 <= _THIN or x1 - x0 <= _THIN:  # a line, or a filled box as thin as one
        if y1 - y0 <= x1 - x0:
            yield x0, (y0 + y1) / 2, x1, (y0 + y1) / 2
        else:
            yield (x0 + x1) / 2, y0, (x0 + x1) / 2, y1
        return
    n_points = pdfium.FPDFPath_CountSegments(item)
    mode, is_stroked = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDFPath_GetDrawMode(item, mode, is_stroked)
    if not is_stroked.value or n_points > _MAX_PATH_POINTS:
        return
    matrix = pdfium.FS_MATRIX()
    pdfium.FPDFPageObj_GetMatrix(item, matrix)
    x, y = ctypes.c_float(), ctypes.c_float()
    before = first = (0.0, 0.0)
    for index in range(n_points):
        segment = pdfium.FPDFPath_GetPathSegment(item, index)
        pdfium.FPDFPathSegment_GetPoint(segment, x, y)
        point = (
            matrix.a * x.value + matrix.c * y.value + matrix.e,
            matrix.b * x.value + matrix.d * y.value + matrix.f,
        )
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            first = point
        elif kind == pdfium.FPDF_SEGMENT_LINETO:
            yield from _straight(before, point)
        if pdfium.FPDFPathSegment_GetClose(segment):
            yield from _straight(point, first)
        before = point


def _straight(a: tuple[float, float], b: tuple[float, float]) -> Iterator[tuple[float, float, float, float]]:
    x0, x1 = sorted((a[0], b[0]))
    y0, y1 = sorted((a[1], b[1]))
    if y1 - y0 < 1 < x1 - x0:
        yield x0, (y0 + y1) / 2, x1, (y0 + y1) / 2
    elif x1 - x0 < 1 < y1 - y0:
        yield (x0 + x1) / 2, y0, (x0 + x1) / 2, y1
