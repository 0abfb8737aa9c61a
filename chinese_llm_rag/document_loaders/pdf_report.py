"""Pages as they were read -> texts with what the user must know about them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from chinese_llm_rag.document_loaders import pdf_quality
from chinese_llm_rag.document_loaders.broken_words import join_broken_words
from chinese_llm_rag.document_loaders.marked_text import MarkedText
from chinese_llm_rag.document_loaders.page_lines import clean_line
from chinese_llm_rag.document_loaders.page_texts import PageDetails, PageTexts
from chinese_llm_rag.document_loaders.pdf_furniture import PageFrame, find_furniture
from chinese_llm_rag.document_loaders.pdf_order import reading_order, same_line
from chinese_llm_rag.document_loaders.pdf_page import HOLE, PageRead
from chinese_llm_rag.document_loaders.pdf_paragraphs import to_paragraphs
from chinese_llm_rag.document_loaders.pdf_tables import place_tables
from chinese_llm_rag.errors import DocumentError
from chinese_llm_rag.language import say
from chinese_llm_rag.schema import Mark

_END_MARK_WITHIN = 2048  # bytes; the end-of-file mark of a whole PDF lies near its end
_WORTH_NAMING = 4  # garbled letters of a page; fewer are a sign of a formula
_MUCH = 0.2  # of a page's letters garbled: of the rest only lines are kept that are sentences


def to_page_texts(
    pages: Sequence[PageRead], data: bytes, path: Path, *, recognized: frozenset[int], has_ocr: bool
) -> PageTexts:
    """What the reader of PDFs returns.

    Args:
        pages: of the whole document.
        data: the file's bytes.
        path: its name.
        recognized: pages that were read by OCR, from 0.
        has_ocr: whether OCR was at work, for the hint.

    Raises:
        DocumentError: no page, or none with text that is trusted.
    """
    _check_pages(pages, path)
    for page in pages:
        if page.n_garbled > _MUCH * page.n_letters:
            page.pieces = [piece for piece in page.pieces if _speaks(piece.text)]
    furniture = _furniture_of(pages)
    blocks = [_blocks(page, found) for page, found in zip(pages, furniture, strict=True)]
    joined = iter(join_broken_words([text for page in blocks for block in page for text in block.texts]))
    texts, details = [], []
    for number, (page, found, page_blocks) in enumerate(zip(pages, furniture, blocks, strict=True)):
        text, marks = _assembled(page_blocks, joined)
        problem = _problem(page, text, is_recognized=number in recognized)
        texts.append(text)
        details.append(PageDetails(marks=marks, furniture=_furniture(page, found), problem=problem))
    if not any(texts):
        raise _no_text(pages, path, has_ocr=has_ocr)
    return PageTexts(tuple(texts), _problems(pages, texts, data, recognized), tuple(details))


def _furniture_of(pages: Sequence[PageRead]) -> list[frozenset[int]]:
    found = find_furniture([PageFrame(() if page.is_out_of_place else page.pieces, page.height) for page in pages])
    if all(len(chosen) == len(page.pieces) and not page.tables for chosen, page in zip(found, pages, strict=True)):
        return [frozenset()] * len(pages)  # pages of one line each: that is their text
    return found


def _speaks(text: str) -> bool:
    """Whether a line among garbled ones is text for certain."""
    words = [word for word in text.split() if word.isascii() and word.isalpha() and len(word) > 2]
    return HOLE not in text and (pdf_quality.count_han(text) >= 4 or len(words) >= 3)


@dataclass(frozen=True, slots=True)
class _Block:
    """Texts that belong together: a paragraph, or the cells of a table row by row, `width` of them a row."""

    texts: tuple[str, ...]
    width: int = 0
    n_header: int = 0


def _blocks(page: PageRead, furniture: frozenset[int]) -> list[_Block]:
    pieces = [piece for number, piece in enumerate(page.pieces) if number not in furniture]
    blocks: list[_Block] = []
    for part in place_tables(pieces if page.is_out_of_place else reading_order(pieces), page.tables):
        if isinstance(part, list):
            blocks.extend(_Block((text,)) for text in to_paragraphs(part))
        else:
            rows = part.texts()
            blocks.append(_Block(tuple(text for row in rows for text in row), len(rows[0]), part.n_header))
    return blocks


def _assembled(blocks: Sequence[_Block], joined: Iterator[str]) -> tuple[str, tuple[Mark, ...]]:
    """The page's text and its marks; `joined` gives the blocks' texts with their words whole."""
    page = MarkedText()
    for block in blocks:
        texts = [clean_line(text) for text in islice(joined, len(block.texts))]
        if block.width:
            page.table([texts[i : i + block.width] for i in range(0, len(texts), block.width)], n_header=block.n_header)
        else:
            page.paragraph(texts[0])
    return page.text, page.marks


def _furniture(page: PageRead, chosen: frozenset[int]) -> tuple[str, ...]:
    """The furniture by rows from the top."""
    rows: list[str] = []
    before = None
    for piece in sorted((page.pieces[i] for i in chosen), key=lambda p: (-round(p.middle / 4), p.x0)):
        if before is not None and same_line(before, piece):
            rows[-1] = clean_line(f"{rows[-1]} {piece.text}")
        else:
            rows.append(clean_line(piece.text))
        before = piece
    return tuple(row for row in rows if row)


def _problem(page: PageRead, text: str, *, is_recognized: bool) -> str | None:
    """Why the page's text is missing, or what of it is."""
    if page.is_unreadable:
        return say("unreadable", "无法读取")
    if page.is_lost:
        return say("a text layer that cannot be read", "文本层无法解读")
    if page.n_garbled >= _WORTH_NAMING:
        share = round(100 * (1 - page.quality.score))
        return say(f"garbled: {share}% of its letters, left out", f"乱码：占本页文字的 {share}%，未收入")
    if is_recognized:
        return None
    if page.is_scan:
        return say("a picture without a text layer", "没有文本层的图像页")
    return None if text else say("blank", "空白页")


