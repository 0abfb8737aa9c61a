"""What a heading begins with: the marks of laws, books, reports and lists, and the numbers in them. Pure."""

import re
from dataclasses import dataclass
from typing import Literal

SPACE = "[ \\t\\u3000\\xa0\\u2002-\\u200a]"
_HAN_NUMBER = "[一二三四五六七八九十百千零〇○两兩廿卅]"
_FORMAL_NUMBER = "[壹贰貳叁參叄肆伍陆陸柒捌玖拾佰]"
_NUMBER = f"(?:{_HAN_NUMBER}{{1,9}}|{_FORMAL_NUMBER}{{1,7}}|\\d{{1,4}})"

Group = Literal["certain", "ordinal", "han", "decimal", "arabic", "question", "named"]

# Rank of what 第N… counts: the lower, the higher it stands. These stand above all other marks in a text.
_ORDINALS = {
    "部": 10,
    **dict.fromkeys("编編篇卷册冊", 12),
    **dict.fromkeys(("分编", "分編"), 14),
    **dict.fromkeys(("部分", "单元", "單元"), 16),
    "章": 20,
    **dict.fromkeys("回讲講集幕", 22),
    **dict.fromkeys("节節课課", 30),
    "款": 34,
    "目": 36,
    **dict.fromkeys("条條", 40),
}
ARTICLE = 40
CHAPTER = 20
# Chapters without a number. They are headings only where they stand alone on their line.
_NAMED = (
    "前言|序言|引言|绪论|緒論|导言|導言|导论|導論|楔子|引子|摘要|结论|結論|结语|結語|总结|總結|致谢|致謝|参考文献|參考文獻|后记|後記"
    "|尾声|尾聲|附录|附錄|附件|附则|附則|总则|總則"
)
_UNITS = "|".join(sorted(_ORDINALS, key=len, reverse=True))
_MARK = re.compile(
    rf"^{SPACE}*(?:\*\*|__)?(?:"
    rf"(?P<hashes>\#{{1,6}})[ \t]+(?=\S)"
    rf"|第{SPACE}*(?P<ordinal>{_NUMBER}(?:-\d{{1,3}})?){SPACE}*(?P<unit>{_UNITS})(?P<sub>之{_HAN_NUMBER}{{1,3}})?"
    rf"|(?P<formal>{_FORMAL_NUMBER}{{1,3}})[、.．]"
    rf"|(?P<han>[一二三四五六七八九十]{{1,4}})(?:[、.．]|\u3000+(?=\S))"
    rf"|[（(](?P<bracketed>[一二三四五六七八九十]{{1,4}})[）)]"
    r"|(?P<decimal>[1-9]\d?(?:[.．][1-9]\d?){1,4})(?![\d%％])(?:[.．、](?!\d))?"
    r"|(?P<arabic>[1-9]\d{0,2})[.．、](?!\d)"
    r"|[（(](?P<in_brackets>[1-9]\d?)[）)]"
    r"|(?P<half>[1-9]\d?)[)）]"
    r"|(?P<circle>[①-⑳])"
    rf"|(?P<bare>[1-9]\d?)(?={SPACE}+\S)"
    rf"|(?P<question>问题?|問題?|Q)\s?(?P<q>\d{{0,3}})\s?[:：]"
    rf"|附[录錄件]{SPACE}*(?P<appendix>[A-Z]|{_HAN_NUMBER}{{1,3}}|\d{{1,2}})(?![A-Za-z\d])"
    rf"|(?P<named>{_NAMED})(?=(?:\*\*|__)?{SPACE}*$)"
    r")",
    re.MULTILINE,
)
# group of the expression -> (group, style, rank)
_WEAK: dict[str, tuple[Group, int]] = {
    "formal": ("han", 50),
    "han": ("han", 52),
    "bracketed": ("han", 60),
    "decimal": ("decimal", 70),
    "bare": ("decimal", 70),
    "arabic": ("arabic", 80),
    "in_brackets": ("arabic", 84),
    "half": ("arabic", 84),
    "circle": ("arabic", 88),
    "question": ("question", 95),
    "named": ("named", CHAPTER),
    "appendix": ("named", CHAPTER),
    "hashes": ("certain", 0),
}
_VALUES = {
    c: i
    for i, chars in enumerate(
        ("零〇○", "一壹", "二贰貳两兩", "三叁參叄", "四肆", "五伍", "六陆陸", "七柒", "八捌", "九玖")
    )
    for c in chars
}
_POWERS = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1000}
_TENS = {"廿": 20, "卅": 30}


@dataclass(frozen=True, slots=True)
class HeadingMark:
    """The mark that a line begins with.

    Attributes:
        start: of the line, white space aside.
        end: of the mark.
        line_end: of the line, white space aside.
        style: marks of one style count one sequence.
        group: marks of one group have an order among themselves by `rank`; lower is higher.
        numbers: what the mark counts, outermost first; empty where it counts nothing.
    """

    start: int
    end: int
    line_end: int
    style: str
    group: Group
    rank: int
    numbers: tuple[int, ...]

    @property
    def number(self) -> int:
        """The last of its numbers; 0 where it counts nothing."""
        return self.numbers[-1] if self.numbers else 0


def heading_marks(text: str) -> list[HeadingMark]:
    """The marks at the beginning of lines, in order; most of them are no headings."""
    return [_mark(text, match) for match in _MARK.finditer(text)]


def _mark(text: str, match: re.Match[str]) -> HeadingMark:
    start, line_end = match.start(), text.find("\n", match.end())
    while text[start].isspace():
        start += 1
    line_end = len(text) if line_end < 0 else line_end
    while line_end > match.end() and text[line_end - 1].isspace():
        line_end -= 1
    style, group, rank, numbers = _meaning(match)
    return HeadingMark(start, match.end(), line_end, style, group, rank, numbers)


def _meaning(match: re.Match[str]) -> tuple[str, Group, int, tuple[int, ...]]:
    """Style, group, rank and numbers of a mark."""
    if unit := match["unit"]:
        numbers = tuple(map(parse_number, match["ordinal"].split("-")))
        if match["sub"]:
            numbers = (*numbers, parse_number(match["sub"][1:]))
        return f"第{_ORDINALS[unit]}", "ordinal", _ORDINALS[unit], numbers
    kind = "question" if match["question"] else match.lastgroup or ""
    group, rank = _WEAK[kind]
    value = match[kind]
    if kind == "hashes":
        return kind, group, len(value), ()
    if kind == "decimal":
        numbers = tuple(int(part) for part in re.split("[.．]", value))
        return f"decimal{len(numbers)}", group, rank + len(numbers) - 1, numbers
    if kind == "question":
        return kind, group, rank, (int(match["q"] or 0),)
    return kind, group, rank, () if kind == "named" else (parse_number(value),)


def parse_number(numeral: str) -> int:
    """The value of a Chinese numeral (二十一, 贰拾壹, 一二〇), of digits, of a letter (B is 2) or of ②."""
    first = numeral[0]
    if first.isdecimal():
        return int(numeral)
    if "A" <= first <= "Z":
        return ord(first) - ord("A") + 1
    if "①" <= first <= "⑳":
        return ord(first) - ord("①") + 1
    if not any(c in _POWERS or c in _TENS for c in numeral):
        return int("".join(str(_VALUES[c]) for c in numeral))
    total, digit = 0, 0
    for c in numeral:
        if c in _TENS:
            total += _TENS[c]
        elif c in _POWERS:
            total += (digit or 1) * _POWERS[c]
            digit = 0
        else:
            digit = _VALUES[c]
    return total + digit
