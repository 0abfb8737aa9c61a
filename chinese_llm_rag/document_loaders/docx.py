"""DOCX: one page with headings, tables, lists with their numbers, notes and text boxes.

What is deleted under change tracking is left out; comments, footnotes and endnotes follow the paragraph that
refers to them. Embedded files are named as left out, never opened.
"""

from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from chinese_llm_rag.document_loaders.bounds import MAX_CELLS, MAX_CHARS, over_bound
from chinese_llm_rag.document_loaders.docx_numbering import Numbering
from chinese_llm_rag.document_loaders.docx_styles import Styles, child_value
from chinese_llm_rag.document_loaders.html import page_of
from chinese_llm_rag.document_loaders.marked_text import MarkedText
from chinese_llm_rag.document_loaders.office_xml import (
    M_T,
    MC,
    OfficeFile,
    R,
    W,
    chart_rows,
    chart_title,
    drawing_paragraphs,
    texts_of,
)
from chinese_llm_rag.document_loaders.page_texts import NO_OPTIONS, LoadOptions, PageDetails, PageTexts
from chinese_llm_rag.document_loaders.row_blocks import names_columns
from chinese_llm_rag.language import say

_TEXTPATH = "{urn:schemas-microsoft-com:vml}textpath"
_CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}chart"
_DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}relIds"
_UNSEEN = frozenset(
    f"{W}{name}"
    for name in (
        "del",
        "moveFrom",
        "delText",
        "instrText",
        "delInstrText",
        "pPr",
        "rPr",
        "sdtPr",
        "tblPr",
        "trPr",
        "tcPr",
    )
)
_CHARACTERS = {f"{W}tab": "\t", f"{W}br": "\n", f"{W}cr": "\n", f"{W}noBreakHyphen": "-", f"{W}ptab": "\t"}
_NOTES = {f"{W}footnoteReference": "footnotes", f"{W}endnoteReference": "endnotes", f"{W}commentReference": "comments"}
_NOTE_ELEMENTS = {"footnotes": "footnote", "endnotes": "endnote", "comments": "comment"}
_LAYOUT_CELL = 600  # characters in several paragraphs: more than a cell of data holds


def read_docx(data: bytes, path: Path, options: LoadOptions = NO_OPTIONS) -> PageTexts:  # noqa: ARG001
    """The text as one page; running headers and footers are its furniture.

    Raises:
        DocumentError: damaged, encrypted, or over a bound.
    """
    packed = OfficeFile(data, path, "DOCX")
    reading = _Reading(packed, packed.main_part(path, "DOCX"), path)
    page = MarkedText()
    root = packed.xml(reading.main)
    body = root.find(f"{W}body")
    reading.blocks(body if body is not None else root, page)
    details = PageDetails(marks=page.marks, furniture=tuple(dict.fromkeys(reading.furniture())))
    return PageTexts((page.text,), reading.problems(), (details,))


