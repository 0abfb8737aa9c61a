"""Whether characters are the ones that a reader sees, or what a missing or wrong map made of them. Pure.

A PDF shows glyphs; which characters they are is said by a map that may be missing or wrong. Then a text layer
holds rubbish where the page is in order. Nothing in the file says so, but the rubbish looks like no language:
scripts mixed within a word, code points that mean nothing, Latin letters with signs between them, and Han
characters that never follow one another.
"""

import re
import unicodedata
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

# Of the different pairs of Han characters in 1,800 real texts of all kinds, also traditional ones, at least 0.13 are in
# the table, and 1.35 times as many as if the text's characters came in any order. Where a wrong map has shuffled the
# characters, order means nothing: the median is 1.0 times as many.
_MIN_PAIRS = 60
_FEW_PAIRS = 0.08  # share with which 150 pairs are no Chinese; half of it with fewer
_CHANCE = 1.25
_MANY_PAIRS = 0.3  # share with which a text is Chinese without more ado
_RARE = 1 / 2  # of a line's Han characters; no line of a text has as many rare ones
_RARE_IN_OCR = 1 / 3  # the same in a text layer under a scan, where wrong characters are usual
_MIN_HAN = 5
_GARBLED_LINE = 0.3  # of its letters; more, and the whole line is not to be trusted
_LATIN_SHARE = 0.3  # of a font's letters beyond ASCII, with signs among them: no Western language
_MIN_LATIN = 12
_MIN_DIFFERENT = 8

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# What Chinese documents hold: letters of their own and of Western languages, marks, signs of mathematics.
_USUAL = (
    "\t\n\r\u0020-\u007e\u00a0-\u017f\u01cd-\u01dc\u0251\u0261\u0386-\u03ff\u0400-\u045f\u2000-\u20cf\u2100-\u22ff"
    "\u2460-\u27ef\u27f0-\u27ff\u2e80-\u2fd5\u2ff0-\u30ff\u3105-\u312f\u31a0-\u31ff\u3200-\u33ff\u4e00-\u9fff"
    "\uf900-\ufad9\ufe10-\ufe4f\ufe50-\ufe6b\uff01-\uffee\ufeff\ufffe\u0002\U0001d400-\U0001d7ff"
    "\U0001f000-\U0001faff\U00020000-\U000323af\U000e0100-\U000e01ef\ufe00-\ufe0f"
)
# What they hold now and then: pronunciation, rare Han characters, technical signs.
_SELDOM = (
    "\u0180-\u01cc\u01dd-\u0250\u0252-\u0260\u0262-\u0385\u20d0-\u20ff\u2300-\u245f\u2900-\u2bff\u3400-\u4dbf"
    "\u1e00-\u1eff"
)
_ODD = re.compile(f"[^{_USUAL}{_SELDOM}]")
_STRANGE = re.compile(f"[^{_USUAL}]")
# Characters of Extension A, the rarest of the basic plane, do not stand together, nor beside odd letters.
_RARE_TOGETHER = re.compile(f"[\u3400-\u4dbf][^{_USUAL}]+|[^{_USUAL}]+[\u3400-\u4dbf]")
_TOKEN = re.compile(r"[^\s,.;:!?()\[\]{}<>/|，。；：！？（）《》、“”‘’「」【】]+")
_LETTER = re.compile(r"[^\W_]|[^\x00-\x7f\s\u2000-\u206f\u3000-\u303f\uff00-\uff0f]")
_HAN_CHARACTER = re.compile(f"[{_HAN}]")
_HAN_RUN = re.compile("[\u4e00-\u9fff]{5,}")
_PRIVATE = re.compile("[\ue000-\uf8ff\U000f0000-\U0010ffff]")
_BEYOND_ASCII = re.compile("[\u00a1-\u00ff]")
_LATIN_SIGNS = re.compile("[¡¢£¤¥¦¨ª¬¯²³´µ¶¸¹º¼½¾¿ÐÞðþ×]")
_ONE_AGAIN = re.compile(f"([{_HAN}])\\1{{4,}}")


