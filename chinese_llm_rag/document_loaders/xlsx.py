"""XLSX: a page for each sheet, its rows as Markdown tables with the numbers they have in the sheet."""

import bisect
import re
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from chinese_llm_rag.document_loaders.bounds import MAX_CELLS, MAX_CHARS, over_bound
from chinese_llm_rag.document_loaders.html_text import local_name
from chinese_llm_rag.document_loaders.marked_text import MarkedText
from chinese_llm_rag.document_loaders.office_xml import OfficeFile, R, chart_rows, chart_title, drawing_paragraphs
from chinese_llm_rag.document_loaders.page_texts import NO_OPTIONS, LoadOptions, PageDetails, PageTexts
from chinese_llm_rag.document_loaders.row_blocks import Row, add_rows
from chinese_llm_rag.document_loaders.xlsx_format import BUILT_IN, shown_number
from chinese_llm_rag.language import say
from chinese_llm_rag.schema import Place

_CELL = re.compile(r"([A-Z]{1,3})([1-9]\d{0,6})$")
_MAX_COLUMN = 16_384
_LONGEST_REPEATED = 200  # characters of a merged cell that is shown in each of its rows


@dataclass(slots=True)
class _Workbook:
    """What all sheets share."""

    packed: OfficeFile
    path: Path
    strings: list[str]
    formats: list[str]  # by style of a cell
    since_1904: bool
    n_cells: int = 0
    n_chars: int = 0
    n_unknown: int = 0  # formulas without a stored value


@dataclass(slots=True)
class _Sheet:
    rows: dict[int, dict[int, str]] = field(default_factory=dict)
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)  # first and last row, first and last column


def read_xlsx(data: bytes, path: Path, options: LoadOptions = NO_OPTIONS) -> PageTexts:  # noqa: ARG001
    """The text of every sheet, hidden ones too, as the cells show it; formulas by their stored values.

    Notes, text boxes and charts follow the rows.

    Raises:
        DocumentError: damaged, encrypted, or over a bound.
    """
    packed = OfficeFile(data, path, "XLSX")
    main = packed.main_part(path, "XLSX")
    root = packed.xml(main)
    properties = root.find("{*}workbookPr")
    since_1904 = properties is not None and properties.get("date1904") in ("1", "true")
    book = _Workbook(packed, path, _shared_strings(packed, main), _formats(packed, main), since_1904)
    targets = packed.relations(main)
    texts: list[str] = []
    pages: list[PageDetails] = []
    for sheet in root.iterfind("{*}sheets/{*}sheet"):
        kind, target = targets.get(sheet.get(f"{R}id", ""), ("", ""))
        page = _page(book, target) if kind == "worksheet" and target in packed else MarkedText()
        texts.append(page.text)
        pages.append(PageDetails(Place("sheet", sheet.get("name", "")), page.marks))
    problems: tuple[str, ...] = ()
    if book.n_unknown:
        problems = (
            say(
                f"{book.n_unknown} formulas have no stored value and are left out",
                f"{book.n_unknown} 个公式没有保存计算结果，未收入",
            ),
        )
    return PageTexts(tuple(texts), problems, tuple(pages))


def _shared_strings(packed: OfficeFile, main: str) -> list[str]:
    part = next(packed.related(main, "sharedStrings"), None)
    return [] if part is None else [_rich_text(item) for item in packed.iter_xml(part, "{*}si")]


def _rich_text(item: etree._Element) -> str:
    """The text of a string, without the phonetic guide over it."""
    parts = []
    for node in item.iter("{*}t"):
        parent = node.getparent()
        if parent is None or local_name(parent) != "rph":
            parts.append(node.text or "")
    return _unescaped("".join(parts))


def _unescaped(text: str) -> str:
    return re.sub(r"_x([0-9A-Fa-f]{4})_", lambda m: _character(int(m[1], 16)), text) if "_x" in text else text


def _character(code: int) -> str:
    return "\n" if code in (10, 13) else chr(code) if code >= 32 and not 0xD800 <= code <= 0xDFFF else " "


def _formats(packed: OfficeFile, main: str) -> list[str]:
    part = next(packed.related(main, "styles"), None)
    if part is None:
        return []
    root = packed.xml(part)
    codes = {
        int(node.get("numFmtId", "0")): node.get("formatCode", "") for node in root.iterfind("{*}numFmts/{*}numFmt")
    }
    known = {**BUILT_IN, **codes}
    return [known.get(int(style.get("numFmtId", "0")), "") for style in root.iterfind("{*}cellXfs/{*}xf")]


