"""A tree of HTML -> its text with headings and tables. Walks the tree once, without recursion."""

import html.entities
import re
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from chinese_llm_rag.document_loaders.bounds import MAX_CELLS, over_bound, too_deep
from chinese_llm_rag.document_loaders.marked_text import MarkedText, spaced

MAX_HTML_DEPTH = 1000  # tags that nobody closed add up in real pages
_UNSEEN = frozenset({"script", "style", "template", "head", "object", "iframe", "annotation", "annotation-xml", "rp"})
_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "dir",
    "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hgroup", "hr", "html",
    "legend", "li", "main", "menu", "nav", "ol", "option", "p", "pre", "section", "select", "summary", "table",
    "tbody", "td", "textarea", "tfoot", "th", "thead", "title", "tr", "ul",
})  # fmt: skip
_HEADING = re.compile(r"h([1-6])$")
_BLANKS = re.compile(r"[ \t]*\n[ \t]*")
_HAN_BREAK = re.compile(
    "(?<=[\u3000-\u303f\u3400-\u9fff\uff00-\uffef])[ \t\r\f]*\n\\s*(?=[\u3000-\u303f\u3400-\u9fff\uff00-\uffef])"
)
_NOT_IN_GRIDS = frozenset({"table", "h1", "h2", "h3", "h4", "form"})
_MAX_SPAN = 1000  # columns and rows, as in browsers


def html_to_text(root: etree._Element, path: Path) -> MarkedText:
    """Headings, paragraphs and tables of a page in the order of the source.

    Scripts, styles, comments and what else a browser does not show are left out.

    Raises:
        DocumentError: nested too deep, or too many cells.
    """
    return _Walk(path).run(root)


def local_name(element: etree._Element) -> str:
    """The name of an element without its namespace, in lower case; "" for a comment or an instruction."""
    return element.tag.rpartition("}")[2].lower() if isinstance(element.tag, str) else ""


