"""The gate before the model: do the passages hold what the question asks about?

The rule. A question names its subject in content words, names and numbers; what is left are words that
only ask. Every number and every Latin name of the question must stand in some passage, and of the
question's pairs of Han characters at least MIN_COVERAGE must stand in the passages, and more than half where
there are only a few. A question without content is about nothing, and is refused. Rare pairs count no
more than common ones: the rule stays readable, and a reason can be shown to the user.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from chinese_llm_rag.chinese_text import HAN, normalize

MIN_COVERAGE = 0.5
_FEW_PAIRS = 4  # 公司的电话: with two words, half is not enough

# Words that ask, point, or politely wrap a question, and the particles between words.
_ASKING_WORDS = """
什么时候 什么地方 什么样 什么 为什么 为何 怎么样 怎么办 怎么 怎样 如何 多少 多久 多大 多长 多高 多远 多深
几个 几次 几种 几年 几月 几天 哪个 哪些 哪里 哪儿 哪年 哪一年 哪一 哪种 哪位 哪 谁 何时 何地 何处 何人 何种
是否 能否 可否 有没有 是不是 能不能 可不可以 请问 告诉我 我想知道 介绍一下 介绍 说明 解释 一下
以及 还有 并且 关于 对于 根据 按照 其中 属于 叫做 称为 进行 可以 能够 应该 应当 需要 必须
这个 这些 那个 那些 我们 吗 呢 吧 啊 是 在 的 了 和 与 或 及 被 把 这 那 它 他 她 您 你 我 也
"""
# Longer words first, so that they go as a whole; 请 only where the question begins, not in 请假.
_ASKING = re.compile("^请|" + "|".join(sorted(_ASKING_WORDS.split(), key=len, reverse=True)))
_ASKING_ENGLISH_WORDS = """
what which who whom whose when where why how is are was were be do does did can could should will would the an of
in on at to for from by with and or not it its this that there much many long please tell me about
"""
_ASKING_ENGLISH = frozenset(_ASKING_ENGLISH_WORDS.split())
_HAN_RUN = re.compile(f"{HAN}+")
_SIGN = rf"(?!{HAN})[^\W_]"  # a letter or digit, not Han
# A number with its fraction, or a name of letters and digits with its version: 2023, 3.14, gpt, v3, cuda12.1.
_EXACT = re.compile(rf"(?:{_SIGN})+(?:\.\d+)*")
_NUMBER_AND_UNIT = re.compile(rf"(?<!{_SIGN})(?<!\d\.)(\d+(?:\.\d+)*)(?=(?!\d){_SIGN})")


@dataclass(frozen=True, slots=True)
class EvidenceCheck:
    """Whether the passages can hold an answer, and what they lack.

    `coverage` is the share of the question's content that they hold, 0..1; `missing` are the numbers,
    names and words that stand in none of them.
    """

    sufficient: bool
    coverage: float
    missing: tuple[str, ...]


def content_words(question: str) -> tuple[list[str], list[str]]:
    """The content of a question in normal form: pairs of Han characters, and numbers with Latin names.

    A run of one Han character counts as its own word when the question has no longer one.
    """
    text = normalize(question)
    exact = list(dict.fromkeys(word for word in _exact_words(text) if word not in _ASKING_ENGLISH))
    runs = _content_runs(text)
    pairs = [run[i : i + 2] for run in runs for i in range(len(run) - 1)]
    if not pairs and not exact:
        pairs = [run for run in runs if run]
    return list(dict.fromkeys(pairs)), exact


def check_evidence(question: str, passages: Iterable[str], *, min_coverage: float = MIN_COVERAGE) -> EvidenceCheck:
    """Whether the passages hold the content words, names and numbers of the question."""
    text = normalize("\n".join(passages))
    pairs, exact = content_words(question)
    if not pairs and not exact:
        return EvidenceCheck(sufficient=False, coverage=0.0, missing=())
    missing_pairs = {pair for pair in pairs if pair not in text}
    held = frozenset(_exact_words(text))
    missing_exact = [word for word in exact if word not in held]
    coverage = 1.0 - len(missing_pairs) / len(pairs) if pairs else (0.0 if missing_exact else 1.0)
    enough = coverage >= min_coverage and (
        not 0 < len(pairs) <= _FEW_PAIRS or coverage > MIN_COVERAGE or not min_coverage
    )
    sufficient = bool(text.strip()) and enough and not missing_exact
    return EvidenceCheck(sufficient, coverage, (*missing_exact, *_missing_words(question, missing_pairs)))


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
    return _HAN_RUN.findall(_ASKING.sub(" ", text))


def _exact_words(text: str) -> list[str]:
    """Numbers and Latin names of a normalized text, each as a whole; a number comes apart from its unit.

    A single letter is no name.
    """
    words = _EXACT.findall(_NUMBER_AND_UNIT.sub(r"\1 ", text))
    return [word for word in words if len(word) > 1 or word.isdecimal()]
