"""PPTX: a page for each slide: its title as heading, text, tables, charts, and the notes below."""

from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from chinese_llm_rag.document_loaders.bounds import MAX_CHARS, over_bound
from chinese_llm_rag.document_loaders.marked_text import MarkedText
from chinese_llm_rag.document_loaders.office_xml import (
    MC,
    A,
    OfficeFile,
    P,
    R,
    chart_rows,
    chart_title,
    drawing_paragraphs,
)
from chinese_llm_rag.document_loaders.page_texts import NO_OPTIONS, LoadOptions, PageDetails, PageTexts
from chinese_llm_rag.document_loaders.row_blocks import names_columns
from chinese_llm_rag.language import say
from chinese_llm_rag.schema import Place

_CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}chart"
_DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}relIds"
_TITLES = ("title", "ctrTitle")
_FURNITURE = ("dt", "ftr", "hdr", "sldNum")


def read_pptx(data: bytes, path: Path, options: LoadOptions = NO_OPTIONS) -> PageTexts:  # noqa: ARG001
    """The text of every slide in the order of the show, hidden ones too.

    Raises:
        DocumentError: damaged, encrypted, or over a bound.
    """
    packed = OfficeFile(data, path, "PPTX")
    main = packed.main_part(path, "PPTX")
    targets = packed.relations(main)
    texts: list[str] = []
    pages: list[PageDetails] = []
    n_embedded = 0
    for number, slide in enumerate(packed.xml(main).iterfind(f"{P}sldIdLst/{P}sldId"), 1):
        part = targets.get(slide.get(f"{R}id", ""), ("", ""))[1]
        reading = _Slide(packed, part)
        if part in packed:
            reading.read()
        texts.append(reading.page.text)
        pages.append(PageDetails(Place("slide", str(number)), reading.page.marks, tuple(reading.furniture)))
        n_embedded += reading.n_embedded
        if sum(map(len, texts)) > MAX_CHARS:
            raise over_bound(path, f"more than {MAX_CHARS} characters", f"文字超过 {MAX_CHARS} 个")
    problems = (
        (say(f"{n_embedded} embedded files are left out", f"内嵌的 {n_embedded} 个文件未收入"),) if n_embedded else ()
    )
    return PageTexts(tuple(texts), problems, tuple(pages))


class _Slide:
    """One slide while it is read."""

    def __init__(self, packed: OfficeFile, part: str) -> None:
        self.page = MarkedText()
        self.furniture: list[str] = []
        self.n_embedded = 0
        self._packed = packed
        self._part = part
        self._relations = packed.relations(part)

    def read(self) -> None:
        shapes = list(_shapes(self._packed.xml(self._part)))
        shapes.sort(key=lambda shape: _placeholder(shape) not in _TITLES)  # the title first, else as they stand
        for shape in shapes:
            self._shape(shape)
        for part in self._packed.related(self._part, "notesSlide"):
            for shape in _shapes(self._packed.xml(part)):
                if _placeholder(shape) == "body":
                    for text in drawing_paragraphs(shape):
                        self.page.paragraph(text)
        for part in self._packed.related(self._part, "comments"):
            for comment in self._packed.xml(part).iter("{*}cm"):
                text = " ".join(node.text or "" for node in comment.iter("{*}text", f"{A}t")).strip()
                self.page.paragraph(f"[批注] {text}" if text else "")

    def _shape(self, shape: etree._Element) -> None:
        kind = _placeholder(shape)
        if kind in _FURNITURE:
            self.furniture.extend(drawing_paragraphs(shape))
        elif kind in _TITLES:
            self.page.heading(" ".join(drawing_paragraphs(shape)), 1)
        elif (table := shape.find(f".//{A}tbl")) is not None:
            rows = _table_rows(table)
            header = table.find(f"{A}tblPr")
            said = header is not None and header.get("firstRow") in ("1", "true")
            self.page.table(rows, n_header=int(len(rows) > 1 and (said or names_columns(rows))))
        else:
            for text in drawing_paragraphs(shape):
                self.page.paragraph(text)
            self._linked(shape)

    def _linked(self, shape: etree._Element) -> None:
        for drawn in shape.iter(_CHART, _DIAGRAM):
            target = self._relations.get(drawn.get(f"{R}id" if drawn.tag == _CHART else f"{R}dm", ""), ("", ""))[1]
            if target not in self._packed:
                continue
            root = self._packed.xml(target)
            if drawn.tag == _CHART:
                self.page.paragraph(chart_title(root))
                self.page.table(chart_rows(root), n_header=1)
            else:
                for text in drawing_paragraphs(root):
                    self.page.paragraph(text)
        self.n_embedded += sum(1 for _ in shape.iter(f"{P}oleObj"))


def _shapes(parent: etree._Element) -> Iterator[etree._Element]:
    """Shapes, pictures, tables and charts in the order of the source, groups opened."""
    for child in parent:
        if child.tag in (f"{P}sp", f"{P}graphicFrame", f"{P}cxnSp"):
            yield child
        elif child.tag == f"{MC}AlternateContent":
            choice = child.find(f"{MC}Choice")
            yield from _shapes(choice if choice is not None else child)
        elif child.tag in (f"{P}cSld", f"{P}spTree", f"{P}grpSp"):
            yield from _shapes(child)


def _placeholder(shape: etree._Element) -> str:
    """What the layout means the shape for; "" for none."""
    node = shape.find(f"{P}nvSpPr/{P}nvPr/{P}ph")
    return "" if node is None else node.get("type", "body")


def _table_rows(table: etree._Element) -> list[list[str]]:
    """A cell merged over rows stands in each of them; one over columns in the first."""
    rows: list[list[str]] = []
    for row in table.iterfind(f"{A}tr"):
        cells: list[str] = []
        for cell in row.iterfind(f"{A}tc"):
            text = "\n".join(drawing_paragraphs(cell))
            if cell.get("vMerge") in ("1", "true") and rows and len(cells) < len(rows[-1]):
                text = rows[-1][len(cells)]
            cells.append(text)
        rows.append(cells)
    return rows