@dataclass(frozen=True, slots=True)
class Quality:
    """How much of a text is trusted.

    `score` is 1 minus the share of letters that are garbled; 1 for a text without letters.
    """

    n_letters: int
    n_garbled: int

    @property
    def score(self) -> float:
        """From 0, all garbled, to 1."""
        return 1.0 if not self.n_letters else 1 - self.n_garbled / self.n_letters


def count_letters(text: str) -> int:
    """Characters that carry meaning: letters, digits and Han characters, also odd ones."""
    return len(_LETTER.findall(text))


def count_han(text: str) -> int:
    """Han characters of the text."""
    return len(_HAN_CHARACTER.findall(text))


def is_suspicious(text: str) -> bool:
    """Whether anything in the text calls for a closer look. Quick, and true of some texts that are in order."""
    return _STRANGE.search(text) is not None or len(_BEYOND_ASCII.findall(text)) >= _MIN_LATIN


def garbled_spans(line: str, *, from_ocr: bool = False) -> list[tuple[int, int]]:
    """Which characters of a line are no text, as spans in order; the whole line where much of it is not.

    Args:
        line: text of one line.
        from_ocr: it comes from a text layer under a scan.
    """
    n_letters = count_letters(line)
    if not n_letters:
        return []
    if _has_rare_han(line, _RARE_IN_OCR if from_ocr else _RARE):
        return [(0, len(line))]
    if not _STRANGE.search(line):
        return []
    tokens = list(_TOKEN.finditer(line))
    found = [span for token in tokens for span in _garbled_in(token.group(), token.start())]
    found.extend(match.span() for match in _RARE_TOGETHER.finditer(line))
    if any(end - start > 1 for start, end in found):  # its neighbours are no accident either
        found = sorted(
            {*found, *((t.start(), t.end()) for t in tokens if _ODD.search(t.group()) and not _is_foreign(t.group()))}
        )
    n_garbled = sum(count_letters(line[start:end]) for start, end in found)
    return [(0, len(line))] if n_garbled > _GARBLED_LINE * n_letters and n_garbled > 1 else _merged(found)


def _garbled_in(token: str, offset: int) -> list[tuple[int, int]]:
    odd = _ODD.findall(token)
    if not odd:
        return []
    holes = [m.span() for m in _PRIVATE.finditer(token)]
    if _is_meaningless(token, odd) or _is_mixed(token, odd):
        return [(offset, offset + len(token))]
    if len(holes) > 1 or (holes and len(token) > 1):
        return [(offset + start, offset + end) for start, end in holes]
    return []


def _is_meaningless(token: str, odd: Sequence[str]) -> bool:
    """Whether the token holds code points without a meaning. A lone control character is a big bracket of a formula."""
    categories = [unicodedata.category(c) for c in odd]
    n_control = categories.count("Cc")
    return (
        "Cn" in categories
        or "Cs" in categories
        or "\ufffd" in token
        or n_control > 2
        or (n_control > 0 and _BEYOND_ASCII.search(token) is not None)
    )


def _is_mixed(token: str, odd: Sequence[str]) -> bool:
    """Whether characters of several scripts that never meet in a word do so in this one."""
    strange = _STRANGE.findall(token)
    if len(strange) < 2 or len(strange) < 0.4 * len(token):
        return False
    return len({_script(c) for c in strange}) > 1 and any(not _PRIVATE.match(c) for c in odd)


def _is_foreign(token: str) -> bool:
    """Whether the token is a word of one other script, as a document may cite it."""
    scripts = {_script(c) for c in token if not c.isascii()}
    return len(token) > 2 and len(scripts) == 1


