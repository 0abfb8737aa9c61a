"""PDF by page: text layer (PDFium), else pictures read by OCR where that is installed, else named as a problem.

The way of a page: characters with boxes (pdf_chars) -> pieces of lines (pdf_lines) -> what is trusted
(pdf_quality, pdf_page) -> without tables (pdf_tables) and furniture (pdf_furniture) -> in reading order (pdf_order)
-> paragraphs (pdf_paragraphs). Scripts, attachments and links in the file are never looked at.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from chinese_llm_rag.document_loaders import pdf_quality
from chinese_llm_rag.document_loaders.bounds import over_bound
from chinese_llm_rag.document_loaders.ocr import PageRecognizer, find_recognizer
from chinese_llm_rag.document_loaders.page_texts import NO_OPTIONS, LoadOptions, PageTexts
from chinese_llm_rag.document_loaders.pdf_chars import Handle
from chinese_llm_rag.document_loaders.pdf_page import PageRead, read_page
from chinese_llm_rag.document_loaders.pdf_report import open_error, to_page_texts
from chinese_llm_rag.document_loaders.pdf_scan import read_scans
from chinese_llm_rag.document_loaders.pdf_second import read_lost_pages

MAX_PAGES = 10_000
MAX_SECONDS = 50.0  # for everything but OCR
_PDFIUM_LOCK = threading.Lock()  # PDFium is not thread-safe


def read_pdf(
    data: bytes,
    path: Path,
    options: LoadOptions = NO_OPTIONS,
    *,
    recognizer: PageRecognizer | Literal["installed"] | None = "installed",
) -> PageTexts:
    """The text of every page, in page order, what is not to be trusted left out and named.

    Args:
        data: the file's bytes.
        path: its name, for messages.
        options: passwords to try, and whether OCR is wanted.
        recognizer: reads pages that are pictures or garbled; None for none; by default that of the
            `ocr` extra where it is installed and wanted.

    Raises:
        DocumentError: encrypted, damaged, over a bound, without pages or without any text.
    """
    if recognizer == "installed":
        recognizer = find_recognizer() if options.ocr else None
    deadline = time.monotonic() + MAX_SECONDS
    with _opened(data, path, options) as document:
        pages = list(_iter_pages(document, path, deadline))
        _distrust_fonts(pages)
        read_lost_pages(pages, data, options.passwords)
        recognized = read_scans(document, pages, recognizer) if recognizer is not None else frozenset()
    return to_page_texts(pages, data, path, recognized=recognized, has_ocr=recognizer is not None)


@contextmanager
def _opened(data: bytes, path: Path, options: LoadOptions) -> Iterator[Handle]:
    """The document, with PDFium for this thread alone."""
    import pypdfium2  # noqa: PLC0415  (loads a shared library)

    with _PDFIUM_LOCK:
        document = None
        for password in (None, *options.passwords):
            try:
                document = pypdfium2.PdfDocument(data, password=password)
                break
            except pypdfium2.PdfiumError as error:
                if "assword" not in str(error) or password == (options.passwords or (None,))[-1]:
                    raise open_error(str(error), path, n_passwords=len(options.passwords)) from error
        assert document is not None
        try:
            yield document
        finally:
            document.close()


def _iter_pages(document: Handle, path: Path, deadline: float) -> Iterator[PageRead]:
    import pypdfium2  # noqa: PLC0415

    n_pages = len(document)
    if n_pages > MAX_PAGES:
        raise over_bound(
            path,
            f"it has {n_pages} pages, at most {MAX_PAGES} are read",
            f"共 {n_pages} 页，最多读取 {MAX_PAGES} 页",
        )
    for index in range(n_pages):
        if time.monotonic() > deadline:
            raise over_bound(
                path,
                f"after {MAX_SECONDS:.0f} seconds only {index} of {n_pages} pages were read",
                f"{MAX_SECONDS:.0f} 秒内只读完 {n_pages} 页中的 {index} 页",
            )
        try:
            page = document[index]
            text_page = page.get_textpage()
        except pypdfium2.PdfiumError:
            yield PageRead(0, 0, is_unreadable=True)
            continue
        try:
            yield read_page(page, text_page)
        except OverflowError as error:
            raise over_bound(
                path, f"page {index + 1} has {error} characters", f"第 {index + 1} 页有 {error} 个字符"
            ) from error
        finally:
            text_page.close()
            page.close()


def _distrust_fonts(pages: list[PageRead]) -> None:
    """Take what is set in fonts of which the whole document's text is no Chinese out of the trusted text."""
    texts: dict[str, list[str]] = defaultdict(list)
    for page in pages:
        for piece in page.pieces:
            if piece.font:
                texts[piece.font].append(piece.text)
    bad = {font for font, found in texts.items() if pdf_quality.is_no_chinese("\n".join(found))}
    for page in pages if bad else []:
        page.distrust([piece for piece in page.pieces if piece.font in bad])
