"""Words of a list, found in texts."""

import re
from collections.abc import Iterable, Iterator

from chinese_llm_rag.chinese_script import one_script
from chinese_llm_rag.chinese_text import normalize

_SIGN = re.compile(r"[a-z0-9]")


def word_form(text: str) -> str:
    """The form in which words are compared: either script, any width and case, no space between Han characters."""
    return one_script(normalize(text.strip()))


class Lexicon:
    """A list of words; called with a text it gives those that stand there, as a cutter of the word index does.

    Of two words over one another the longer counts. A Latin word counts only as a whole.

    Args:
        words: in any form.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._words = frozenset(filter(None, map(word_form, words)))
        self._lengths = sorted({len(word) for word in self._words}, reverse=True)

    def __call__(self, text: str) -> list[str]:
        """The words that stand in a text, in order, repeats kept, in the form in which they are compared."""
        return list(self._found(word_form(text)))

    def _found(self, text: str) -> Iterator[str]:
        position = 0
        while position < len(text):
            word = next(self._beginning_at(text, position), None)
            if word is not None:
                yield word
            position += len(word) if word is not None else 1

    def _beginning_at(self, text: str, position: int) -> Iterator[str]:
        for length in self._lengths:
            word = text[position : position + length]
            if word in self._words and not _joined(text, position) and not _joined(text, position + length):
                yield word


def _joined(text: str, position: int) -> bool:
    """Whether a word of Latin letters and digits goes on over a position."""
    return 0 < position < len(text) and bool(_SIGN.match(text[position - 1]) and _SIGN.match(text[position]))
