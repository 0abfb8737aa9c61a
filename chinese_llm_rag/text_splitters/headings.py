"""Which lines of a text are headings: what their marks and their neighbours say together. Pure.

A mark alone proves nothing: 第一条消息, "1. 5 倍", 2023.1.5, a table of contents and every numbered list
look like headings. So a mark must be the first of its kind or go on from another one, text must stand
below it, and lists whose items are one line each are lists.
"""

import bisect
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from chinese_llm_rag.chinese_text import HAN
from chinese_llm_rag.schema import Span
from chinese_llm_rag.text_splitters.heading_lines import Shape, is_glued, rest_of, run_in_end, shape_of
from chinese_llm_rag.text_splitters.heading_marks import ARTICLE, HeadingMark, heading_marks

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})([^\n]*)$", re.MULTILINE)
_LINE_BELOW = re.compile(r"[^\S\n]*\n[^\S\n]*([^\n]*\S)")
_CONTENTS = 3  # chapters one after the other without any text: a table of contents
_NOTES = ("circle", "half")  # marks of notes and of short lists, never of sections
_PROMPTS = 4  # so many lines with one # in Latin letters, and none with two, are not headings
_LONGEST_TITLE = 120  # characters; a longer "heading" is a paragraph that looks like one
_DEEPER = {"certain": 0, "named": 1, "ordinal": 1, "han": 2, "decimal": 2, "arabic": 3, "question": 4}


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading, or an item of a list.

    Attributes:
        mark: what it begins with.
        shape: whether it fills its line, or text follows it there.
        end: of its text; it begins where the mark does.
        title: its text on one line; "" where it names nothing.
        is_item: an item of a list: it holds its own paragraph and nothing more.
    """

    mark: HeadingMark
    shape: Shape
    end: int
    title: str
    is_item: bool = False

    @property
    def start(self) -> int:
        """Where it begins."""
        return self.mark.start


def find_headings(
    text: str,
    certain: Sequence[tuple[Span, int]] = (),
    outside: Sequence[Span] = (),
    *,
    markdown: bool = True,
) -> list[Heading]:
    """Headings and list items of a text, in order.

    Args:
        text: whose lines are looked at.
        certain: headings that are known, with their levels, in order.
        outside: spans that hold no headings, such as tables, in order.
        markdown: whether lines that begin with # are headings.
    """
    certain = [(_widened(text, span), level) for span, level in certain]
    blocked = _united([*outside, *_fenced(text), *(span for span, _ in certain)])
    marks = [mark for mark in heading_marks(text) if not _lies_in(mark, blocked)]
    if not markdown or _has_prompts(text, marks):
        marks = [mark for mark in marks if mark.style != "hashes"]
    shaped = [(mark, shape) for mark in marks if (shape := shape_of(text, mark)) is not None]
    shaped = _in_sequence(text, _with_top_decimals(text, shaped))
    headings = [_heading(text, mark, shape) for mark, shape in shaped]
    headings.extend(_certain(text, span, level) for span, level in certain)
    headings = [heading for heading in headings if len(heading.title) <= _LONGEST_TITLE]
    headings.sort(key=lambda heading: heading.start)
    apart = [b for a, b in pairwise([None, *headings]) if b and (a is None or b.start >= a.end)]
    return list(_without_lists(text, apart))


def _fenced(text: str) -> Iterable[Span]:
    """Blocks of code between fences; a fence that nothing closes fences nothing."""
    opened: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        if opened is None:
            opened = fence
        elif fence[1].startswith(opened[1]) and not fence[2].strip():
            yield Span(opened.start(), fence.end())
            opened = None


def _united(spans: list[Span]) -> list[Span]:
    """The spans in order, those that overlap made one."""
    result: list[Span] = []
    for span in sorted(spans, key=lambda span: span.start):
        if result and span.start < result[-1].end:
            result[-1] = Span(result[-1].start, max(result[-1].end, span.end))
        else:
            result.append(span)
    return result


def _lies_in(mark: HeadingMark, spans: Sequence[Span]) -> bool:
    """Whether the mark's line and one of the spans, which are in order, have characters in common."""
    index = bisect.bisect_left(spans, mark.line_end, key=lambda span: span.start) - 1
    return index >= 0 and spans[index].end > mark.start


