"""Words that a PDF breaks at a line's end, whole again. Pure.

PDFium writes U+FFFE (older versions U+0002) for a hyphen at a line's end and drops the line break. It does
not say whether the hyphen belongs to the word, as in apt-get, or only to the break, as in docu-ment: the
rest of the document decides.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from chinese_llm_rag.chinese_text import HAN

_PART = rf"(?:(?!{HAN})[^\W_])+"
_MARK = "[\u0002\ufffe]"
_BROKEN = re.compile(rf"({_PART}){_MARK}[\r\n]*(?=({_PART}))")
_BOTH_PARTS = re.compile(rf"{_PART}(?:{_MARK}[\r\n]*{_PART})+")
_COMPOUND = re.compile(rf"{_PART}(?:-{_PART})*")


def join_broken_words(pages: Sequence[str]) -> list[str]:
    """The texts of a document's pages without marks of broken words.

    A word takes the form, joined or with a hyphen, that stands elsewhere in the document. One that stands
    nowhere else gets its hyphen when both parts are words of the document, or the second begins with a digit
    or a capital after a small letter.
    """
    known = _words(pages)

    def whole(match: re.Match[str]) -> str:
        left, right = match[1].lower(), match[2].lower()
        if f"{left}-{right}" in known:
            hyphen = True
        elif left + right in known:
            hyphen = False
        else:
            begins_anew = right[0].isdigit() or (match[1][-1].islower() and match[2][0].isupper())
            hyphen = begins_anew or (left in known and right in known)
        return match[1] + ("-" if hyphen else "")

    return [re.sub(rf"{_MARK}[\r\n]*", "-", _BROKEN.sub(whole, page)) for page in pages]


def _words(pages: Iterable[str]) -> frozenset[str]:
    """Words of the pages in lower case, compounds by neighbouring pairs; broken words are left out."""
    known: set[str] = set()
    for page in pages:
        for compound in _COMPOUND.findall(_BOTH_PARTS.sub(" ", page).lower()):
            parts = compound.split("-")
            known.update(parts)
            known.update(f"{left}-{right}" for left, right in pairwise(parts))
    return frozenset(known)
