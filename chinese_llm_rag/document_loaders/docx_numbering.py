"""The numbers that Word writes before paragraphs (第一条, 二、, 1.1), which stand nowhere in the text. Pure.

WordprocessingML, ECMA-376 part 1, 17.9.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from lxml import etree

from chinese_llm_rag.document_loaders.office_xml import W

_DIGITS = "〇一二三四五六七八九"
_LEGAL = str.maketrans("〇零一二三四五六七八九十百千", "零零壹贰叁肆伍陆柒捌玖拾佰仟")
_STEMS, _BRANCHES = "甲乙丙丁戊己庚辛壬癸", "子丑寅卯辰巳午未申酉戌亥"
_ROMAN = ((1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"),
          (9, "IX"), (5, "V"), (4, "IV"), (1, "I"))  # fmt: skip
_ENCLOSED = {
    "decimalEnclosedCircle": ("①", 20),
    "decimalEnclosedCircleChinese": ("①", 20),
    "decimalEnclosedParen": ("⑴", 20),
    "decimalEnclosedFullstop": ("⒈", 20),
    "ideographEnclosedCircle": ("㊀", 10),
}
_FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
_MAX_NUMBER = 9999
_N_LEVELS = 9


@dataclass(frozen=True, slots=True)
class _Level:
    number_format: str = "decimal"
    text: str = ""
    start: int = 1
    suffix: str = "tab"
    legal: bool = False  # all numbers in it are decimal


class Numbering:
    """Gives each numbered paragraph its label; asked in the order of the document."""

    def __init__(self, root: etree._Element | None) -> None:
        self._abstract: dict[str, dict[int, _Level]] = {}
        self._of_num: dict[str, str] = {}
        self._overrides: dict[str, dict[int, _Level]] = {}
        self._starts: dict[str, dict[int, int]] = {}  # where a list begins anew
        self._counters: dict[str, list[int | None]] = {}
        if root is not None:
            self._read(root)

    def _read(self, root: etree._Element) -> None:
        style_links: dict[str, str] = {}
        by_style: dict[str, str] = {}
        for abstract in root.iterfind(f"{W}abstractNum"):
            identity = abstract.get(f"{W}abstractNumId", "")
            self._abstract[identity] = _levels(abstract)
            if link := _value(abstract, "numStyleLink"):
                style_links[identity] = link
            if link := _value(abstract, "styleLink"):
                by_style[link] = identity
        for identity, style in style_links.items():
            self._abstract[identity] = self._abstract.get(by_style.get(style, ""), {})
        for num in root.iterfind(f"{W}num"):
            identity = num.get(f"{W}numId", "")
            self._of_num[identity] = _value(num, "abstractNumId")
            for override in num.iterfind(f"{W}lvlOverride"):
                level = _integer(override.get(f"{W}ilvl", ""), 0)
                self._overrides.setdefault(identity, {}).update(_levels(override))
                if start := _value(override, "startOverride"):
                    self._starts.setdefault(identity, {})[level] = _integer(start, 1)

    def label(self, num: str, level: int) -> str:
        """The label of the next paragraph of a list at a level from 0, with what parts it from the text."""
        abstract = self._of_num.get(num)
        levels = {**self._abstract.get(abstract or "", {}), **self._overrides.get(num, {})}
        if abstract is None or level not in levels or not 0 <= level < _N_LEVELS:
            return ""
        counters = self._counters.setdefault(abstract, [None] * _N_LEVELS)
        for at, start in self._starts.pop(num, {}).items():
            if 0 <= at < _N_LEVELS:
                counters[at] = start - 1
        counters[level] = levels[level].start if (now := counters[level]) is None else now + 1
        counters[level + 1 :] = [None] * (_N_LEVELS - level - 1)
        own = levels[level]
        if own.number_format in ("bullet", "none") and "%" not in own.text:
            return ""

        def number(match: re.Match[str]) -> str:
            at = int(match[1]) - 1
            of = levels.get(at, _Level())
            value = counters[at] if counters[at] is not None else of.start
            return counted(value or 0, "decimal" if own.legal else of.number_format)

        label = re.sub(r"%([1-9])", number, own.text)
        return label + ("" if own.suffix == "nothing" or not label else " ")


def counted(number: int, number_format: str) -> str:
    """A number as a numbering format of Word writes it; plain digits for one it does not know."""
    if not 0 < number <= _MAX_NUMBER:
        return str(number)
    if number_format in _ENCLOSED:
        first, most = _ENCLOSED[number_format]
        return chr(ord(first) + number - 1) if number <= most else str(number)
    write = _FORMATS.get(number_format)
    return write(number) if write else str(number)


def letters(number: int) -> str:
    """A to Z, then AA, BB."""
    return chr(ord("A") + (number - 1) % 26) * ((number - 1) // 26 + 1)


def chinese_number(number: int) -> str:
    """1..9999 in Chinese numerals: 十二, 一百零五."""
    text, zero = "", False
    for unit, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // unit % 10
        if digit:
            text += ("零" if zero and text else "") + _DIGITS[digit] + name
        zero = digit == 0
    return text[1:] if text.startswith("一十") else text


def roman(number: int) -> str:
    """A number in Roman numerals."""
    text = ""
    for value, letters in _ROMAN:
        count, number = divmod(number, value)
        text += letters * count
    return text


_FORMATS: dict[str, Callable[[int], str]] = {
    **dict.fromkeys(
        (
            "chineseCounting",
            "chineseCountingThousand",
            "japaneseCounting",
            "taiwaneseCounting",
            "taiwaneseCountingThousand",
            "japaneseDigitalTenThousand",
        ),
        chinese_number,
    ),
    **dict.fromkeys(
        ("chineseLegalSimplified", "ideographLegalTraditional", "japaneseLegal"),
        lambda number: chinese_number(number).translate(_LEGAL),
    ),
    "ideographDigital": lambda number: "".join(_DIGITS[int(digit)] for digit in str(number)),
    "taiwaneseDigital": lambda number: "".join(_DIGITS[int(digit)] for digit in str(number)),
    "ideographTraditional": lambda number: _STEMS[(number - 1) % 10],
    "ideographZodiac": lambda number: _BRANCHES[(number - 1) % 12],
    "decimalFullWidth": lambda number: str(number).translate(_FULL_WIDTH),
    "decimalFullWidth2": lambda number: str(number).translate(_FULL_WIDTH),
    "decimalZero": "{:02}".format,
    "upperRoman": roman,
    "lowerRoman": lambda number: roman(number).lower(),
    "upperLetter": letters,
    "lowerLetter": lambda number: letters(number).lower(),
}


def _levels(parent: etree._Element) -> dict[int, _Level]:
    return {
        _integer(level.get(f"{W}ilvl", ""), 0): _Level(
            _value(level, "numFmt") or "decimal",
            _value(level, "lvlText"),
            _integer(_value(level, "start"), 1),
            _value(level, "suff") or "tab",
            level.find(f"{W}isLgl") is not None,
        )
        for level in parent.iterfind(f"{W}lvl")
    }


def _value(parent: etree._Element, name: str) -> str:
    child = parent.find(f"{W}{name}")
    return "" if child is None else child.get(f"{W}val", "")


def _integer(text: str, otherwise: int) -> int:
    return int(text) if text.isdecimal() and len(text) < 6 else otherwise
