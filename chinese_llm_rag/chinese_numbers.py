"""Numbers, percentages, fractions, ordinals and dates of a Chinese text, each with one normal value. Pure.

The same value comes from all ways of writing it: 一百二十万, 120万, 1,200,000 and １２０００００; 百分之三十五
and 35%; 二〇二三年五月一日, 2023-05-01 and 民國112年5月1日; 第十二 and 第12.

Knows nothing about units (what follows the span is the caller's) nor about clock times.
"""

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from chinese_llm_rag.schema import Span

NumberKind = Literal["number", "percent", "fraction", "ordinal", "date"]


@dataclass(frozen=True, slots=True)
class NumberMention:
    """A number as it stands in a text.

    `value` is, by `kind`:
        number: decimal digits without needless zeros, "1200000" or "3.5". A sign is not looked at, nor is
            多 ("30000000" of 三千多万). Digits that begin with a zero are a code, and stay: "007".
        percent: the same with a percent sign, "35%"; per mille too, "0.3%".
        fraction: "1/3", not reduced.
        ordinal: decimal digits, "12"; the span begins with 第.
        date: ISO 8601, as exact as it was said: "2023-05-01", "2023-05", "2023"; without a year "--05-01"
            or "--05".
    """

    span: Span
    kind: NumberKind
    value: str


_WRITTEN = ["零〇○", "一壹", "二贰貳两兩", "三叁參叄参", "四肆", "五伍", "六陆陸", "七柒", "八捌", "九玖"]
_DIGITS = {character: digit for digit, written in enumerate(_WRITTEN) for character in written}
_UNITS = {"十": 10, "百": 100, "千": 1000}
_GROUPS = {"万": 10**4, "亿": 10**8}
_PLAIN = str.maketrans(
    {"廿": "二十", "卅": "三十", "拾": "十", "佰": "百", "仟": "千", "萬": "万", "億": "亿", "點": "点"}
)
_NO_ZEROS = dict.fromkeys(map(ord, _WRITTEN[0]))

_D = "".join(_DIGITS)
_NUMERAL = f"{_D}十百千万亿拾佰仟萬億廿卅"
_DECIMAL = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?"
_HAN = rf"(?:[{_D}十拾廿卅][{_NUMERAL}]*)"
_EITHER = rf"(?:\d{{1,9}}(?!\d)|{_HAN})"
_SCALED = rf"{_DECIMAL}\s?[多余餘]?(?:[万萬][亿億]|[十百千]?[万萬亿億]|[百千])"

# What a lone 三 must stand before to count: 三个, not 三国. 一 is an article more often than a number and is
# left out; so are measures that make other words with it (十分, 四面, 三角).
_MEASURES = frozenset(
    "个個名位家种種项項次年天日周岁歲元块塊人倍米条條款章节節篇页頁张張份套台辆輛艘架座栋棟层層间間"
    "所届屆期批组組类類级級吨噸斤克升亩畝公厘毫小支只隻匹株棵颗顆场場轮輪"
)
_LONE = frozenset("二三四五六七八九十两兩")
_APPROXIMATE = frozenset("几幾数數好")  # 几十, 数百: no number is said
_YEARS = range(1000, 2200)
_BEFORE_THE_REPUBLIC = 1911  # 民國1年 is 1912
_LONGEST = 24  # characters of a number; longer digits are a code, longer Han characters no number

_NARROW = str.maketrans("０１２３４５６７８９．，％－／", "0123456789.,%-/")
# Where a number may begin. A lone 一 or 三 that nothing follows which it could count, or go on with, is most of what
# there is in a text, and is none.
_GOES_ON = f"{_NUMERAL}年月日号號分点點多余餘{''.join(sorted(_MEASURES))}"
_CANDIDATE = re.compile(rf"[\d十拾廿卅第百千民]|[{_D}](?=[{_GOES_ON}\s])")
# What is passed over as a whole where no number begins: 4G, 1.2.3, 三四, 万一.
_RUN = re.compile(rf"[A-Za-z\d.]+|[{_NUMERAL}]+|.", re.DOTALL)


def find_numbers(text: str) -> list[NumberMention]:
    """All numbers of a text, in order, none over another."""
    narrow = text.translate(_NARROW)
    found: list[NumberMention] = []
    position = 0
    while candidate := _CANDIDATE.search(narrow, position):
        start = candidate.start()
        mention = _mention_at(narrow, start)
        if mention is None:
            position = _passed_over(narrow, start)
        else:
            found.append(mention)
            position = mention.span.end
    return found


