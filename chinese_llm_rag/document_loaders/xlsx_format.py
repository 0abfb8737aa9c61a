"""A cell's number as a spreadsheet shows it. Pure.

Knows number format codes (ECMA-376 part 1, 18.8.30-31) as far as people use them: dates and times, per cent,
decimals, thousands, literal text, sections by sign. A code it does not know shows the plain number.
"""

import re
from datetime import datetime, timedelta
from functools import lru_cache

# The codes that files refer to by number; 27 to 58 as in Chinese Excel.
_DATE_Y_M, _DATE_M_D, _DATE_FULL = 'yyyy"年"m"月"', 'm"月"d"日"', 'yyyy"年"m"月"d"日"'
_TIME, _TIME_S = '上午/下午h"时"mm"分"', '上午/下午h"时"mm"分"ss"秒"'
BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00", 14: "yyyy/m/d",
    15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss",
    22: "yyyy/m/d h:mm", 27: _DATE_Y_M, 28: _DATE_M_D, 29: _DATE_M_D, 30: "m-d-yy", 31: _DATE_FULL,
    32: 'h"时"mm"分"', 33: 'h"时"mm"分"ss"秒"', 34: _TIME, 35: _TIME_S, 36: _DATE_Y_M,
    37: "#,##0;-#,##0", 38: "#,##0;-#,##0", 39: "#,##0.00;-#,##0.00", 40: "#,##0.00;-#,##0.00",
    45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0", 50: _DATE_Y_M, 51: _DATE_M_D, 52: _DATE_Y_M, 53: _DATE_M_D,
    54: _DATE_M_D, 55: _TIME, 56: _TIME_S, 57: _DATE_Y_M, 58: _DATE_M_D,
}  # fmt: skip
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|\[\$(?P<symbol>[^\]-]*)(?:-[^\]]*)?\]|\[(?P<elapsed>h+|m+|s+)\]'
    r"|(?P<bracket>\[[^\]]*\])|_(?P<space>.)|\*(?P<fill>.)|(?P<half>AM/PM|A/P|上午/下午)|(?P<date>[yYmMdDhHsSaAeEbBgG]+)"
    r"|(?P<digits>[0#?][0#?,.]*|\.[0#?]+)|(?P<percent>%)|(?P<other>.)",
    re.DOTALL,
)
_WEEKDAYS = "一二三四五六日"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EPOCH_1900, _EPOCH_1904 = datetime(1899, 12, 30), datetime(1904, 1, 1)  # noqa: DTZ001  (a sheet knows no zones)
_LAST_DAY = 2_958_465  # 9999-12-31

_Token = tuple[str, str]


def shown_number(value: float, code: str, *, since_1904: bool = False) -> str:
    """The number as a format code shows it.

    Args:
        value: days since the epoch where the code is of a date.
        code: a format code; "General" or "" shows the number as it is.
        since_1904: the workbook counts days from 1904.
    """
    if code in ("", "General", "@"):
        return plain_number(value)
    sections = _sections(code)
    section = sections[1] if value < 0 and len(sections) > 1 else sections[0]
    if value == 0 and len(sections) > 2:
        section = sections[2]
    tokens = _tokens(section)
    if any(kind in ("date", "elapsed") for kind, _ in tokens) and not any(
        kind == "digits" and "0" not in text for kind, text in tokens
    ):
        return _date(value, tokens, since_1904=since_1904)
    return _number(abs(value) if section is not sections[0] else value, tokens)


def plain_number(value: float) -> str:
    """The number with up to 15 digits, as the cell holds it."""
    return f"{value:.0f}" if value == int(value) and abs(value) < 1e15 else f"{value:.15g}"


@lru_cache(maxsize=512)
def _sections(code: str) -> tuple[str, ...]:
    parts, current, quoted, i = [], "", False, 0
    while i < len(code):
        if code[i] == "\\" and i + 1 < len(code) and not quoted:
            current += code[i : i + 2]
            i += 2
            continue
        quoted ^= code[i] == '"'
        if code[i] == ";" and not quoted:
            parts.append(current)
            current = ""
        else:
            current += code[i]
        i += 1
    return (*parts, current)