def _problems(
    pages: Sequence[PageRead], texts: Sequence[str], data: bytes, recognized: frozenset[int]
) -> tuple[str, ...]:
    problems = []
    if b"%%EOF" not in data[-_END_MARK_WITHIN:]:
        problems.append(
            say(
                f"the file is cut off or damaged: {len(pages)} pages could be rebuilt, others may be missing",
                f"文件被截断或已损坏：只重建出 {len(pages)} 页，可能还有缺失",
            )
        )
    numbered = list(enumerate(zip(pages, texts, strict=True), 1))
    unreadable = [n for n, (page, _) in numbered if page.is_unreadable]
    garbled = [n for n, (page, _) in numbered if page.n_garbled >= _WORTH_NAMING or page.is_lost]
    rest = [(n, page, text) for n, (page, text) in numbered if n not in {*unreadable, *garbled}]
    empty = [n for n, page, text in rest if n - 1 not in recognized and not text]
    pictures = [n for n, page, text in rest if n - 1 not in recognized and text and page.is_scan]
    for numbers, english, chinese in (
        (unreadable, "unreadable pages", "无法读取的页"),
        (
            empty,
            "pages without a text layer (blank or image-only), left out",
            "没有文本层、未收入的页（空白页或扫描图像）",
        ),
        (pictures, "pages that are pictures, of which only a few words could be read", "图像页，只读到少量文字"),
        (
            [n for n in garbled if not texts[n - 1]],
            "pages whose text layer is garbled (a wrong or missing character map), left out",
            "文本层为乱码（字符映射错误或缺失）、未收入的页",
        ),
        (
            [n for n in garbled if texts[n - 1]],
            f"pages of which a part is garbled; it is left out or shown as {HOLE}",
            f"部分文字为乱码的页，乱码已略去或以 {HOLE} 代替",
        ),
        (
            [n + 1 for n in sorted(recognized)],
            "pages read by OCR, which may misread characters",
            "由 OCR 识别、可能有误字的页",
        ),
    ):
        if numbers:
            problems.append(f"{say(english, chinese)}{say(': ', '：')}{_ranges(numbers)}")
    return tuple(problems)


def _check_pages(pages: Sequence[PageRead], path: Path) -> None:
    if not pages:
        raise DocumentError(
            say(f"{path.name!r} has no pages", f"{path.name!r} 没有任何页面"), path=path, hint=_damaged_hint()
        )
    if all(page.is_unreadable for page in pages):
        raise open_error("Data format error", path)


def _no_text(pages: Sequence[PageRead], path: Path, *, has_ocr: bool) -> DocumentError:
    garbled = [n for n, page in enumerate(pages, 1) if page.n_garbled >= _WORTH_NAMING or page.is_lost]
    hint = (
        say("there is nothing to ingest", "没有可导入的内容")
        if has_ocr
        else say(
            "OCR reads pictures: pip install 'chinese-llm-rag[ocr]', and no --no-ocr",
            "OCR 可识别图像：pip install 'chinese-llm-rag[ocr]'，且不要使用 --no-ocr",
        )
    )
    if garbled:
        return DocumentError(
            say(
                f"{path.name!r}: the text layer is garbled (a wrong or missing character map) on pages "
                f"{_ranges(garbled)}, and there is no other text",
                f"{path.name!r}：第 {_ranges(garbled)} 页的文本层为乱码（字符映射错误或缺失），此外没有文字",
            ),
            path=path,
            hint=hint,
        )
    return DocumentError(
        say(
            f"{path.name!r} has no text layer on any of its {len(pages)} pages (blank or image-only)",
            f"{path.name!r} 共 {len(pages)} 页，没有一页带文本层（空白页或扫描图像）",
        ),
        path=path,
        hint=hint,
    )


def open_error(reason: str, path: Path, *, n_passwords: int = 0) -> DocumentError:
    """Why a file cannot be opened, for the user."""
    if "assword" not in reason:
        return DocumentError(
            say(f"{path.name!r} is not a readable PDF ({reason})", f"{path.name!r} 不是可读取的 PDF（{reason}）"),
            path=path,
            hint=_damaged_hint(),
        )
    if n_passwords:
        return DocumentError(
            say(
                f"{path.name!r} is encrypted and needs a password; none of the {n_passwords} given opens it",
                f"{path.name!r} 已加密，需要密码；给出的 {n_passwords} 个密码都打不开",
            ),
            path=path,
            hint=say("give the right password", "请提供正确的密码"),
        )
    return DocumentError(
        say(f"{path.name!r} is encrypted and needs a password", f"{path.name!r} 已加密，需要密码"),
        path=path,
        hint=say(
            "give its password, or save a copy without the password and ingest that",
            "请提供密码，或另存一份不带密码的副本再导入",
        ),
    )


def _damaged_hint() -> str:
    return say(
        "the file is damaged or incomplete: get it again, or open and re-save it in a PDF program",
        "文件已损坏或不完整：请重新获取，或用 PDF 软件打开后另存",
    )


def _ranges(numbers: Sequence[int]) -> str:
    """Ascending page numbers as "1, 3-5"."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1] = [parts[-1][0], number]
        else:
            parts.append([number])
    return ", ".join("-".join(str(n) for n in part) for part in parts)