def _mention_at(text: str, start: int) -> NumberMention | None:
    before = text[start - 1] if start else " "
    if text[start].isdecimal() and before.isascii() and before.isalnum():  # the 4 of GPT4
        return None
    for pattern, kind, value_of in _FORMS:
        match = pattern.match(text, start)
        if match is not None and (value := value_of(match)) is not None:
            return NumberMention(Span(start, match.end()), kind, value)
    return None


def _passed_over(text: str, start: int) -> int:
    """Where to look on when no number begins at `start`; after 第 and 民 one may begin still."""
    match = None if text[start] in "第民" else _RUN.match(text, start)
    return start + 1 if match is None else match.end()


# --- what each form is worth ----------------------------------------------------------------------


def _date(match: re.Match[str]) -> str | None:
    """ISO form of the groups year, month and day, of which some may be missing; None where it is no date."""
    said = {name: text for name, text in match.groupdict().items() if text and name != "republic"}
    values = {name: _integer(text) for name, text in said.items()}
    year, month, day = (values.get(name) for name in ("year", "month", "day"))
    if None in values.values():
        return None
    if year is not None:
        year += _BEFORE_THE_REPUBLIC if match.groupdict().get("republic") else 0
        if year not in _YEARS:
            return None
    if month is not None and not 1 <= month <= 12:
        return None
    if month is not None and day is not None and not 1 <= day <= monthrange(year or 2000, month)[1]:
        return None
    parts = ["-" if year is None else str(year), *(f"{part:02d}" for part in (month, day) if part is not None)]
    return "-".join(parts)


def _percent(match: re.Match[str]) -> str | None:
    value = Decimal(100) if match["value"] in ("百", "佰") else _decimal(match["value"])
    if value is None:
        return None
    return _written(value / 10 if match["sign"] in ("‰", "千分之") else value) + "%"


def _fraction(match: re.Match[str]) -> str | None:
    below, above = _decimal(match["below"]), _decimal(match["above"])
    return f"{_written(above)}/{_written(below)}" if above is not None and below else None


def _ordinal(match: re.Match[str]) -> str | None:
    value = _decimal(match["value"])
    return None if value is None else _written(value)


def _with_digits(match: re.Match[str]) -> str | None:
    """Of 1,200 or 3.5 or 120万 or 2亿3000万: the parts in falling order, added up."""
    total, least = Decimal(0), None
    for part in _PART.finditer(match.group()):
        digits, factor = part["digits"].replace(",", ""), 1
        if len(digits) > _LONGEST or (digits[0] == "0" and digits.isdecimal()):
            return digits if match.group() == part["digits"] else None
        for unit in part["groups"].translate(_PLAIN):
            factor *= _UNITS.get(unit) or _GROUPS[unit]
        if least is not None and factor >= least:
            return None
        total, least = total + Decimal(digits) * factor, factor
    return _written(total)


_PART = re.compile(rf"(?P<digits>{_DECIMAL})\s?[多余餘]?(?P<groups>[十百千万亿萬億]*)")


def _in_han(match: re.Match[str]) -> str | None:
    """Of 三百五十万 or 三点五; what may mean another thing is none: a lone 三, 三四 (three or four), 几十."""
    text, whole, end = match.string, match.group(), match.end()
    # 数百 says no number, 人数三百 does.
    if match.start() and text[match.start() - 1] in _APPROXIMATE and whole[0] not in _DIGITS:
        return None
    following = text[end : end + 1]
    if len(whole) == 1 and not (whole in _LONE and following in _MEASURES):
        return None
    if len(whole) == 2 and all(character in _DIGITS for character in whole):
        first, second = (_DIGITS[character] for character in whole)
        if second and (following != "年" or second == first + 1):
            return None
    value = _decimal(re.sub("[多余餘]", "", whole))
    return None if value is None else _written(value)


# --- values ---------------------------------------------------------------------------------------


def _written(value: Decimal) -> str:
    digits = f"{value:f}"
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def _integer(text: str) -> int | None:
    value = _decimal(text)
    return None if value is None or value != value.to_integral_value() else int(value)


