"""The gate before the model: do the passages hold what the question asks about?

The rule. A question names its subject in content words, names and numbers; what is left are words that
only ask. Every number and every Latin name of the question must stand in some passage, in whatever form it is
written, and of the question's pairs of Han characters at least MIN_COVERAGE must stand in the passages, in either
script, and more than half where there are only a few. A question without content is about nothing, and is
refused. Rare pairs count no more than common ones: the rule stays readable, and a reason can be shown to the user.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from chinese_llm_rag.chinese_facts import agree, find_facts
from chinese_llm_rag.chinese_questions import ASKING_ENGLISH, content_of
from chinese_llm_rag.chinese_script import one_script
from chinese_llm_rag.chinese_text import HAN, normalize

MIN_COVERAGE = 0.5
_FEW_PAIRS = 4  # 公司的电话: with two words, half is not enough

_HAN_RUN = re.compile(f"{HAN}+")
_SIGN = rf"(?!{HAN})[^\W_]"  # a letter or digit, not Han
# A number with its fraction, or a name of letters and digits with its version: 2023, 3.14, gpt, v3, cuda12.1.
_EXACT = re.compile(rf"(?:{_SIGN})+(?:\.\d+)*")
_NUMBER_AND_UNIT = re.compile(rf"(?<!{_SIGN})(?<!\d\.)(\d+(?:\.\d+)*)(?=(?!\d){_SIGN})")


@dataclass(frozen=True, slots=True)
class EvidenceCheck:
    """Whether the passages can hold an answer, and what they lack.

    `coverage` is the share of the question's content that they hold, 0..1; `missing` are the numbers,
    names and words that stand in none of them. `score` is what the threshold is compared with: the coverage, and 0
    where a number or name is missing.
    """

    sufficient: bool
    coverage: float
    missing: tuple[str, ...]
    score: float = 0.0


def content_words(question: str) -> tuple[list[str], list[str]]:
    """The content of a question in normal form: pairs of Han characters, and numbers with Latin names.

    A run of one Han character counts as its own word when the question has no longer one.
    """
    text = normalize(one_script(question))
    exact = list(dict.fromkeys(word for word in _exact_words(text) if word not in ASKING_ENGLISH))
    runs = _content_runs(text)
    pairs = [run[i : i + 2] for run in runs for i in range(len(run) - 1)]
    if not pairs and not exact:
        pairs = [run for run in runs if run]
    return list(dict.fromkeys(pairs)), exact


def check_evidence(question: str, passages: Iterable[str], *, min_coverage: float = MIN_COVERAGE) -> EvidenceCheck:
    """Whether the passages hold the content words, names and numbers of the question."""
    found = list(passages)
    text = normalize(one_script("\n".join(found)))
    pairs, exact = content_words(question)
    if not pairs and not exact:
        return EvidenceCheck(sufficient=False, coverage=0.0, missing=())
    missing_pairs = {pair for pair in pairs if pair not in text}
    held = frozenset(_exact_words(text))
    missing_exact = [word for word in exact if word not in held]
    if missing_exact:
        missing_exact = _in_no_form(missing_exact, question, found)
    coverage = 1.0 - len(missing_pairs) / len(pairs) if pairs else (0.0 if missing_exact else 1.0)
    enough = coverage >= min_coverage and (
        not 0 < len(pairs) <= _FEW_PAIRS or coverage > MIN_COVERAGE or not min_coverage
    )
    sufficient = bool(text.strip()) and enough and not missing_exact
    score = 0.0 if missing_exact or not text.strip() else coverage
    return EvidenceCheck(sufficient, coverage, (*missing_exact, *_missing_words(question, missing_pairs)), score)


def _in_no_form(missing: list[str], question: str, passages: Iterable[str]) -> list[str]:
    """Those of the missing numbers that the passages do not hold in another form either: 2008年 as 二〇〇八年."""
    held = [fact for passage in passages for fact in find_facts(passage)]
    said = [fact for fact in find_facts(question) if fact.kind != "name"]
    borne_out = [question[f.span.start : f.span.end] for f in said if any(agree(f, other) for other in held)]
    in_them = frozenset(word for text in borne_out for word in _exact_words(normalize(text)))
    return [word for word in missing if word not in in_them]


def _missing_words(question: str, missing: set[str]) -> list[str]:
    """The stretches of the question that the missing pairs make up, as a reader would name them."""
    words: list[str] = []
    for run in _content_runs(normalize(question)):
        if run in missing:
            words.append(run)
            continue
        start = None
        for i in range(len(run)):
            absent = run[i : i + 2] in missing and i + 1 < len(run)
            if absent and start is None:
                start = i
            elif not absent and start is not None:
                words.append(run[start : i + 1])
                start = None
    return list(dict.fromkeys(words))


def _content_runs(text: str) -> list[str]:
    """Han text of a question without the words that only ask."""
    return _HAN_RUN.findall(content_of(text))


def _exact_words(text: str) -> list[str]:
    """Numbers and Latin names of a normalized text, each as a whole; a number comes apart from its unit.

    A single letter is no name.
    """
    words = _EXACT.findall(_NUMBER_AND_UNIT.sub(r"\1 ", text))
    return [word for word in words if len(word) > 1 or word.isdecimal()]