@lru_cache(maxsize=512)
def _tokens(section: str) -> tuple[_Token, ...]:
    tokens: list[_Token] = []
    for match in _TOKEN.finditer(section):
        kind = match.lastgroup or "other"
        text = match[kind]
        if kind in ("bracket", "fill", "space") or (kind == "other" and section.lower() == "general"):
            continue
        literal = kind in ("quoted", "escaped", "symbol", "other") or (
            kind == "date" and not set(text.lower()) <= set("ymdhsa")
        )
        tokens.append(("literal", text) if literal else (kind, text))
    return tuple(tokens)


def _number(value: float, tokens: tuple[_Token, ...]) -> str:
    pattern = "".join(text for kind, text in tokens if kind == "digits")
    places = [kind for kind, _ in tokens if kind == "digits"]
    literals = "".join(text for kind, text in tokens if kind == "literal")
    if len(places) != 1 or "/" in literals or "E" in literals:
        return plain_number(value) if places or not tokens else "".join(text for _, text in tokens)
    value *= 100 ** sum(kind == "percent" for kind, _ in tokens)
    scale = len(pattern) - len(pattern.rstrip(","))
    value /= 1000**scale
    whole, _, decimals = pattern.rstrip(",").partition(".")
    digits = f"{abs(value):{',' if ',' in whole else ''}.{min(len(decimals), 30)}f}"
    optional = len(decimals) - len(decimals.rstrip("#?"))
    for _ in range(optional):
        digits = digits.removesuffix("0")
    digits = digits.rstrip(".") if decimals else digits
    sign = "-" if value < 0 and digits.strip("0.,") else ""
    minimum = sum(character == "0" for character in whole)
    front, dot, rest = digits.partition(".")
    digits = front.rjust(minimum, "0") + dot + rest
    return sign + "".join(digits if kind == "digits" else text for kind, text in tokens)


def _date(value: float, tokens: tuple[_Token, ...], *, since_1904: bool) -> str:
    if not 0 <= value <= _LAST_DAY:
        return plain_number(value)
    seconds = round(value * 86400)
    early = int(not since_1904 and 1 <= value < 60)  # 1900 was no leap year, but the format counts it as one
    moment = (_EPOCH_1904 if since_1904 else _EPOCH_1900) + timedelta(days=early, seconds=seconds)
    dates = [text.lower() for kind, text in tokens if kind in ("date", "elapsed")]
    twelve = any(kind == "half" for kind, _ in tokens)
    shown: list[str] = []
    index = -1
    for kind, text in tokens:
        if kind in ("date", "elapsed"):
            index += 1
            if kind == "elapsed":
                shown.append(str(seconds // {"h": 3600, "m": 60, "s": 1}[text[0]]))
            else:
                near = dates[index - 1][0:1] == "h" if index else False
                near |= index + 1 < len(dates) and dates[index + 1][0] == "s"
                shown.append(_date_part(text.lower(), moment, minutes=near, twelve=twelve))
        elif kind == "half":
            shown.append(text.split("/")[moment.hour >= 12])
        elif kind != "digits":
            shown.append(text)
    return "".join(shown).strip().removesuffix(".")


def _date_part(code: str, moment: datetime, *, minutes: bool, twelve: bool) -> str:
    letter, n = code[0], len(code)
    if letter == "y":
        return f"{moment.year % 100:02}" if n <= 2 else str(moment.year)
    if letter == "m" and (not minutes or n > 2):
        return _MONTHS[moment.month - 1] if n >= 3 else f"{moment.month:0{n}}"
    if letter == "a":
        return ("周" if n == 3 else "星期") + _WEEKDAYS[moment.weekday()]
    if letter == "d" and n >= 3:
        return "星期" + _WEEKDAYS[moment.weekday()]
    hour = (moment.hour % 12 or 12) if twelve else moment.hour
    value = {"m": moment.minute, "d": moment.day, "h": hour, "s": moment.second}[letter]
    return f"{value:0{min(n, 2)}}"
