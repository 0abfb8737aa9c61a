"""Lines of a page's text layer -> paragraphs. Pure; knows nothing about PDF but its line breaks."""

import re

from chinese_llm_rag.chinese_text import HAN, display_width, ends_sentence, opens_item
from chinese_llm_rag.document_loaders.compatibility import ordinary

_FULL_LINE = 0.8  # of the page's usual line; a shorter line ends its paragraph
_USUAL_LINE = 0.9  # quantile of the line widths
_BREAK_MARKS = "\u0002\ufffe"  # PDFium's for a hyphen at a line's end; broken_words.py takes care of them
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]")
_TIGHT = re.compile(rf"{HAN}|[\u2014\u2015\u2025\u2026\u3000-\u303f\uff00-\uffef]")  # takes no space at a line's end
_MARKS = "、。〈-】，．：；！？（）"
_SPACE_BETWEEN_HAN = re.compile(rf"(?<={HAN})[ \t]+(?={HAN}|[{_MARKS}])|(?<=[{_MARKS}])[ \t]+(?={HAN}|[{_MARKS}])")
# A page's number, alone or with the count of pages: never part of a paragraph.
_PAGE_NUMBER = re.compile(
    r"[-–—\s]*第?\s*(?:\d{1,4}|[ivxlc]{1,7})\s*页?(?:\s*[/，,]?\s*共?\s*\d{1,4}\s*页?)?[-–—\s]*$", re.IGNORECASE
)
_DOT_LEADER = re.compile(r"(?:\.\s?){4,}\s*\S{0,6}$|…{2,}\s*\S{0,6}$")  # an entry of a table of contents


def join_lines(page_text: str) -> str:
    """The page's text with the lines of a paragraph joined, paragraphs separated by line breaks.

    No space is put between Han characters. Compatibility ideographs and radicals, which some PDFs
    give in place of the ordinary characters, become the ordinary ones; this keeps the length.
    """
    lines = [line.strip() for line in page_text.splitlines()]
    widths = sorted(display_width(line) for line in lines if line)
    if not widths:
        return ""
    usual = widths[min(len(widths) - 1, int(len(widths) * _USUAL_LINE))]
    joined: list[str] = []
    goes_on = False
    for line in lines:
        if not line:
            goes_on = False
            continue
        alone = is_page_number(line)
        if goes_on and not alone and not opens_item(line):
            joined[-1] = join_texts(joined[-1], line)
        else:
            joined.append(line)
        goes_on = not alone and _is_full(line, usual)
    return "\n".join(cleaned for line in joined if (cleaned := clean_line(line)))


def _is_full(line: str, usual: int) -> bool:
    return display_width(line) >= _FULL_LINE * usual and not ends_sentence(line) and not is_table_of_contents(line)


def is_page_number(line: str) -> bool:
    """Whether a line is nothing but the number of a page."""
    return _PAGE_NUMBER.match(line) is not None


def is_table_of_contents(line: str) -> bool:
    """Whether a line ends with dots that lead to a page's number."""
    return _DOT_LEADER.search(line) is not None


def join_texts(before: str, line: str) -> str:
    """Two lines of a paragraph as one text: a blank between Latin words, none beside Han characters."""
    if not before or before[-1] in _BREAK_MARKS:
        return before + line
    tight = _TIGHT.match(before[-1]) or _TIGHT.match(line[0])
    return before + ("" if tight else " ") + line


def clean_line(line: str) -> str:
    """A line with ordinary characters for compatibility ones, without control characters or blanks between Han."""
    return _SPACE_BETWEEN_HAN.sub("", _CONTROL.sub(" ", ordinary(line))).strip()
