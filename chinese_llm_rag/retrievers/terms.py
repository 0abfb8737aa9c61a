"""The terms that passages are found by: what is written, and the one form of what can be written in several ways.

Pure. Knows nothing of the index that holds them.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from chinese_llm_rag.chinese_numbers import NumberMention, find_numbers
from chinese_llm_rag.chinese_script import one_script, traditional_characters
from chinese_llm_rag.chinese_text import HAN, normalize, search_terms

# Cuts a text into words, as jieba.lcut does.
WordCutter = Callable[[str], Iterable[str]]

_LONGEST_TITLE = 30
_TITLE = re.compile(rf"《([^《》\n]{{1,{_LONGEST_TITLE}}})》")
# Names of letters and digits: GPT-4, GPT4, v1.2.3, user_id, C++; with a space, GPT 4 and 10 kg. What begins inside
# a word is not looked at, and no part is read twice, so that long runs of letters take no longer than others.
_NAME = re.compile(r"(?<![a-z0-9])[a-z0-9]++(?:[-_./'&@][a-z0-9]++)*+[+#]{0,2}+", re.ASCII)
_LONGEST_NAME = 60
_SPACED_NAME = re.compile(
    r"(?<![\w.-])(?:([a-z]{2,12}) (\d{1,5})(?![\w.,]|-\d)|(\d+(?:\.\d+)?) ([a-z]{1,3})(?![\w-]))", re.ASCII
)
_SIGNS = re.compile(r"[-_./'&@]")
_NO_WORD = re.compile(r"[\W_]+")
_DIGIT = re.compile(r"\d")
_HAN_AFTER = re.compile(rf"\s?({HAN})")


@dataclass(frozen=True, slots=True)
class Terms:
    """What a text is found by; repeats kept. Each kind is a field of the index with lengths of its own.

    Attributes:
        body: Han characters and their pairs in one script; Latin words and runs of digits.
        forms: the one form of numbers, dates, and names with signs; titles in 《》 as a whole; words.
        written: Han characters and pairs with a traditional character, as they were written.
    """

    body: tuple[str, ...]
    forms: tuple[str, ...]
    written: tuple[str, ...]


def index_terms(text: str, cut: WordCutter | None = None) -> Terms:
    """The terms of a passage or a query.

    Args:
        text: any text.
        cut: gives words that are terms besides, where they are longer than a pair.
    """
    plain = normalize(text)
    one = one_script(plain)
    forms = [*number_terms(one), *_name_terms(one), *_title_terms(one)]
    if cut is not None:
        forms += [word for word in cut(one) if len(word) > 2 and not word.isascii()]
    traditional = traditional_characters()
    written = [] if traditional.isdisjoint(plain) else search_terms(plain)
    written = [term for term in written if not traditional.isdisjoint(term)]
    return Terms(tuple(search_terms(one)), tuple(forms), tuple(written))


def spelled_numbers(text: str) -> list[str]:
    """The numbers of a text that are written in Han characters alone, in one script; their value is in `forms`."""
    one = one_script(normalize(text))
    said = (one[mention.span.start : mention.span.end] for mention in find_numbers(one))
    return [number for number in said if not _DIGIT.search(number)]


def number_terms(text: str) -> Iterator[str]:
    """The numbers and dates of a text in one script, as they are in `forms`."""
    for mention in find_numbers(text):
        yield from _number_forms(mention, text)


def _number_forms(mention: NumberMention, text: str) -> Iterator[str]:
    """The value, and the value with the Han character it counts in; of a date, all that it is part of."""
    after = _HAN_AFTER.match(text, mention.span.end)
    unit = after[1] if after else ""
    value = mention.value
    if mention.kind == "date":
        yield from _date_forms(value)
    elif mention.kind == "ordinal":
        yield from (value, f"第{value}{unit}")
    elif mention.kind == "number" and unit:
        yield from (value, value + unit)
    else:
        yield value


def _date_forms(value: str) -> Iterator[str]:
    """2023-05-01 is also in 2023-05, in 2023, on a --05-01 and in a --05."""
    year, month, day = ([*value.split("-"), "", ""] if value[0] != "-" else ["", *value[2:].split("-"), ""])[:3]
    yield value
    if not month:
        return
    if day:
        yield f"--{month}"
    if year:
        yield from (year, f"--{month}-{day}".rstrip("-"))
        if day:
            yield f"{year}-{month}"


def _name_terms(text: str) -> Iterator[str]:
    """Names of letters and digits as a whole, without the signs in them."""
    for name in _NAME.findall(text):
        joined = _SIGNS.sub("", name)
        if len(name) > _LONGEST_NAME or (joined == name and (name.isalpha() or name.isdecimal())):
            continue
        if not joined.isdecimal():
            yield joined
        elif name.count(".") > 1:  # 10.0.0.1
            yield name
    for parts in _SPACED_NAME.findall(text):
        yield "".join(parts)


def _title_terms(text: str) -> list[str]:
    return [f"《{_NO_WORD.sub('', title)}》" for title in _TITLE.findall(text)]
