"""What any way of writing a number leaves in a text, so that most texts without it need not be read for numbers. Pure.

Knows too little to tell that a number is there: that is for find_numbers. Texts are in one script and width.
"""

import re
from collections.abc import Iterable

# How the first or last digit of a number may stand there: the 1 of 十二, of 百分之百 and of 九万十, the 2 of 廿三.
_HAN_OF_DIGIT = {
    "1": "一壹十拾百佰千仟",
    "2": "二两贰廿",
    "3": "三叁参卅",
    "4": "四肆",
    "5": "五伍",
    "6": "六陆",
    "7": "七柒",
    "8": "八捌",
    "9": "九玖",
}
_HAN_BETWEEN = "零〇○一壹二两贰三叁参四肆五伍六陆七柒八捌九玖十拾廿卅百佰千仟万亿点多余"
_DATE = re.compile(r"(\d{4}|-)-(\d\d)(?:-(\d\d))?")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_REPUBLIC = 1911  # 民国1年 is 1912


def number_traces(values: Iterable[str]) -> re.Pattern[str]:
    """A pattern that fits every text that holds any of the numbers, in any form that find_numbers reads.

    Args:
        values: as terms.number_terms gives them; at least one.
    """
    return re.compile("|".join(sorted({trace for value in values for trace in _traces(value)})))


def _traces(value: str) -> list[str]:
    date = _DATE.fullmatch(value)
    if date is not None:
        return [_trace(date[3] or date[2])]
    number = _NUMBER.search(value)
    if number is None:
        return []
    traces = [_trace(number[0])]
    if re.fullmatch(r"\d{4}", value) and int(value) > _REPUBLIC:
        traces.append(_trace(str(int(value) - _REPUBLIC)))
    return traces


def _trace(digits: str) -> str:
    """Its digits that are no zeros at either end, in ASCII, or the first and the last of them in Han characters."""
    telling = digits.replace(".", "").strip("0")
    if not telling:
        return "[0零〇○]"
    in_digits = "[,.]?".join(telling)
    first, last = _HAN_OF_DIGIT[telling[0]], _HAN_OF_DIGIT[telling[-1]]
    in_han = f"[{first}]" if len(telling) == 1 else f"[{first}][{_HAN_BETWEEN}]*?[{last}]"
    return f"{in_digits}|{in_han}"
