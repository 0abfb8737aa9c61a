"""Lines of a page's text layer -> paragraphs. Pure; knows nothing about PDF but its line breaks."""

import re
import unicodedata

from chinese_llm_rag.chinese_text import HAN, display_width, ends_sentence, opens_item

_FULL_LINE = 0.8  # of the page's usual line; a shorter line ends its paragraph
_USUAL_LINE = 0.9  # quantile of the line widths
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]")
_COMPATIBILITY = re.compile("[\u2e80-\u2fd5\uf900-\ufaff\U0002f800-\U0002fa1f]")
_TIGHT = re.compile(rf"{HAN}|[\u2014\u2015\u2025\u2026\u3000-\u303f\uff00-\uffef]")  # takes no space at a line's end
_SPACE_BETWEEN_HAN = re.compile(rf"(?<={HAN})[ \t]+(?={HAN})")
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
        alone = _PAGE_NUMBER.match(line) is not None
        if goes_on and not alone and not opens_item(line):
            joined[-1] = _join(joined[-1], line)
        else:
            joined.append(line)
        goes_on = not alone and _is_full(line, usual)
    return "\n".join(cleaned for line in joined if (cleaned := _clean(line)))


def _is_full(line: str, usual: int) -> bool:
    return display_width(line) >= _FULL_LINE * usual and not ends_sentence(line) and not _DOT_LEADER.search(line)


def _join(before: str, line: str) -> str:
    tight = _TIGHT.match(before[-1]) or _TIGHT.match(line[0])
    return before + ("" if tight else " ") + line


def _clean(line: str) -> str:
    line = _COMPATIBILITY.sub(lambda m: unicodedata.normalize("NFKC", m.group()), line)
    return _SPACE_BETWEEN_HAN.sub("", _CONTROL.sub(" ", line)).strip()
