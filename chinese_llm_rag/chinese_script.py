"""Traditional and simplified Chinese in one script, for comparing. Pure; the tables are OpenCC's.

Knows how characters are written, not how regions call things (軟體 and 软件 stay apart).
"""

from collections.abc import Callable
from functools import cache

# Forms that OpenCC leaves as they are.
_OTHER_FORMS = {"妳": "你", "牠": "它", "祇": "只", "衹": "只", "姪": "侄", "賸": "剩", "戸": "户"}
_BLOCKS = ((0x3400, 0x4DC0), (0x4E00, 0xA000), (0x20000, 0x323B0))


def one_script(text: str) -> str:
    """The text with one character for all forms of it, close to simplified Chinese; for comparing, not to be read.

    What is one character in either script is one here (乾, 幹 and 干), whatever stands around it, so that a
    word is found in both. Where a word tells more than its characters do (瞭解 is 了解), the word counts.
    """
    if text.isascii():
        return text
    # OpenCC takes no lone surrogate and nothing after a NUL.
    plain = text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    return _to_simplified()(plain).translate(_characters())


def one_character(text: str) -> str:
    """As `one_script`, each character by itself: a tenth of the time, and 瞭解 is not 了解."""
    return text.translate(_characters())


def character_forms() -> dict[int, str]:
    """What `one_character` makes of each character that it changes, by code point."""
    return dict(_characters())


@cache
def _to_simplified() -> Callable[[str], str]:
    from opencc import OpenCC  # noqa: PLC0415  (loads its tables)

    hong_kong, taiwan = OpenCC("hk2s"), OpenCC("tw2s")
    return lambda text: taiwan.convert(hong_kong.convert(text))


@cache
def _characters() -> dict[int, str]:
    """What each character becomes when it stands alone."""
    return _changes(_to_simplified()) | {ord(before): after for before, after in _OTHER_FORMS.items()}


@cache
def traditional_characters() -> frozenset[str]:
    """The characters that are written otherwise in simplified Chinese."""
    from opencc import OpenCC  # noqa: PLC0415  (loads its tables)

    return frozenset(map(chr, _changes(OpenCC("t2s").convert)))


def _changes(convert: Callable[[str], str]) -> dict[int, str]:
    alone = [chr(code) for start, end in _BLOCKS for code in range(start, end)]
    converted = convert("\n".join(alone)).split("\n")
    return {ord(before): after for before, after in zip(alone, converted, strict=True) if before != after}
