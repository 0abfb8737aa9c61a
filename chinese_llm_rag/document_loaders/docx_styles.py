"""Which paragraphs of a DOCX are headings and which belong to a list, by their styles. Pure."""

import re
from dataclasses import dataclass

from lxml import etree

from chinese_llm_rag.document_loaders.office_xml import W

_HEADING_NAME = re.compile(r"(?:heading|标题|標題)\s*([1-9])$", re.IGNORECASE)
_TITLE_NAMES = frozenset({"title", "标题", "標題"})
_MAX_BASES = 20  # styles that rest on one another


@dataclass(frozen=True, slots=True)
class Style:
    """What a paragraph's style says: heading level from 1 (0 for none), list and level in it."""

    heading: int = 0
    num: str = ""
    num_level: int = 0


class Styles:
    """The paragraph styles of a document."""

    def __init__(self, root: etree._Element | None) -> None:
        self._elements: dict[str, etree._Element] = {}
        self._default = ""
        self._known: dict[str, Style] = {}
        for style in root.iterfind(f"{W}style") if root is not None else ():
            if style.get(f"{W}type") == "paragraph":
                identity = style.get(f"{W}styleId", "")
                self._elements[identity] = style
                if style.get(f"{W}default") in ("1", "true"):
                    self._default = identity

    def of(self, properties: etree._Element | None) -> Style:
        """What holds for a paragraph: its own properties (w:pPr) before those of its style."""
        identity = child_value(properties, "pStyle") or self._default
        if identity not in self._known:
            self._known[identity] = self._of_style(identity)
        base = self._known[identity]
        return _with(properties, base)

    def _of_style(self, identity: str) -> Style:
        chain: list[etree._Element] = []
        while identity in self._elements and len(chain) < _MAX_BASES:
            chain.append(self._elements[identity])
            identity = child_value(chain[-1], "basedOn")
        style = Style()
        for element in reversed(chain):
            style = _with(element.find(f"{W}pPr"), style)
            name = child_value(element, "name")
            if match := _HEADING_NAME.match(name):
                style = Style(int(match[1]), style.num, style.num_level)
            elif name.lower() in _TITLE_NAMES:
                style = Style(1, style.num, style.num_level)
        return style


def _with(properties: etree._Element | None, base: Style) -> Style:
    if properties is None:
        return base
    heading, num, num_level = base.heading, base.num, base.num_level
    if (outline := child_value(properties, "outlineLvl")).isdecimal():
        heading = int(outline) + 1 if int(outline) < 9 else 0
    numbering = properties.find(f"{W}numPr")
    if numbering is not None:
        num = child_value(numbering, "numId") or num
        level = child_value(numbering, "ilvl")
        num_level = int(level) if level.isdecimal() and len(level) < 3 else num_level
    return Style(heading, "" if num == "0" else num, num_level)


def child_value(parent: etree._Element | None, name: str) -> str:
    """The w:val of a child; "" where there is none."""
    child = parent.find(f"{W}{name}") if parent is not None else None
    return "" if child is None else child.get(f"{W}val", "")