def _script(character: str) -> str:
    name = unicodedata.name(character, "")
    if "\u1f00" <= character <= "\u1fff":
        return "GREEK WITH SIGNS"
    return name.partition(" ")[0]


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _has_rare_han(line: str, limit: float) -> bool:
    han = _HAN_CHARACTER.findall(unicodedata.normalize("NFKC", line))
    if len(han) < _MIN_HAN:
        return False
    common = _common_han()
    return sum(c not in common for c in han) >= limit * len(han)


@cache
def _common_han() -> frozenset[str]:
    """The first levels of GB 2312 and of Big5: the characters that nearly all of a text consists of."""
    gb = (bytes((high, low)).decode("gb2312", "ignore") for high in range(0xB0, 0xD8) for low in range(0xA1, 0xFF))
    lows = [*range(0x40, 0x7F), *range(0xA1, 0xFF)]
    big5 = (bytes((high, low)).decode("big5", "ignore") for high in range(0xA4, 0xC7) for low in lows)
    return frozenset(c for c in [*gb, *big5] if c)


def is_no_chinese(text: str) -> bool:
    """Whether the Han characters of a longer text never follow one another in Chinese.

    Names and lists do not count, only runs of five characters and more. False where there are too few.
    """
    codes = np.frombuffer(" ".join(_HAN_RUN.findall(text)).encode("utf-32-le"), np.uint32)
    _, known = _pairs()
    usual = known[codes]
    both = usual[1:] & usual[:-1]
    # Each pair once: a sentence that stands on every page proves nothing.
    different = np.unique(
        (codes[:-1][both].astype(np.int64) - 0x4E00) << 15 | codes[1:][both].astype(np.int64) - 0x4E00
    )
    first, second = different >> 15, different & 0x7FFF
    if len(first) < _MIN_PAIRS:
        return False
    share = float(_are_pairs(first, second).mean())
    if share >= _MANY_PAIRS:
        return False
    if share < (_FEW_PAIRS if len(first) >= 150 else _FEW_PAIRS / 2):
        return True
    firsts, n_firsts = np.unique(first, return_counts=True)
    seconds, n_seconds = np.unique(second, return_counts=True)
    table = _are_pairs(np.repeat(firsts, len(seconds)), np.tile(seconds, len(firsts)))
    by_chance = n_firsts @ table.reshape(len(firsts), len(seconds)) @ n_seconds / len(first) ** 2
    return bool(share < _CHANCE * by_chance)


def _are_pairs(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.bool_]:
    pairs, _ = _pairs()
    wanted = first << 15 | second
    found: NDArray[np.bool_] = pairs[np.minimum(np.searchsorted(pairs, wanted), len(pairs) - 1)] == wanted
    return found


@cache
def _pairs() -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The pairs that are usual in Chinese, as docs/build_han_pairs.py counts them, and which codes are in any."""
    data = files("chinese_llm_rag.document_loaders").joinpath("han_pairs.bin").read_bytes()
    pairs = np.frombuffer(zlib.decompress(data), "<u4").astype(np.int64).cumsum()
    known = np.zeros(0x10000, np.bool_)
    known[(pairs >> 15) + 0x4E00] = known[(pairs & 0x7FFF) + 0x4E00] = True
    return pairs, known


def is_beyond_ascii(text: str) -> bool:
    """Whether so many letters of one font are beyond ASCII that it is no Western language's."""
    return len(_BEYOND_ASCII.findall(text)) > _LATIN_SHARE * count_letters(text) and not count_han(text)


def is_no_western(text: str) -> bool:
    """Whether the text of one font is Latin letters beyond ASCII and signs as no Western language mixes them."""
    beyond = _BEYOND_ASCII.findall(text)
    if len(beyond) < _MIN_LATIN or len(set(beyond)) < _MIN_DIFFERENT or count_han(text):
        return False
    return is_beyond_ascii(text) and len(_LATIN_SIGNS.findall(text)) > 0.1 * len(beyond)


def repeated_runs(text: str) -> list[tuple[int, int]]:
    """Spans of one Han character five times and more: laughter, or one code for many glyphs."""
    return [match.span() for match in _ONE_AGAIN.finditer(text)]