class _Reading:
    """One document's parts, while it is read in order."""

    def __init__(self, packed: OfficeFile, main: str, path: Path) -> None:
        self.main = main
        self._packed = packed
        self._path = path
        self._relations = packed.relations(main)
        self._styles = Styles(self._part("styles"))
        self._numbering = Numbering(self._part("numbering"))
        self._notes = {kind: self._notes_of(kind) for kind in _NOTE_ELEMENTS}
        self._n_embedded = 0
        self._n_cells = 0

    def _part(self, kind: str) -> etree._Element | None:
        name = next((target for a_kind, target in self._relations.values() if a_kind == kind), None)
        return self._packed.xml(name) if name is not None and name in self._packed else None

    def _notes_of(self, kind: str) -> dict[str, etree._Element]:
        root = self._part(kind)
        notes = root.iterfind(f"{W}{_NOTE_ELEMENTS[kind]}") if root is not None else ()
        return {note.get(f"{W}id", ""): note for note in notes if note.get(f"{W}type", "normal") == "normal"}

    def furniture(self) -> Iterator[str]:
        """The running headers and footers."""
        for kind, target in self._relations.values():
            if kind in ("header", "footer") and target in self._packed:
                text = MarkedText()
                self.blocks(self._packed.xml(target), text)
                if text.text:
                    yield text.text

    def problems(self) -> tuple[str, ...]:
        """What was left out."""
        if not self._n_embedded:
            return ()
        n = self._n_embedded
        return (say(f"{n} embedded files are left out", f"内嵌的 {n} 个文件未收入"),)

    def blocks(self, parent: etree._Element, out: MarkedText) -> None:
        """Add the paragraphs and tables in an element to a text."""
        for child in parent:
            if child.tag == f"{W}p":
                self._paragraph(child, out)
            elif child.tag == f"{W}tbl":
                self._table(child, out)
            elif child.tag == f"{W}altChunk":
                self._foreign(child, out)
            elif child.tag == f"{MC}AlternateContent":
                self.blocks(_chosen(child), out)
            elif isinstance(child.tag, str) and child.tag not in _UNSEEN:
                self.blocks(child, out)
            if len(out) > MAX_CHARS:
                raise over_bound(self._path, f"more than {MAX_CHARS} characters", f"文字超过 {MAX_CHARS} 个")

    def _paragraph(self, paragraph: etree._Element, out: MarkedText) -> None:
        properties = paragraph.find(f"{W}pPr")
        style = self._styles.of(properties)
        parts: list[str] = []
        asides: list[etree._Element] = []
        self._inline(paragraph, parts, asides)
        text = "".join(parts).strip()
        if text:
            text = (self._numbering.label(style.num, style.num_level) if style.num else "") + text
            if style.heading:
                out.heading(text, style.heading)
            else:
                out.paragraph(text)
        for aside in asides:
            self._aside(aside, out)

    def _inline(self, parent: etree._Element, parts: list[str], asides: list[etree._Element]) -> None:
        for child in parent:
            tag = child.tag
            if tag in (f"{W}t", M_T):
                parts.append(child.text or "")
            elif tag in _CHARACTERS:
                parts.append(_CHARACTERS[tag])
            elif tag == f"{W}sym":
                parts.append(_symbol(child))
            elif tag in _NOTES or tag in (f"{W}drawing", f"{W}pict", f"{W}object"):
                asides.append(child)
            elif tag == f"{MC}AlternateContent":
                self._inline(_chosen(child), parts, asides)
            elif tag == f"{W}ruby":
                parts.append(_ruby(child))
            elif isinstance(tag, str) and tag not in _UNSEEN:
                self._inline(child, parts, asides)

    def _aside(self, aside: etree._Element, out: MarkedText) -> None:
        if aside.tag in _NOTES:
            kind = _NOTES[aside.tag]
            note = self._notes[kind].pop(aside.get(f"{W}id", ""), None)
            if note is not None:
                self._note(kind, note, out)
            return
        self._text_boxes(aside, out)
        for drawn in aside.iter(_CHART, _DIAGRAM, _TEXTPATH):
            if drawn.tag == _TEXTPATH:
                out.paragraph(drawn.get("string", ""))
                continue
            name = f"{R}id" if drawn.tag == _CHART else f"{R}dm"
            target = self._relations.get(drawn.get(name, ""), ("", ""))[1]
            if target in self._packed:
                self._drawing(self._packed.xml(target), out)
        if aside.tag == f"{W}object":
            self._n_embedded += 1

    def _drawing(self, root: etree._Element, out: MarkedText) -> None:
        if rows := chart_rows(root):
            out.paragraph(chart_title(root))
            out.table(rows, n_header=1)
        else:
            for text in drawing_paragraphs(root):
                out.paragraph(text)

    def _text_boxes(self, parent: etree._Element, out: MarkedText) -> None:
        for child in parent:
            if child.tag == f"{W}txbxContent":
                self.blocks(child, out)
            elif child.tag == f"{MC}AlternateContent":
                self._text_boxes(_chosen(child), out)
            else:
                self._text_boxes(child, out)

    def _note(self, kind: str, note: etree._Element, out: MarkedText) -> None:
        text = MarkedText()
        self.blocks(note, text)
        label = {"footnotes": "脚注", "endnotes": "尾注", "comments": "批注"}[kind]
        if text.text.strip():
            out.paragraph(f"[{label}] {text.text}")

    def _foreign(self, chunk: etree._Element, out: MarkedText) -> None:
        """A part in another format that Word shows as if it stood here."""
        target = self._relations.get(chunk.get(f"{R}id", ""), ("", ""))[1]
        if target not in self._packed:
            return
        if target.lower().endswith((".html", ".htm", ".xhtml")):
            from chinese_llm_rag.document_loaders.encodings import decode  # noqa: PLC0415  (rarely needed)

            out.append(page_of(decode(self._packed.read(target), self._path).text, self._path))
        else:
            self._n_embedded += 1

    def _table(self, table: etree._Element, out: MarkedText) -> None:
        rows = list(_rows(table))
        cells = [list(_children(row, "tc")) for row in rows]
        self._n_cells += sum(map(len, cells))
        if self._n_cells > MAX_CELLS:
            raise over_bound(self._path, f"more than {MAX_CELLS} cells", f"单元格超过 {MAX_CELLS} 个")
        if max(map(len, cells), default=0) < 2 or any(_is_layout(cell) for row in cells for cell in row):
            for cell in (cell for row in cells for cell in row):
                self.blocks(cell, out)
            return
        shown = self._cell_texts(rows, cells)
        n_header = 0
        while n_header < len(rows) - 1 and rows[n_header].find(f"{W}trPr/{W}tblHeader") is not None:
            n_header += 1
        out.table(shown, n_header=n_header or int(names_columns(shown)))

    def _cell_texts(self, rows: list[etree._Element], cells: list[list[etree._Element]]) -> list[list[str]]:
        """A cell merged over rows stands in each of them; one over columns in the first."""
        above: dict[int, str] = {}
        texts: list[list[str]] = []
        for row, row_cells in zip(rows, cells, strict=True):
            before = child_value(row.find(f"{W}trPr"), "gridBefore")
            shown = [""] * (int(before) if before.isdecimal() and len(before) < 3 else 0)
            for cell in row_cells:
                properties = cell.find(f"{W}tcPr")
                merge = properties.find(f"{W}vMerge") if properties is not None else None
                own = self._cell_text(cell)
                if merge is not None and merge.get(f"{W}val", "continue") == "continue":
                    own = own or above.get(len(shown), "")
                else:
                    above.pop(len(shown), None)
                if merge is not None:
                    above[len(shown)] = own
                span = child_value(properties, "gridSpan")
                shown += [own, *[""] * (min(int(span), 200) - 1 if span.isdecimal() and len(span) < 6 else 0)]
            texts.append(shown)
        return texts

    def _cell_text(self, cell: etree._Element) -> str:
        text = MarkedText()
        self.blocks(cell, text)
        return text.text


