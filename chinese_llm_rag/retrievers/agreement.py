"""How well passages agree with a question by what is written in them: words, their closeness, numbers, names. Pure.

Knows nothing of meaning, nor of any index.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt

from chinese_llm_rag.chinese_script import character_forms, one_character
from chinese_llm_rag.chinese_text import HAN, normalize
from chinese_llm_rag.retrievers.number_traces import number_traces
from chinese_llm_rag.retrievers.terms import number_terms

WINDOW_CHARS = 100  # some two sentences, which is where an answer stands
# A pasted page asks for thousands of words; its first ones tell enough.
_MOST_WORDS = 200
_MOST_CHARS = 1000
# Where characters lie that normalize changes, ideographs apart: letters, signs, compatibility forms.
_WITH_OTHER_FORMS = ((0, 0x3400), (0xA640, 0xAC00), (0xF900, 0x10000), (0x1D400, 0x1D800), (0x1F100, 0x1F200))
_SPACE = re.compile(r"\s")
_SPACE_BETWEEN_HAN = re.compile(rf"(?<={HAN})\s+(?={HAN})")
_RUN = re.compile(rf"{HAN}+|[a-z0-9]+")
_HAN = re.compile(HAN)
_LATIN_NAME = re.compile(r"[a-z][a-z0-9]+")
_QUOTED = re.compile(r"[《「『“‘\"]([^《》「」『』“”‘’\"\n]{2,30})[》」』”’\"]")

FEATURES = ("words", "characters", "window", "numbers", "names")
Matrix = npt.NDArray[np.float64]


def folded(text: str) -> str:
    """The form in which a question and passages are compared: as `normalize` gives it, in one script.

    Each character by itself, which takes a fifth of the time: what only a sequence of characters makes is not seen.
    """
    plain = text.translate(_folds())
    return _SPACE_BETWEEN_HAN.sub("", plain) if _SPACE.search(plain) else plain


@cache
def _folds() -> dict[int, str]:
    """What each character becomes; those that stay are left out."""
    changed = character_forms()
    for start, end in _WITH_OTHER_FORMS:
        for code in range(start, end):
            if (after := one_character(normalize(chr(code)))) != chr(code):
                changed[code] = after
    return changed


@dataclass(frozen=True)
class Asked:
    """A question in the form in which passages are compared with it."""

    text: str

    @classmethod
    def of(cls, question: str) -> "Asked":
        """A question as a user writes it; of a very long one the beginning."""
        return cls(folded(question[:_MOST_CHARS]))

    @cached_property
    def words(self) -> list[str]:
        """Pairs of Han characters, single ones that stand alone, Latin words and digits; each once."""
        found: dict[str, None] = {}
        for run in _RUN.findall(self.text):
            pairs = [run[i : i + 2] for i in range(len(run) - 1)] if _HAN.match(run) else []
            found.update(dict.fromkeys(pairs or [run]))
        return list(found)[:_MOST_WORDS]

    @cached_property
    def characters(self) -> list[str]:
        """Its Han characters, each once."""
        return list(dict.fromkeys(_HAN.findall(self.text)))[:_MOST_WORDS]

    @cached_property
    def numbers(self) -> frozenset[str]:
        """What its numbers and dates are worth."""
        return frozenset(number_terms(self.text))

    @cached_property
    def names(self) -> frozenset[str]:
        """Latin words, and what stands in quotes or in 《》."""
        return frozenset([*_LATIN_NAME.findall(self.text), *map(str.strip, _QUOTED.findall(self.text))])

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Finds its words where they begin, also over one another; a Latin word only as a whole."""
        latin = "|".join(word for word in self.words if not _HAN.match(word))
        han = "|".join(re.escape(word) for word in self.words if _HAN.match(word))
        parts = [rf"(?<![a-z0-9])(?:{latin})(?![a-z0-9])" if latin else "", han]
        return re.compile(f"(?=({'|'.join(filter(None, parts))}))")


def agreement(question: str, passages: Sequence[str]) -> Matrix:
    """A row a passage, a column a feature of FEATURES, each 0..1.

    words: share of the question's words that the passage holds, rare ones among the passages counting more.
    characters: the same of its single Han characters.
    window: the same of its words, within the best WINDOW_CHARS characters.
    numbers: share of what its numbers and dates are worth; 1 where it has none.
    names: share of its Latin words, quoted words and titles; 1 where it has none.
    """
    asked = Asked.of(question)
    texts = [folded(passage) for passage in passages]
    found = np.ones((len(texts), len(FEATURES)))
    if not texts:
        return found
    found[:, 0], found[:, 2] = _words_and_window(asked, texts)
    found[:, 1] = _weighted_share(asked.characters, texts)
    if asked.numbers:
        traces = number_traces(asked.numbers)
        found[:, 3] = [_share(asked.numbers, set(number_terms(text)) if traces.search(text) else ()) for text in texts]
    if asked.names:
        found[:, 4] = [sum(name in text for name in asked.names) / len(asked.names) for text in texts]
    return found


def _words_and_window(asked: Asked, texts: Sequence[str]) -> tuple[Matrix, Matrix]:
    words = {word: place for place, word in enumerate(asked.words)}
    if not words:
        return np.zeros(len(texts)), np.zeros(len(texts))
    places = [[(m.start(), words[m[1]]) for m in asked.pattern.finditer(text)] for text in texts]
    held = np.zeros((len(texts), len(words)))
    for row, standing in zip(held, places, strict=True):
        row[[word for _, word in standing]] = 1.0
    worth = _rarity(held)
    best = np.array([_best_window(standing, worth.tolist()) for standing in places])
    return held @ worth / worth.sum(), best / worth.sum()


def _best_window(standing: Sequence[tuple[int, int]], worth: Sequence[float]) -> float:
    """The most that different words within WINDOW_CHARS characters are worth together."""
    inside = [0] * len(worth)
    total = best = 0.0
    first = 0
    for start, word in standing:
        if not inside[word]:
            total += worth[word]
        inside[word] += 1
        while start - standing[first][0] > WINDOW_CHARS:
            gone = standing[first][1]
            inside[gone] -= 1
            if not inside[gone]:
                total -= worth[gone]
            first += 1
        best = max(best, total)
    return best


def _weighted_share(characters: Sequence[str], texts: Sequence[str]) -> Matrix:
    if not characters:
        return np.zeros(len(texts))
    held = np.array([[character in text for character in characters] for text in texts], dtype=np.float64)
    worth = _rarity(held)
    share: Matrix = held @ worth / worth.sum()
    return share


def _rarity(held: Matrix) -> Matrix:
    """What each column is worth: ln(1 + (n + 1) / (n_with + 0.5)), of n passages those that hold it."""
    rarity: Matrix = np.log(1 + (len(held) + 1) / (held.sum(axis=0) + 0.5))
    return rarity


def _share(wanted: Collection[str], held: Collection[str]) -> float:
    return sum(one in held for one in wanted) / len(wanted)