class _Walk:
    """One walk over one page."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._out = MarkedText()
        self._inline: list[str] = []
        self._depth = 0
        self._n_pre = 0
        self._n_cells = 0
        self._counters: list[int | None] = []  # of the lists around: the next number, None without numbers

    def run(self, root: etree._Element) -> MarkedText:
        walk = etree.iterwalk(root, events=("start", "end", "comment", "pi"))
        for event, element in walk:
            if event in ("comment", "pi"):
                if isinstance(element, etree._Entity):  # noqa: SLF001  (the public name is a factory)
                    self._text(entity_text(element))
                self._text(element.tail)
                continue
            name = local_name(element)
            if event == "end":
                self._end(element, name)
                if element is not root:
                    self._text(element.tail)
                continue
            self._depth += 1
            if self._depth > MAX_HTML_DEPTH:
                raise too_deep(self._path, name)
            if self._start(element, name):
                walk.skip_subtree()
        self._flush()
        return self._out

    def _start(self, element: etree._Element, name: str) -> bool:
        """Take in what begins; True when all of it is done."""
        if name in _UNSEEN or element.get("hidden") is not None:
            return True
        if name in _BLOCKS or _HEADING.match(name):
            self._flush()
        if match := _HEADING.match(name):
            self._out.heading(spaced(visible_text(element)), int(match[1]))
            return True
        if name == "table" and is_grid(element):
            self._grid(element)
            return True
        if name == "br":
            self._inline.append("\n")
        elif name == "rt":
            self._inline.append("（")
        elif name in ("pre", "textarea"):
            self._n_pre += 1
        elif name in ("ol", "ul", "menu", "dir"):
            self._counters.append(_first_number(element) if name == "ol" else None)
        elif name == "li":
            self._number(element)
        self._text(element.text)
        return False

    def _end(self, element: etree._Element, name: str) -> None:
        self._depth -= 1
        if name in _UNSEEN or element.get("hidden") is not None:
            return
        if name == "rt":
            self._inline.append("）")
        if name in _BLOCKS:
            self._flush()
        if name in ("pre", "textarea"):
            self._n_pre -= 1
        elif name in ("ol", "ul", "menu", "dir"):
            self._counters.pop()

    def _number(self, item: etree._Element) -> None:
        if not self._counters or self._counters[-1] is None:
            return
        value = item.get("value", "")
        number = int(value) if value.isdecimal() and len(value) < 9 else self._counters[-1]
        self._inline.append(f"{number}. ")
        self._counters[-1] = number + 1

    def _text(self, text: str | None) -> None:
        if text:
            self._inline.append(text if self._n_pre else spaced(joined_lines(text)))

    def _flush(self) -> None:
        text = "".join(self._inline)
        self._inline.clear()
        if self._n_pre:
            self._out.paragraph("\n".join(line.rstrip() for line in text.strip("\r\n").splitlines()))
        else:
            self._out.paragraph(re.sub(r"\n+", "\n", _BLANKS.sub("\n", re.sub(r"[ \t]+", " ", text))))

    def _grid(self, table: etree._Element) -> None:
        caption = next((child for child in table if local_name(child) == "caption"), None)
        if caption is not None:
            self._out.paragraph(spaced(visible_text(caption)))
        rows, n_header = self._grid_rows(table)
        self._out.table(rows, n_header=n_header)

    def _grid_rows(self, table: etree._Element) -> tuple[list[list[str]], int]:
        """The cells of a table, and how many rows from the top are its header.

        A cell over several rows is repeated in each, so that every row tells its own; one over several columns
        stands in the first.
        """
        rows: list[list[str]] = []
        spanning: dict[int, tuple[int, str]] = {}  # column -> rows still to fill, text
        n_header = 0
        for row in _rows(table):
            cells = [cell for cell in row if local_name(cell) in ("td", "th")]
            parent = row.getparent()
            in_head = parent is not None and local_name(parent) == "thead"
            if n_header == len(rows) and (in_head or (cells and all(local_name(cell) == "th" for cell in cells))):
                n_header += 1
            self._n_cells += len(spanning) + sum(_span(cell, "colspan") for cell in cells)
            if self._n_cells > MAX_CELLS:
                raise over_bound(self._path, f"more than {MAX_CELLS} cells", f"单元格超过 {MAX_CELLS} 个")
            rows.append(_filled(cells, spanning))
        return rows, n_header if n_header < len(rows) else 0


def joined_lines(text: str) -> str:
    """The text with line breaks between Chinese characters taken out: they are the source's, not the page's."""
    return _HAN_BREAK.sub("", text)


def entity_text(entity: etree._Element) -> str:
    """What a reference to an entity of HTML stands for; the reference itself where HTML knows none."""
    text = entity.text or ""
    return html.entities.html5.get(text[1:], text)


def visible_text(element: etree._Element) -> str:
    """All that a reader sees of an element, blocks separated by line breaks; tables in it are flattened."""
    parts: list[str] = []
    walk = etree.iterwalk(element, events=("start", "end", "comment", "pi"))
    for event, node in walk:
        if event in ("comment", "pi"):
            entity = entity_text(node) if isinstance(node, etree._Entity) else ""  # noqa: SLF001
            parts.append(entity + joined_lines(node.tail or ""))
            continue
        name = local_name(node)
        if name in _BLOCKS or name == "br":
            parts.append("\n")
        if event == "end":
            parts.append(joined_lines(node.tail or "") if node is not element else "")
        elif name in _UNSEEN:
            walk.skip_subtree()
        else:
            parts.append(joined_lines(node.text or ""))
    return "".join(parts).strip()


def is_grid(table: etree._Element) -> bool:
    """Whether a table holds data; many old pages use tables to place whole columns of text."""
    if table.get("role") == "presentation":
        return False
    names: set[str] = set()
    for node in table.iterdescendants():
        name = local_name(node)
        if name in _NOT_IN_GRIDS:
            return False
        names.add(name)
    if len(names & {"p", "ul", "ol"}) > 1 and "th" not in names:
        return False
    if names & {"th", "thead"}:
        return True
    rows = [sum(local_name(cell) == "td" for cell in row) for row in table.iterdescendants("{*}tr", "tr")]
    return len(rows) > 1 and max(rows) > 1


def _rows(table: etree._Element) -> Iterator[etree._Element]:
    for child in table:
        name = local_name(child)
        if name == "tr":
            yield child
        elif name in ("thead", "tbody", "tfoot"):
            yield from (row for row in child if local_name(row) == "tr")


def _filled(cells: list[etree._Element], spanning: dict[int, tuple[int, str]]) -> list[str]:
    row: list[str] = []

    def from_above() -> None:
        while len(row) in spanning:
            left, text = spanning.pop(len(row))
            if left > 1:
                spanning[len(row)] = (left - 1, text)
            row.append(text)

    for cell in cells:
        from_above()
        text = spaced(visible_text(cell))
        n_rows = _span(cell, "rowspan")
        for i in range(_span(cell, "colspan")):
            shown = text if i == 0 else ""
            if n_rows > 1:
                spanning[len(row)] = (n_rows - 1, shown)
            row.append(shown)
    from_above()
    return row


def _span(cell: etree._Element, name: str) -> int:
    value = cell.get(name, "1").strip()
    if not value.isdecimal():
        return 1
    return min(max(int(value), 1), _MAX_SPAN) if len(value) < 9 else _MAX_SPAN


def _first_number(ol: etree._Element) -> int:
    start = ol.get("start", "1")
    return int(start) if start.isdecimal() and len(start) < 9 else 1