def _has_prompts(text: str, marks: list[HeadingMark]) -> bool:
    """Whether lines such as "# apt-get update" are commands and comments: no other lines with # are there."""
    hashes = [mark for mark in marks if mark.style == "hashes"]
    n_chinese = sum(re.search(HAN, rest_of(text, mark)) is not None for mark in hashes)
    return len(hashes) >= _PROMPTS and all(mark.rank == 1 for mark in hashes) and 2 * n_chinese <= len(hashes)


def _widened(text: str, span: Span) -> Span:
    """A heading with the signs around it on its line, such as the # before it."""
    line = text.rfind("\n", 0, span.start) + 1
    line_end = text.find("\n", span.end)
    line_end = len(text) if line_end < 0 else line_end
    start = line if re.fullmatch(r"[#*_>\s]{0,12}", text[line : span.start]) else span.start
    end = line_end if re.fullmatch(r"[#*_\s]{0,12}", text[span.end : line_end]) else span.end
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return Span(start, end)


def _certain(text: str, span: Span, level: int) -> Heading:
    mark = HeadingMark(span.start, span.start, span.end, "hashes", "certain", level, ())
    return Heading(mark, "line", span.end, _title(text[span.start : span.end]))


def _heading(text: str, mark: HeadingMark, shape: Shape) -> Heading:
    end = run_in_end(text, mark, shape)
    if mark.group == "ordinal" and mark.rank < ARTICLE and mark.end == mark.line_end:
        end = _title_below(text, mark)
    named = shape != "run" or mark.rank == ARTICLE or mark.group == "decimal"
    if mark.group == "question":
        end = mark.line_end
        named = len(rest_of(text, mark)) <= _LONGEST_TITLE // 2
    return Heading(mark, shape, end, _title(text[mark.start : end]) if named else "")


def _title(line: str) -> str:
    return " ".join(line.strip("*_# \t\u3000").replace("**", "").split())


def _title_below(text: str, mark: HeadingMark) -> int:
    """End of the title that stands on the line below 第N章; of the mark where none does."""
    match = _LINE_BELOW.match(text, mark.line_end)
    if (
        match is None
        or len(match[1]) > 20
        or re.search("[，。；：、！？,;:?!]", match[1])
        or any(mark.style != "named" for mark in heading_marks(match[1]))
    ):
        return mark.line_end
    return match.end()


def _with_top_decimals(text: str, shaped: Iterable[tuple[HeadingMark, Shape]]) -> list[tuple[HeadingMark, Shape]]:
    """With "1" and "1." as what 1.1 belongs to, where 1.1 follows; other numbers without a dot are no marks."""
    result: list[tuple[HeadingMark, Shape]] = []
    following: tuple[int, ...] = ()
    for mark, shape in reversed(list(shaped)):
        if mark.style in ("bare", "arabic"):
            if following == (mark.number, 1) and shape == "line":
                result.append((replace(mark, style="decimal1", group="decimal", rank=70), shape))
                following = mark.numbers
            elif mark.style == "arabic":
                result.append((mark, shape))
            elif following == (mark.number + 1,) and shape == "line" and _is_name(rest_of(text, mark)):
                result.append((replace(mark, style="decimal1"), shape))
                following = mark.numbers
            continue
        if mark.group == "decimal":
            following = mark.numbers
        result.append((mark, shape))
    return result[::-1]


def _is_name(text: str) -> bool:
    return text[0].isupper() or re.search(HAN, text) is not None


def _in_sequence(text: str, shaped: list[tuple[HeadingMark, Shape]]) -> list[tuple[HeadingMark, Shape]]:
    """Those that begin counting, or go on from another of their style, or are plain enough by themselves."""
    by_style: dict[str, list[HeadingMark]] = {}
    for mark, _ in shaped:
        by_style.setdefault(mark.style, []).append(mark)
    place = {mark.start: index for marks in by_style.values() for index, mark in enumerate(marks)}
    return [
        (mark, shape) for mark, shape in shaped if _counts(text, mark, shape, by_style[mark.style], place[mark.start])
    ]


