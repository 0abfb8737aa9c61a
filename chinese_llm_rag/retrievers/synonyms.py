"""Words that mean the same, from a file of the user's; they are looked for besides the words of a query."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from chinese_llm_rag.chinese_text import search_terms
from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say
from chinese_llm_rag.retrievers.lexicon import Lexicon, word_form

_BETWEEN = re.compile(r"[,，、;；|\t=＝]")


class Synonyms:
    """Groups of words that mean the same, in either script and any width.

    Args:
        groups: each of two or more words.
        origin: the file they come from, for messages.

    Raises:
        ConfigError: a group of one word, or a word without a letter or digit.
    """

    def __init__(self, groups: Iterable[Iterable[str]] = (), *, origin: str | None = None) -> None:
        self._others: dict[str, dict[str, None]] = {}  # word -> the others of its groups, in order
        for group in groups:
            words = list(dict.fromkeys(map(word_form, group)))
            _check(words, origin)
            for word in words:
                self._others.setdefault(word, {}).update(dict.fromkeys(other for other in words if other != word))
        self._lexicon = Lexicon(self._others)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Those of a text file in UTF-8: a group a line, words apart by commas; # begins a comment.

        Raises:
            ConfigError: the file cannot be read, or a line is no group; the message names it.
        """
        try:
            lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                say(
                    f"cannot read the synonyms in {str(path)!r}: {error}", f"无法读取同义词文件 {str(path)!r}：{error}"
                ),
                setting="synonyms",
                origin=f"file {path}",
                hint=say("it must be a text file in UTF-8", "该文件须为 UTF-8 编码的文本文件"),
            ) from error
        groups = [_BETWEEN.split(line.partition("#")[0]) for line in lines if line.partition("#")[0].strip()]
        return cls(groups, origin=f"file {path}")

    def __len__(self) -> int:
        return len(self._others)

    def others(self, text: str) -> list[str]:
        """The synonyms of the words that stand in a text; of two words over one another the longer counts."""
        return list(dict.fromkeys(other for word in self._lexicon(text) for other in self._others[word]))


def _check(words: list[str], origin: str | None) -> None:
    empty = [word for word in words if not search_terms(word)]
    if len(words) > 1 and not empty:
        return
    line = ", ".join(words)
    raise ConfigError(
        say(
            f"{line!r} is no group of synonyms: expected two or more words, each with a letter or digit",
            f"{line!r} 不是一组同义词：应有两个以上的词，且每个词都含文字或数字",
        ),
        setting="synonyms",
        origin=origin,
        hint=say("write them as: 电脑, 计算机, 微机", "写法示例：电脑, 计算机, 微机"),
    )