def _chosen(alternatives: etree._Element) -> etree._Element:
    """The one of several forms of a thing that newer programs show."""
    choice = alternatives.find(f"{MC}Choice")
    fallback = alternatives.find(f"{MC}Fallback")
    found = choice if choice is not None else fallback
    return found if found is not None else alternatives


def _rows(table: etree._Element) -> Iterator[etree._Element]:
    return _children(table, "tr")


def _children(parent: etree._Element, name: str) -> Iterator[etree._Element]:
    """Children of a name, also inside what only wraps them."""
    for child in parent:
        if child.tag == f"{W}{name}":
            if child.find(f"{W}trPr/{W}del") is None:
                yield child
        elif child.tag in (f"{W}sdt", f"{W}sdtContent", f"{W}customXml", f"{W}ins", f"{W}moveTo"):
            yield from _children(child, name)


def _is_layout(cell: etree._Element) -> bool:
    return len(cell.findall(f"{W}p")) > 3 and len(texts_of(cell, f"{W}t")) > _LAYOUT_CELL


def _symbol(node: etree._Element) -> str:
    code = node.get(f"{W}char", "")
    try:
        value = int(code, 16)
    except ValueError:
        return ""
    # Symbol fonts live in the private use area: their glyphs have no meaning as text but for a tick and a cross.
    known = {0xF052: "☑", 0xF0FE: "☑", 0xF0A3: "□", 0xF06F: "□", 0xF0A8: "□", 0xF0FC: "✓", 0xF0FB: "✗"}
    if 0xE000 <= value <= 0xF8FF:
        return known.get(value, "")
    return chr(value) if 0x20 <= value <= 0xFFFF and not 0xD800 <= value <= 0xDFFF else ""


def _ruby(node: etree._Element) -> str:
    base, guide = node.find(f"{W}rubyBase"), node.find(f"{W}rt")
    text = "" if base is None else texts_of(base, f"{W}t")
    over = "" if guide is None else texts_of(guide, f"{W}t")
    return f"{text}（{over}）" if over else text