def _counts(text: str, mark: HeadingMark, shape: Shape, alike: list[HeadingMark], index: int) -> bool:
    """Whether the mark, alike[index], is part of a count."""
    before = alike[index - 1] if index else None
    after = alike[index + 1] if index + 1 < len(alike) else None
    if mark.group in ("certain", "named", "question"):
        return True
    goes_on = before is not None and _follows(before, mark)
    goes_ahead = after is not None and _follows(mark, after)
    if mark.group == "ordinal":
        if not is_glued(text, mark):
            return True
        if mark.rank != ARTICLE:
            return goes_on or goes_ahead
        # 第一条…第二条…第三条…: articles, unless they count the same thing.
        last = index + 1 if goes_on and goes_ahead else index if goes_on else index + 2
        run = alike[max(last - 2, 0) : last + 1]
        counted = {text[other.end : other.end + 2] for other in run}
        return len(run) == 3 and _follows(run[0], run[1]) and _follows(run[1], run[2]) and len(counted) == 3
    if mark.group == "arabic" or (mark.group == "decimal" and shape != "line"):
        return goes_on or goes_ahead
    return mark.number == 1 or goes_on or goes_ahead


def _follows(before: HeadingMark, mark: HeadingMark) -> bool:
    """Whether mark counts on from before; one may have been lost between them."""
    return before.numbers[:-1] == mark.numbers[:-1] and 0 < mark.number - before.number <= 2


def _without_lists(text: str, headings: list[Heading]) -> Iterable[Heading]:
    """The headings without tables of contents, and with the items of lists marked as such."""
    adjacent = [a.shape == "line" and not text[a.end : b.start].strip(" \t\r\n\u3000*_") for a, b in pairwise(headings)]
    bodiless = [False] * len(headings)
    for i in range(len(adjacent) - 1, -1, -1):
        if adjacent[i] and headings[i].mark.group != "certain":
            bodiless[i] = bodiless[i + 1] or not _is_below(headings[i + 1].mark, headings[i].mark)
    n_bodiless = 0  # of those directly before this one
    before: dict[str, HeadingMark] = {}  # the last mark of each style among them
    for i, heading in enumerate(headings):
        if not i or not adjacent[i - 1]:
            n_bodiless, before = 0, {}
        alike = before.get(heading.mark.style)
        is_last = alike is not None and not bodiless[i] and heading.shape == "line" and _follows(alike, heading.mark)
        before[heading.mark.style] = heading.mark
        run = n_bodiless + _n_ahead(bodiless, i)
        n_bodiless += bodiless[i]
        if heading.mark.group in ("ordinal", "named"):
            if not (run >= _CONTENTS and (bodiless[i] or is_last)):
                yield heading
        elif heading.mark.group in ("certain", "question"):
            yield heading
        else:
            enough = run >= (1 if heading.mark.group == "arabic" else _CONTENTS)
            listed = enough and (bodiless[i] or is_last)
            mark = heading.mark
            run_in = mark.group == "arabic" and (
                heading.shape == "run"
                or mark.style in _NOTES
                or (heading.shape == "lead" and mark.style == "in_brackets")
            )
            yield replace(heading, title="", is_item=True) if listed or run_in else heading


def _n_ahead(bodiless: list[bool], index: int) -> int:
    count = 0
    while index < len(bodiless) and bodiless[index] and count < _CONTENTS:
        count += 1
        index += 1
    return count


def _is_below(mark: HeadingMark, above: HeadingMark) -> bool:
    """Whether a heading with this mark belongs under the other one."""
    if mark.group == above.group:
        return mark.rank > above.rank
    return _DEEPER[mark.group] > _DEEPER[above.group] or {mark.group, above.group} == {"han", "decimal"}
