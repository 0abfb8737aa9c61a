"""What of a text can be looked up word for word: numbers, amounts, dates and names, in one normal form. Pure.

A number comes with what it counts, so that 10元 is not the 10 of 10页. Names are those that writing sets
apart: Latin words and codes (GPT-3), and titles in 《》. Other Han names are words like any other, and are
compared as such.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from chinese_llm_rag.chinese_numbers import NumberMention, find_numbers
from chinese_llm_rag.chinese_text import HAN, normalize
from chinese_llm_rag.schema import Span

FactKind = Literal["number", "amount", "percent", "fraction", "ordinal", "date", "name"]


@dataclass(frozen=True, slots=True)
class Fact:
    """A number, date or name as it stands in a text.

    `value` is the normal form of chinese_numbers, or the name in lower case without its joints. `unit` is
    what is counted: a currency, a measure, the character that follows; empty where nothing does.
    """

    span: Span
    kind: FactKind
    value: str
    unit: str = ""


_CURRENCIES = ("元", "美元", "港元", "欧元", "日元", "英镑")
_UNITS = {
    "人民币": "元", "块钱": "元", "圆": "元", "美金": "美元", "港币": "港元", "欧": "欧元",
    "千米": "公里", "km": "公里", "千克": "公斤", "kg": "公斤", "平米": "平方米", "m": "米",
    "名": "人", "位": "人", "所": "家", "间": "家", "號": "号", "圓": "元",
}  # fmt: skip
_LONG_UNITS = (*_CURRENCIES, *_UNITS, "平方米", "平方公里", "立方米", "公里", "公斤", "毫米", "厘米", "小时", "分钟")
_UNIT = re.compile(
    rf"\s*(?:[多余餘]\s*)?({'|'.join(sorted(_LONG_UNITS, key=len, reverse=True))}|{HAN}|[a-z°℃]+(?![a-z]))?"
)
_ANY_UNIT = frozenset({"", "个", "個", "左", "以", "之", "的", "至", "到", "和", "与", "或", "是", "约"})
_SIGNS_BEFORE = {"$": "美元", "¥": "元", "￥": "元", "€": "欧元", "£": "英镑"}

_CODE = re.compile(r"(?<![a-z0-9])(?<!\d\s)[a-z][a-z0-9]*(?:[-_./+][a-z0-9]+)*")  # not the gb of 8 gb
_TITLE = re.compile(r"《([^《》]{1,60})》")
_JOINTS = re.compile(r"[-_./+\s·•・‧]")


def find_facts(text: str) -> list[Fact]:
    """The facts of a text, in order. A number inside a code (the 3 of GPT-3) is no fact of its own."""
    names = list(_names(text))
    numbers = (
        _number(text, mention)
        for mention in find_numbers(text)
        if not any(name.span.start <= mention.span.start < name.span.end for name in names if name.value.isascii())
    )
    return sorted([*names, *numbers], key=lambda fact: (fact.span.start, fact.span.end))


def is_among(fact: Fact, facts: Iterable[Fact]) -> bool:
    """Whether one of the facts says the same, at least as exactly."""
    return any(agree(fact, other) for other in facts)


def agree(said: Fact, held: Fact) -> bool:
    """Whether `held` bears `said` out.

    A date is borne out by a more exact one (2017年5月 by 2017年5月3日), 0.25 by 25%, and a number without a
    unit by one with any.
    """
    if said.kind == "date" and held.kind == "date":
        return _same_date(said.value, held.value)
    if "date" in (said.kind, held.kind):
        return _year(said) is not None and _year(said) == _year(held)
    if "name" in (said.kind, held.kind):
        return said.kind == held.kind and said.value == held.value
    if "ordinal" in (said.kind, held.kind):
        return said.value == held.value
    return share_of(said) == share_of(held) and _same_unit(said.unit, held.unit)


def alike(one: Fact, other: Fact) -> bool:
    """Whether both are of one kind and count the same, so that one can be wrong where the other is right.

    A number without a unit is like one of anything.
    """
    if {one.kind, other.kind} <= {"number", "amount"}:
        return one.unit == other.unit or not one.unit or one.kind == other.kind == "amount"
    if one.kind != other.kind:
        return False
    return one.kind != "date" or bool(_said_parts(one.value) & _said_parts(other.value))


def _number(text: str, mention: NumberMention) -> Fact:
    kind: FactKind = mention.kind
    unit = ""
    if kind == "number":
        unit = _unit_at(text, mention.span)
        kind = "amount" if unit in _CURRENCIES else "number"
    return Fact(mention.span, kind, mention.value, unit)


def _unit_at(text: str, span: Span) -> str:
    before = text[span.start - 1] if span.start else ""
    if before in _SIGNS_BEFORE:
        return _SIGNS_BEFORE[before]
    match = _UNIT.match(text[span.end : span.end + 12].lower())
    unit = (match[1] or "") if match else ""
    return _UNITS.get(unit, unit)


def _names(text: str) -> Iterable[Fact]:
    lower = text.lower()
    for pattern, group in ((_CODE, 0), (_TITLE, 1)):
        for match in pattern.finditer(lower):
            value = _JOINTS.sub("", normalize(match[group]))
            if len(value) > 1:
                yield Fact(Span(match.start(group), match.end(group)), "name", value)


def _same_unit(one: str, other: str) -> bool:
    return one == other or one in _ANY_UNIT or other in _ANY_UNIT


def share_of(fact: Fact) -> Decimal | str:
    """The value as a number, 25% being 0.25; fractions stay as they are written."""
    if fact.kind == "fraction":
        return fact.value
    if fact.kind == "percent":
        return Decimal(fact.value.rstrip("%")) / 100
    return Decimal(fact.value)


def _year(fact: Fact) -> str | None:
    """The year that a date is, or that a bare number may be."""
    if fact.kind == "date":
        return fact.value if len(fact.value) == 4 and fact.value.isdigit() else None
    return fact.value if fact.kind == "number" and len(fact.value) == 4 else None


def _same_date(said: str, held: str) -> bool:
    parts, others = date_parts(said), date_parts(held)
    return all(part is None or part == other for part, other in zip(parts, others, strict=True))


def date_parts(date: str) -> tuple[str | None, str | None, str | None]:
    """Year, month and day of an ISO date, of which some may not be said."""
    fields = ["", *date[2:].split("-")] if date.startswith("--") else date.split("-")
    year, month, day = (*fields, "", "")[:3]
    return year or None, month or None, day or None


def _said_parts(date: str) -> frozenset[str]:
    return frozenset(name for name, part in zip(("year", "month", "day"), date_parts(date), strict=True) if part)
