"""PDF by page from its text layer (PDFium), lines joined into paragraphs.

Pages without a text layer are named as problems; nothing here reads pictures.
"""

import threading
from pathlib import Path

from chinese_llm_rag.document_loaders.broken_words import join_broken_words
from chinese_llm_rag.document_loaders.page_lines import join_lines
from chinese_llm_rag.document_loaders.page_texts import PageTexts
from chinese_llm_rag.errors import DocumentError
from chinese_llm_rag.language import say

_PDFIUM_LOCK = threading.Lock()  # PDFium is not thread-safe
_END_MARK_WITHIN = 2048  # bytes; the end-of-file mark of a whole PDF lies near its end


def read_pdf(data: bytes, path: Path) -> PageTexts:
    """The text of every page, in page order; a page without a text layer is an empty string.

    Raises:
        DocumentError: encrypted, damaged, without pages, or no page has a text layer.
    """
    import pypdfium2  # noqa: PLC0415  (loads a shared library)

    with _PDFIUM_LOCK:
        try:
            document = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as error:
            raise _open_error(str(error), path) from error
        try:
            texts, unreadable = _page_texts(document, pypdfium2.PdfiumError)
        finally:
            document.close()
    return _checked([join_lines(text) for text in join_broken_words(texts)], unreadable, data, path)


def _page_texts(document: object, pdfium_error: type[Exception]) -> tuple[list[str], list[int]]:
    texts: list[str] = []
    unreadable: list[int] = []
    for index in range(len(document)):  # type: ignore[arg-type]
        try:
            page = document[index]  # type: ignore[index]
            text_page = page.get_textpage()
            texts.append(text_page.get_text_range())
            text_page.close()
            page.close()
        except pdfium_error:
            texts.append("")
            unreadable.append(index + 1)
    return texts, unreadable


def _checked(texts: list[str], unreadable: list[int], data: bytes, path: Path) -> PageTexts:
    if not texts:
        raise DocumentError(
            say(f"{path.name!r} has no pages", f"{path.name!r} 没有任何页面"), path=path, hint=_damaged_hint()
        )
    if len(unreadable) == len(texts):
        raise _open_error("Data format error", path)
    lost = frozenset(unreadable)
    empty = [number for number, text in enumerate(texts, 1) if not text.strip() and number not in lost]
    if len(empty) + len(unreadable) == len(texts):
        raise DocumentError(
            say(
                f"{path.name!r} has no text layer on any of its {len(texts)} pages (blank or image-only)",
                f"{path.name!r} 共 {len(texts)} 页，没有一页带文本层（空白页或扫描图像）",
            ),
            path=path,
            hint=say("run it through OCR first", "请先对它做文字识别（OCR）"),
        )
    problems = []
    if b"%%EOF" not in data[-_END_MARK_WITHIN:]:
        problems.append(
            say(
                f"the file is cut off or damaged: {len(texts)} pages could be rebuilt, others may be missing",
                f"文件被截断或已损坏：只重建出 {len(texts)} 页，可能还有缺失",
            )
        )
    if unreadable:
        problems.append(say(f"unreadable pages: {_ranges(unreadable)}", f"无法读取的页：{_ranges(unreadable)}"))
    if empty:
        problems.append(
            say(
                f"pages without a text layer (blank or image-only), left out: {_ranges(empty)}",
                f"没有文本层、未收入的页（空白页或扫描图像）：{_ranges(empty)}",
            )
        )
    return PageTexts(tuple(texts), tuple(problems))


def _open_error(reason: str, path: Path) -> DocumentError:
    if "assword" in reason:
        return DocumentError(
            say(f"{path.name!r} is encrypted and needs a password", f"{path.name!r} 已加密，需要密码"),
            path=path,
            hint=say("save a copy without the password and ingest that", "请另存一份不带密码的副本再导入"),
        )
    return DocumentError(
        say(f"{path.name!r} is not a readable PDF ({reason})", f"{path.name!r} 不是可读取的 PDF（{reason}）"),
        path=path,
        hint=_damaged_hint(),
    )


def _damaged_hint() -> str:
    return say(
        "the file is damaged or incomplete: get it again, or open and re-save it in a PDF program",
        "文件已损坏或不完整：请重新获取，或用 PDF 软件打开后另存",
    )


def _ranges(numbers: list[int]) -> str:
    """Ascending page numbers as "1, 3-5"."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1] = [parts[-1][0], number]
        else:
            parts.append([number])
    return ", ".join("-".join(str(n) for n in part) for part in parts)
