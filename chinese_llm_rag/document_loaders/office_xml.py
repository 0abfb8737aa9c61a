"""What DOCX, PPTX and XLSX have in common: parts in a ZIP file that refer to one another."""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from chinese_llm_rag.document_loaders.bounds import MAX_PART_BYTES, PackedFile, damaged

A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
S = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
M_T = "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"
MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/")  # the namespaces of ISO/IEC 29500 Strict


class OfficeFile(PackedFile):
    """An Office file's parts, with the relations between them."""

    def relations(self, part: str) -> dict[str, tuple[str, str]]:
        """Relation id -> (last word of its type, name of the part it leads to); links outwards are left out."""
        folder, name = posixpath.split(part)
        relations_part = posixpath.join(folder, "_rels", f"{name}.rels")
        if relations_part not in self:
            return {}
        found: dict[str, tuple[str, str]] = {}
        for relation in self.xml(relations_part):
            if not isinstance(relation.tag, str) or relation.get("TargetMode") == "External":
                continue
            target = relation.get("Target", "")
            leads_to = (
                target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
            )
            found[relation.get("Id", "")] = (relation.get("Type", "").rpartition("/")[2], leads_to)
        return found

    def related(self, part: str, kind: str) -> Iterator[str]:
        """Names of the parts that a part refers to by a type of relation."""
        for a_kind, target in self.relations(part).values():
            if a_kind == kind and target in self:
                yield target

    def main_part(self, path: Path, kind: str) -> str:
        """The part that holds the document itself.

        Raises:
            DocumentError: there is none.
        """
        main = next(self.related("", "officeDocument"), None)
        if main is None:
            raise damaged(path, kind, "officeDocument")
        return main

    def read(self, name: str, limit: int = MAX_PART_BYTES) -> bytes:
        """A part, unpacked; the names of the Strict variant become the usual ones."""
        return _STRICT.sub(rb"http://schemas.openxmlformats.org/\1/2006/", super().read(name, limit))


def texts_of(element: etree._Element, tag: str) -> str:
    """All text in elements of a name, in order."""
    return "".join(node.text or "" for node in element.iter(tag))


def drawing_paragraphs(element: etree._Element) -> Iterator[str]:
    """The paragraphs of DrawingML text, line breaks and fields included."""
    for paragraph in element.iter(f"{A}p"):
        parts = ["\n" if node.tag == f"{A}br" else node.text or "" for node in paragraph.iter(f"{A}t", f"{A}br", M_T)]
        if text := "".join(parts).strip():
            yield text


def chart_rows(chart: etree._Element) -> list[list[str]]:
    """A chart's cached values as a table: a row for each category, a column for each series."""
    columns: list[tuple[str, dict[int, str]]] = []
    categories: dict[int, str] = {}
    for series in chart.iter(f"{C}ser"):
        names = [_points(node) for node in series.iterfind(f"{C}tx")]
        for node in series.iterfind(f"{C}cat"):
            categories.update(_points(node))
        name = " ".join(names[0].values()) if names else ""
        values = [*series.iterfind(f"{C}val"), *series.iterfind(f"{C}yVal")]
        columns.extend((name, _points(node)) for node in values)
    if not columns:
        return []
    points = sorted({*categories, *(i for _, numbers in columns for i in numbers)})
    rows = [[categories.get(i, ""), *(numbers.get(i, "") for _, numbers in columns)] for i in points]
    return [["", *(name for name, _ in columns)], *rows]


def chart_title(chart: etree._Element) -> str:
    """The title written over a chart."""
    title = chart.find(f".//{C}title")
    return "" if title is None else " ".join(drawing_paragraphs(title))


def _points(node: etree._Element) -> dict[int, str]:
    return {
        int(point.get("idx", "0")): _as_shown(texts_of(point, f"{C}v"))
        for point in node.iter(f"{C}pt")
        if point.get("idx", "0").isdecimal()
    }


def _as_shown(value: str) -> str:
    """A cached number without the noise of binary fractions."""
    try:
        return f"{float(value):.15g}" if "." in value and "e" not in value.lower() else value
    except ValueError:
        return value