def _page(book: _Workbook, part: str) -> MarkedText:
    sheet = _read_sheet(book, part)
    depths = _fill_merged(sheet)
    page = MarkedText()
    add_rows(page, [_row(number, cells) for number, cells in sorted(sheet.rows.items())], header_depth=depths)
    for kind, target in book.packed.relations(part).values():
        if target not in book.packed:
            continue
        if kind == "comments":
            _add_notes(page, book.packed.xml(target))
        elif kind == "drawing":
            _add_drawing(page, book.packed, target)
    return page


def _row(number: int, cells: dict[int, str]) -> Row:
    return number, [cells.get(column, "") for column in range(max(cells, default=0) + 1)]


def _read_sheet(book: _Workbook, part: str) -> _Sheet:
    sheet = _Sheet()
    number = 0
    for element in book.packed.iter_xml(part, "{*}row", "{*}mergeCell"):
        if local_name(element) == "mergecell":
            first, _, last = element.get("ref", "").partition(":")
            if (begin := _place(first)) and (end := _place(last)):
                sheet.merged.append((begin[0], end[0], begin[1], end[1]))
            continue
        said = element.get("r", "")
        number = int(said) if said.isdecimal() and len(said) < 8 else number + 1
        cells: dict[int, str] = {}
        column = -1
        for cell in element:
            at = _place(cell.get("r", ""))
            column = at[1] if at else column + 1
            if text := _shown(book, cell):
                cells[column] = text
                book.n_chars += len(text)
        if cells:
            sheet.rows[number] = cells
            book.n_cells += len(cells)
            _check(book)
    return sheet


def _check(book: _Workbook) -> None:
    if book.n_cells > MAX_CELLS:
        raise over_bound(book.path, f"more than {MAX_CELLS} filled cells", f"非空单元格超过 {MAX_CELLS} 个")
    if book.n_chars > MAX_CHARS:
        raise over_bound(book.path, f"more than {MAX_CHARS} characters", f"文字超过 {MAX_CHARS} 个")


def _place(reference: str) -> tuple[int, int] | None:
    """Row from 1 and column from 0 of a reference like B3."""
    match = _CELL.match(reference)
    if match is None:
        return None
    column = 0
    for letter in match[1]:
        column = 26 * column + ord(letter) - ord("A") + 1
    return (int(match[2]), column - 1) if column <= _MAX_COLUMN else None


def _shown(book: _Workbook, cell: etree._Element) -> str:
    """A cell's text as the sheet shows it."""
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        return _rich_text(cell)
    node = cell.find("{*}v")
    value = "" if node is None else node.text or ""
    if not value:
        book.n_unknown += cell.find("{*}f") is not None and kind != "str"
    elif kind == "s":
        value = book.strings[int(value)] if value.isdecimal() and int(value) < len(book.strings) else ""
    elif kind == "b":
        value = "TRUE" if value == "1" else "FALSE"
    elif kind == "n":
        value = _number(book, value, cell.get("s", "0"))
    else:
        value = _unescaped(value)
    return value


def _number(book: _Workbook, value: str, style: str) -> str:
    code = book.formats[int(style)] if style.isdecimal() and int(style) < len(book.formats) else ""
    try:
        return shown_number(float(value), code, since_1904=book.since_1904)
    except (ValueError, OverflowError):
        return value


def _fill_merged(sheet: _Sheet) -> dict[int, int]:
    """Show a merged cell's text in each of its rows; how far down the merged cells of each row reach."""
    depths: dict[int, int] = {}
    numbers = sorted(sheet.rows)
    budget = MAX_CELLS
    for first, last, column, _ in sheet.merged:
        text = sheet.rows.get(first, {}).get(column, "")
        if not text or last == first:
            continue
        depths[first] = max(depths.get(first, 1), last - first + 1)
        below = numbers[bisect.bisect_right(numbers, first) : bisect.bisect_right(numbers, last)]
        budget -= len(below)
        if len(text) <= _LONGEST_REPEATED and budget > 0:
            for number in below:
                sheet.rows[number].setdefault(column, text)
    return depths


def _add_notes(page: MarkedText, root: etree._Element) -> None:
    for comment in root.iter("{*}comment"):
        text = _rich_text(comment).strip()
        if text:
            page.paragraph(f"[批注 {comment.get('ref', '')}] {text}")


def _add_drawing(page: MarkedText, packed: OfficeFile, part: str) -> None:
    for text in drawing_paragraphs(packed.xml(part)):
        page.paragraph(text)
    for chart_part in packed.related(part, "chart"):
        chart = packed.xml(chart_part)
        page.paragraph(chart_title(chart))
        page.table(chart_rows(chart), n_header=1)
