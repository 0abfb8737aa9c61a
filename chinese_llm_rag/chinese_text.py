"""Chinese text as such: sentences, words to search by, and a normal form. Pure functions on strings.

Knows nothing about documents, indexes or models.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import zip_longest

import regex

from chinese_llm_rag.schema import Span

# Han ideographs with their extensions and compatibility forms, 〇 and 々, kana and bopomofo:
# scripts that write words without spaces between them.
_HAN_RANGES = "\u3005\u3007\u3040-\u30ff\u3105-\u312f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
HAN = f"[{_HAN_RANGES}]"

_TERM = re.compile(rf"{HAN}+|[^\W_{_HAN_RANGES}]+")
_SPACE_BETWEEN_HAN = re.compile(rf"(?<={HAN})\s+(?={HAN})")

# What a grapheme may go on with after its first character: accents, joiners, variation selectors.
GRAPHEME_TAIL = r"[\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}]"
# White space that is a grapheme of its own, as many as there are.
_SPACES = regex.compile(rf"(?:[\t-\r\x1c-\x1f\x85\u2028\u2029]|\s(?!{GRAPHEME_TAIL}))*")

_TERMINATORS = "。！？!?；;…｡"
_CLOSERS = "”’」』）)】》〉］]\"'"
# A sentence ends after its terminators and the quotes and brackets that close with them. A full stop of
# Latin text counts only after a word and before a new beginning, so that 3.14, "1. 安装", "e.g. this" and
# "No. 5" stay whole; other half-width marks do not count between Latin characters (/list?page=2).
_SENTENCE_END = regex.compile(
    rf"(?:(?:[。！？；…｡]{GRAPHEME_TAIL}*)+(?:[!?;]{GRAPHEME_TAIL}*)*"
    rf"|(?<![!-~])(?:[!?;]{GRAPHEME_TAIL}*)+(?:[。！？；…｡]{GRAPHEME_TAIL}*)*"
    rf"|(?:[!?;]{GRAPHEME_TAIL}*)+(?![!?;A-Za-z0-9_=&/%#])"
    rf"|(?<=[^\W\d_]{{2}}|[{re.escape(_CLOSERS)}%])\.(?=[{re.escape(_CLOSERS)}]*(?:\s+(?![\sa-z0-9])|\s*$)))"
    rf"(?:[{re.escape(_CLOSERS)}]{GRAPHEME_TAIL}*)*"
)
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")
# What a line begins with when it is certainly not the continuation of the line before.
_OPENS_ITEM = re.compile(
    r"\s*(?:#{1,6}\s|[-*+•●■◆○▪·–—]\s*|\||>|第[一二三四五六七八九十百千零〇\d]+[编章节条款回]"
    r"|[（(]?[一二三四五六七八九十]{1,3}[）)、.．]|[（(]?\d{1,3}[）)、]|\d{1,3}(?:\.\d{1,3})*[.．]?\s)"
)
_WRAP_COLUMNS = 56  # a line at least this wide without a full stop goes on in the next one


def normalize(text: str) -> str:
    """NFKC, lower case, no white space between Han characters: the form in which texts are compared."""
    return _SPACE_BETWEEN_HAN.sub("", unicodedata.normalize("NFKC", text).lower())


def search_terms(text: str) -> list[str]:
    """The terms a text is found by, in order, repeats kept.

    Han runs give their single characters and their overlapping pairs; runs of other letters and
    digits are one term each.
    """
    terms: list[str] = []
    for run in _TERM.findall(normalize(text)):
        if is_han(run[0]):
            terms.extend(run)
            terms.extend(run[i : i + 2] for i in range(len(run) - 1))
        else:
            terms.append(run)
    return terms


@lru_cache(maxsize=1 << 16)
def is_han(character: str) -> bool:
    """Whether the character belongs to a script written without spaces between words."""
    return re.match(HAN, character) is not None


def display_width(text: str) -> int:
    """Columns the text takes in a fixed-width rendering: wide and full-width characters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def opens_item(line: str) -> bool:
    """Whether a line begins a heading, a list item or an article, and so never continues another."""
    return _OPENS_ITEM.match(line) is not None


def ends_sentence(line: str) -> bool:
    """Whether the text, white space at its end aside, closes a sentence."""
    stripped = line.rstrip().rstrip(_CLOSERS)
    return bool(stripped) and (stripped[-1] in _TERMINATORS or stripped[-1] in ".：:")


def iter_paragraphs(text: str) -> Iterator[Span]:
    """Spans that tile the text, each a paragraph with the line breaks after it.

    A line break inside a hard-wrapped paragraph does not end it: a wide line without a full stop goes
    on, unless the next one is blank or opens an item.
    """
    start, lines = 0, [m for m in _LINE.finditer(text) if m.group()]
    for line, following in zip_longest(lines, lines[1:]):
        if following is not None and (not following.group().strip() or _continues(line.group(), following.group())):
            continue
        yield Span(start, line.end())
        start = line.end()


def _continues(line: str, following: str) -> bool:
    content = line.strip()
    if not content or len(content) * 2 < _WRAP_COLUMNS or content.startswith(("#", "|")):
        return False
    if ends_sentence(content) or opens_item(following):
        return False
    return len(content) >= _WRAP_COLUMNS or display_width(content) >= _WRAP_COLUMNS


def iter_sentences(text: str) -> Iterator[Span]:
    """Spans that tile the text, each a sentence with the white space after it."""
    for paragraph in iter_paragraphs(text):
        yield from sentences_in(text, paragraph)


def sentences_in(text: str, paragraph: Span) -> Iterator[Span]:
    """Spans that tile one paragraph of the text, each a sentence with the white space after it."""
    start = paragraph.start
    body = text[paragraph.start : paragraph.end]
    for match in _SENTENCE_END.finditer(body):
        end = paragraph.start + match.end()
        end = after_space(text, end, paragraph.end)
        if end > start:
            yield Span(start, end)
            start = end
    if start < paragraph.end:
        yield Span(start, paragraph.end)


def after_space(text: str, start: int, end: int) -> int:
    """Where in start..end of the text the white space at `start` is over; a space with an accent is none."""
    if start < end and not text[start].isspace():
        return start
    space = _SPACES.match(text, start, end)
    return start if space is None else space.end()
