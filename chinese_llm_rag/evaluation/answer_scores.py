"""How near an answer is to a reference. Pure functions on strings.

A token is one Han character, or a whole Latin word or number, as in the evaluation of CMRC 2018; white space,
width, case and punctuation do not count. F1 is SQuAD's formula over these tokens: it counts what is common,
wherever it stands.
"""

import re
from collections import Counter
from collections.abc import Iterable

from chinese_llm_rag.chinese_text import normalize
from chinese_llm_rag.evaluation.holding import comparable, stands_in

_TOKEN = re.compile(r"[a-z0-9]+(?:[.,]\d+)*|[^\W_]")


def tokens(text: str) -> list[str]:
    """The tokens of a text, in order."""
    return _TOKEN.findall(normalize(text))


def exact_match(answer: str, references: Iterable[str]) -> float:
    """1 where the answer is one of the references, else 0."""
    own = tokens(answer)
    return float(any(own == tokens(reference) for reference in references))


def character_f1(answer: str, references: Iterable[str]) -> float:
    """The best F1 of the answer's tokens against a reference's, 0..1."""
    return max((_f1(tokens(answer), tokens(reference)) for reference in references), default=0.0)


def holds_answer(answer: str, parts: Iterable[Iterable[str]]) -> float:
    """1 where every part stands in the answer in one of its wordings, else 0."""
    text = comparable(answer)
    return float(all(any(stands_in(wording, text) for wording in part) for part in parts))


def _f1(own: list[str], reference: list[str]) -> float:
    common = sum((Counter(own) & Counter(reference)).values())
    return 2 * common / (len(own) + len(reference)) if common else 0.0
