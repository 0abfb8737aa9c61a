"""Web pages: one page with headings, paragraphs and tables."""

import re
from pathlib import Path

from lxml import etree

from chinese_llm_rag.document_loaders.bounds import MAX_MARKUP_BYTES, check_size, damaged, too_deep, try_xml
from chinese_llm_rag.document_loaders.encodings import decode
from chinese_llm_rag.document_loaders.html_text import html_to_text
from chinese_llm_rag.document_loaders.marked_text import MarkedText, one_line
from chinese_llm_rag.document_loaders.page_texts import NO_OPTIONS, LoadOptions, PageDetails, PageTexts

_HEAD_BYTES = 4096  # where a page may say what its encoding is
_XML_SAYS = re.compile(rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]+)""")
_META_SAYS = re.compile(rb"""<meta[^>]{0,300}?charset\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
_XHTML = re.compile(r"\s*<\?xml|.{0,300}<html[^>]{0,200}\sxmlns\s*=", re.IGNORECASE | re.DOTALL)
_DECLARATION = re.compile(r"\s*<\?xml[^>]*\?>")
_NO_TAGS = "<html><body></body></html>"


def read_html(data: bytes, path: Path, options: LoadOptions = NO_OPTIONS) -> PageTexts:
    """The page's text; its title is a heading where it has no other of the first level.

    Raises:
        DocumentError: unproven encoding, nested too deep, or too large.
    """
    check_size(data, path, MAX_MARKUP_BYTES)
    decoded = decode(data, path, options.encoding, said=said_encoding(data))
    page = page_of(decoded.text, path)
    return PageTexts((page.text,), decoded.problems, (PageDetails(marks=page.marks),), decoded.encoding)


def said_encoding(data: bytes) -> str | None:
    """The encoding that a page or an XML document says it has."""
    head = data[:_HEAD_BYTES]
    match = _XML_SAYS.match(head.lstrip()) or _META_SAYS.search(head)
    return match[1].decode("ascii") if match else None


def page_of(text: str, path: Path) -> MarkedText:
    """The visible text of a page of HTML or XHTML.

    Raises:
        DocumentError: nested too deep, too many cells, or entities of its own.
    """
    root = parse_html(text, path)
    page = html_to_text(root, path)
    titles = [one_line("".join(title.itertext())) for title in root.iter("{*}title", "title")]
    title = next((one for one in titles[:1] if one), "")
    if title and not any(mark.kind == "heading" and mark.level == 1 for mark in page.marks):
        titled = MarkedText()
        titled.heading(title, 1)
        titled.append(page)
        return titled
    return page


def parse_html(text: str, path: Path) -> etree._Element:
    """The root of a page: read as XML where it is well-formed XHTML, as browsers read HTML otherwise.

    Raises:
        DocumentError: nested too deep, or entities of its own.
    """
    if _XHTML.match(text):
        root = try_xml(_DECLARATION.sub("", text, count=1), path)
        if root is not None:
            return root
    parser = etree.HTMLParser(
        encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True, no_network=True, recover=True
    )
    try:
        root = etree.fromstring(text.encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError as error:
        raise damaged(path, "HTML", str(error)) from error
    if any("depth" in entry.message.lower() for entry in parser.error_log):
        raise too_deep(path, path.name)
    return root if root is not None else etree.fromstring(_NO_TAGS)
