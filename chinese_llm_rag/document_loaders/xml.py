"""XML of any kind: the text of its elements, one paragraph each; pages and feeds as what they are."""

import re
from pathlib import Path

from lxml import etree

from chinese_llm_rag.document_loaders.bounds import MAX_DEPTH, MAX_MARKUP_BYTES, check_size, too_deep, try_xml
from chinese_llm_rag.document_loaders.encodings import decode
from chinese_llm_rag.document_loaders.html import page_of, said_encoding
from chinese_llm_rag.document_loaders.html_text import entity_text, html_to_text, joined_lines, local_name
from chinese_llm_rag.document_loaders.marked_text import MarkedText, spaced
from chinese_llm_rag.document_loaders.page_texts import NO_OPTIONS, LoadOptions, PageDetails, PageTexts
from chinese_llm_rag.language import say

_TAGS = re.compile(r"<(?:p|br|div|a|img|b|i|span|table|ul|ol|font|strong|em|h[1-6])\b[^>]*>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:[a-z]{2,8}|#\d{2,6});", re.IGNORECASE)
_HAN = re.compile("[\u3400-\u9fff]")
_TITLES = frozenset({"title", "标题", "標題"})
_LONGEST_TITLE = 100


def read_xml(data: bytes, path: Path, options: LoadOptions = NO_OPTIONS) -> PageTexts:
    """The text as one page; titles are headings, a page or feed in HTML is read as such.

    Raises:
        DocumentError: unproven encoding, nested too deep, entities of its own, or too large.
    """
    check_size(data, path, MAX_MARKUP_BYTES)
    decoded = decode(data, path, options.encoding, said=said_encoding(data))
    text = re.sub(r"^\s*<\?xml[^>]*\?>", "", decoded.text, count=1)
    root = try_xml(text, path)
    problems = decoded.problems
    if root is None:
        page = page_of(text, path)
        problems += (say("it is no well-formed XML and was read like a web page", "不是格式良好的 XML，已按网页读取"),)
    elif local_name(root) == "html":
        page = html_to_text(root, path)
    else:
        page = _elements(root, path)
    return PageTexts((page.text,), problems, (PageDetails(marks=page.marks),), decoded.encoding)


def _elements(root: etree._Element, path: Path) -> MarkedText:
    out = MarkedText()
    level = [0]  # of the titles above, for each element that is open
    walk = etree.iterwalk(root, events=("start", "end"))
    for event, element in walk:
        if event == "end":
            level.pop()
            continue
        level.append(level[-1] + any(local_name(child) in _TITLES for child in element))
        if len(level) > MAX_DEPTH + 1:
            raise too_deep(path, path.name)
        for value in element.attrib.values():
            if _HAN.search(str(value)):
                out.paragraph(str(value))
        if not _has_own_text(element):
            continue
        text = _whole_text(element)
        if local_name(element) in _TITLES and len(text.strip()) <= _LONGEST_TITLE and not _TAGS.search(text):
            out.heading(spaced(text), max(level[-1], 1))
        elif _TAGS.search(text) or _ENTITY.search(text):
            out.append(page_of(text, path))
        else:
            out.paragraph(re.sub(r"\n\s*\n+", "\n", joined_lines(text)))
        walk.skip_subtree()
    return out


def _has_own_text(element: etree._Element) -> bool:
    return bool((element.text or "").strip()) or any(
        (child.tail or "").strip() or not isinstance(child.tag, str) for child in element
    )


def _whole_text(element: etree._Element) -> str:
    parts = [element.text or ""]
    for node in element.iterdescendants():
        parts.append(entity_text(node) if isinstance(node, etree._Entity) else node.text or "")  # noqa: SLF001
        parts.append(node.tail or "")
    return "".join(parts)
