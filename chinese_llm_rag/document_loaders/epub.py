"""EPUB: a page for each document of the book's spine, in reading order."""

import posixpath
import urllib.parse
from pathlib import Path

from lxml import etree

from chinese_llm_rag.document_loaders.bounds import MAX_CHARS, PackedFile, damaged, encrypted, over_bound
from chinese_llm_rag.document_loaders.encodings import decode
from chinese_llm_rag.document_loaders.html import page_of, said_encoding
from chinese_llm_rag.document_loaders.marked_text import MarkedText, one_line
from chinese_llm_rag.document_loaders.page_texts import NO_OPTIONS, LoadOptions, PageDetails, PageTexts
from chinese_llm_rag.language import say
from chinese_llm_rag.schema import Place

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_FONT_ONLY = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")  # fonts, not texts
_TEXT_TYPES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml", "text/x-oeb1-document")


def read_epub(data: bytes, path: Path, options: LoadOptions = NO_OPTIONS) -> PageTexts:  # noqa: ARG001
    """The text of every document of the spine; its place is the chapter's name in the table of contents.

    Raises:
        DocumentError: damaged, encrypted, or over a bound.
    """
    packed = PackedFile(data, path, "EPUB")
    package = _package(packed, path)
    root = packed.xml(package)
    folder = posixpath.dirname(package)
    items = {item.get("id", ""): item for item in root.iterfind("{*}manifest/{*}item")}
    _check_encryption(packed, path)
    names = _chapter_names(packed, items, root, folder)
    texts: list[str] = []
    pages: list[PageDetails] = []
    missing: list[str] = []
    for reference in root.iterfind("{*}spine/{*}itemref"):
        item = items.get(reference.get("idref", ""))
        part = "" if item is None else _part(item.get("href", ""), folder)
        page = MarkedText()
        if item is None or part not in packed:
            missing.append(part or reference.get("idref", ""))
        elif item.get("media-type", _TEXT_TYPES[0]) in _TEXT_TYPES:
            page = _document(packed, part, path)
        texts.append(page.text)
        pages.append(
            PageDetails(Place("chapter", names.get(part) or _first_heading(page) or str(len(texts))), page.marks)
        )
        if sum(map(len, texts)) > MAX_CHARS:
            raise over_bound(path, f"more than {MAX_CHARS} characters", f"文字超过 {MAX_CHARS} 个")
    if not texts:
        raise damaged(path, "EPUB", say("its spine is empty", "书脊为空"))
    problems: tuple[str, ...] = ()
    if missing:
        listed = ", ".join(missing)
        problems = (say(f"documents that the book lacks: {listed}", f"书中缺少的文档：{listed}"),)
    return PageTexts(tuple(texts), problems, tuple(pages))


def _package(packed: PackedFile, path: Path) -> str:
    """The part that lists the others."""
    for rootfile in packed.xml(_CONTAINER).iter("{*}rootfile"):
        if (part := rootfile.get("full-path", "")) in packed:
            return part
    raise damaged(path, "EPUB", say("no package document", "缺少包文档"))


def _part(href: str, folder: str) -> str:
    return posixpath.normpath(posixpath.join(folder, urllib.parse.unquote(href.partition("#")[0])))


def _document(packed: PackedFile, part: str, path: Path) -> MarkedText:
    data = packed.read(part)
    return page_of(decode(data, path, said=said_encoding(data)).text, path)


def _check_encryption(packed: PackedFile, path: Path) -> None:
    if _ENCRYPTION not in packed:
        return
    for method in packed.xml(_ENCRYPTION).iter("{*}EncryptionMethod"):
        if method.get("Algorithm", "") not in _FONT_ONLY:
            raise encrypted(path)


def _chapter_names(
    packed: PackedFile, items: dict[str, etree._Element], root: etree._Element, folder: str
) -> dict[str, str]:
    """Part -> its first name in the table of contents (EPUB 3's navigation, else EPUB 2's NCX)."""
    spine = root.find("{*}spine")
    ncx = "" if spine is None else spine.get("toc", "")
    names: dict[str, str] = {}
    for identity, item in items.items():
        part = _part(item.get("href", ""), folder)
        is_ncx = identity == ncx or item.get("media-type") == "application/x-dtbncx+xml"
        if part not in packed or not (is_ncx or "nav" in item.get("properties", "").split()):
            continue
        contents = packed.xml(part)
        here = posixpath.dirname(part)
        if is_ncx:
            for point in contents.iter("{*}navPoint"):
                label, content = point.find("{*}navLabel"), point.find("{*}content")
                if label is not None and content is not None:
                    names.setdefault(_part(content.get("src", ""), here), one_line("".join(label.itertext())))
        else:
            for link in contents.iter("{*}a"):
                names.setdefault(_part(link.get("href", ""), here), one_line("".join(link.itertext())))
    return names


def _first_heading(page: MarkedText) -> str:
    return next((page.text[mark.start : mark.end] for mark in page.marks if mark.kind == "heading"), "")