def _decimal(text: str) -> Decimal | None:
    """Value of digits or of Han characters; None where they are no number."""
    plain = text.strip().replace(",", "").translate(_PLAIN)
    if not plain or len(plain) > _LONGEST:
        return None
    if plain.replace(".", "", 1).isdecimal():
        return Decimal(plain)
    whole, point, fraction = plain.partition("点")
    value = _han_integer(whole)
    if value is None:
        return None
    if point and not (fraction and all(character in _DIGITS for character in fraction)):
        return None
    return Decimal(f"{value}.{_as_digits(fraction)}") if point else Decimal(value)


def _as_digits(text: str) -> str:
    return "".join(str(_DIGITS[character]) for character in text)


def _han_integer(text: str) -> int | None:
    """Of 二〇〇八 digit by digit, of 两千零八 by its units."""
    if text and all(character in _DIGITS for character in text):
        return int(_as_digits(text))
    for group, size in reversed(_GROUPS.items()):
        above, found, below = text.rpartition(group)
        if found:
            many, few = _han_integer(above), _han_integer(below) if below else 0
            if not many or few is None or few >= size:
                return None
            return many * size + (few * size // 10 if below in _DIGITS else few)  # 一万二 is 一万两千
    return _below_ten_thousand(text)


_SECTION = re.compile(rf"(?:([{_D}])千)?(?:([{_D}])百)?(?:([{_D}]?)(十))?([{_D}])?")


def _below_ten_thousand(text: str) -> int | None:
    match = _SECTION.fullmatch(text.translate(_NO_ZEROS))
    if not text or match is None:
        return None
    thousands, hundreds, tens, ones = (_DIGITS.get(match[group] or "", 0) for group in (1, 2, 3, 5))
    if match[4] and not match[3]:
        tens = 1
    if ones and text[-2:-1] in ("百", "千"):  # 三百五 is 三百五十
        ones *= _UNITS[text[-2]] // 10
    return thousands * 1000 + hundreds * 100 + tens * 10 + ones


# --- forms, tried in this order where a number may begin --------------------------------------------

_SHORT = rf"(?:\d{{1,2}}|{_HAN})"
_MONTH = rf"(?P<month>{_SHORT})\s?月"
_DAY = rf"\s?(?P<day>{_SHORT})\s?[日号號]"
_YEAR = rf"(?P<republic>民[国國]\s?)?(?P<year>\d{{1,4}}|{_HAN})\s?年"

_FORMS: tuple[tuple[re.Pattern[str], NumberKind, Callable[[re.Match[str]], str | None]], ...] = (
    (re.compile(rf"{_YEAR}(?:\s?{_MONTH}(?:{_DAY}|份)?)?"), "date", _date),
    (re.compile(r"(?P<year>\d{4})([-/.])(?P<month>\d{1,2})\2(?P<day>\d{1,2})(?!\.?\d)"), "date", _date),
    (re.compile(r"(?P<year>\d{4})[-/](?P<month>\d{1,2})(?![-/\d])"), "date", _date),
    (re.compile(rf"{_MONTH}{_DAY}"), "date", _date),
    (re.compile(rf"{_MONTH}份?"), "date", _date),
    (re.compile(rf"(?P<value>{_DECIMAL})\s?(?P<sign>[%‰])"), "percent", _percent),
    (
        re.compile(rf"(?P<sign>[百千]分之)(?P<value>{_DECIMAL}|[{_NUMERAL}]+(?:[点點][{_D}]+)?)"),
        "percent",
        _percent,
    ),
    (re.compile(rf"(?P<below>{_EITHER})分之(?P<above>{_EITHER})"), "fraction", _fraction),
    (re.compile(r"(?P<above>\d{1,4})/(?P<below>\d{1,4})(?![/\d])"), "fraction", _fraction),
    (re.compile(rf"第\s?(?P<value>{_EITHER})"), "ordinal", _ordinal),
    (re.compile(rf"{_SCALED}(?:\s?{_SCALED}){{0,3}}"), "number", _with_digits),
    (re.compile(rf"{_DECIMAL}(?!\.?\d)"), "number", _with_digits),
    (re.compile(rf"{_HAN}[点點][{_D}]+(?![{_NUMERAL}分刻])"), "number", _in_han),
    (re.compile(rf"{_HAN}[多余餘][万萬]?[亿億]|{_HAN}[多余餘][万萬]"), "number", _in_han),
    # The 一 of 三万一般 is no part of the number.
    (re.compile(rf"{_HAN}(?<![百千万亿萬億]一(?=[\u4e00-\u9fff]))"), "number", _in_han),
)
