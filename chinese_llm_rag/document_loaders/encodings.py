"""Bytes -> text: the encoding is proven or named by the user, never assumed, and no character is dropped.

In order: the user's word; a byte order mark; strict UTF-8; then GB18030, Big5 and UTF-16 without a mark, each
strictly, judged by how much the result looks like Chinese. What cannot be proven is refused, with the name of
the encoding where it has one.
"""

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from chinese_llm_rag.document_loaders.chinese_look import chinese_look, share_of
from chinese_llm_rag.document_loaders.euc_tw import decode_euc_tw
from chinese_llm_rag.errors import ConfigError, DocumentError
from chinese_llm_rag.language import say

_BOMS = (  # UTF-32's little-endian mark begins with UTF-16's
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BIG5_FAMILY = ("cp950", "big5hkscs")  # each holds plain Big5; what Windows writes, what Hong Kong does
_PROVEN = 0.25  # Chinese in the right encoding lies above 0.5, in a wrong one below 0.1
_PROSE = 0.55
_AHEAD = 0.2  # of the next best, for a long text; more for one of few characters
_ALL_HANGUL = 0.8  # of the letters: what reads so by chance has Hanja between them
_KANA = 0.3
_ENOUGH = 10  # characters, below which EUC-TW and EUC-KR are not told from GB 2312 for certain
_JUDGED = 1_000_000  # characters or bytes at the beginning of a text; all of it must decode all the same
_SHIFTS = (
    (b"\x1b$)A", "ISO-2022-CN"),
    (b"\x1b$)G", "ISO-2022-CN"),
    (b"\x1b$B", "ISO-2022-JP"),
    (b"\x1b$)C", "ISO-2022-KR"),
)
_HZ = re.compile(rb"~\{(?:[!-}][!-~])+~\}")
_OFTEN_SAID = {"gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030", "big5": "cp950", "big5-eten": "cp950"}


@dataclass(frozen=True, slots=True)
class DecodedText:
    """A text and its encoding, as Python names it; problems are sentences for the user."""

    text: str
    encoding: str
    problems: tuple[str, ...] = ()


def decode(data: bytes, path: Path, encoding: str | None = None, *, said: str | None = None) -> DecodedText:
    """The whole text of a file, without a byte order mark.

    Args:
        data: the file's bytes.
        path: for messages.
        encoding: what the user says; nothing else is tried then.
        said: what the file says about itself; taken where the bytes bear it out.

    Raises:
        DocumentError: the encoding cannot be proven, is not supported, or a character is damaged.
        ConfigError: no such encoding.
    """
    if encoding is not None:
        return _as_named(data, path, encoding)
    for mark, name in _BOMS:
        if data.startswith(mark):
            return DecodedText(_strictly(data[len(mark) :], name, path), name)
    found = _utf8(data, path) or _seven_bits(data, path)
    if found is None:
        found = _declared(data, said) or _by_look(data, path)
    if said and not _is_same(said, found.encoding):
        note = say(
            f"it says that its encoding is {said}, but it is {found.encoding}",
            f"文件声明的编码是 {said}，实际为 {found.encoding}",
        )
        return DecodedText(found.text, found.encoding, (note,))
    return found


def _as_named(data: bytes, path: Path, encoding: str) -> DecodedText:
    try:
        name = codecs.lookup(encoding).name
    except LookupError as error:
        raise ConfigError(
            say(f"encoding={encoding!r} is unknown", f"未知编码 encoding={encoding!r}"),
            setting="encoding",
            hint=say("for example utf-8, gb18030, big5, utf-16", "例如 utf-8、gb18030、big5、utf-16"),
        ) from error
    for mark, marked in _BOMS:
        if data.startswith(mark) and marked.startswith(name):
            return DecodedText(_strictly(data[len(mark) :], marked, path), marked)
    return DecodedText(_strictly(data, name, path), name)


def _strictly(data: bytes, name: str, path: Path) -> str:
    try:
        text = data.decode(name)
    except UnicodeDecodeError as error:
        raise _not_text(path, name.upper(), _bad_byte(data, error)) from error
    return _without_nul(text, name.upper(), path)


def _without_nul(text: str, name: str, path: Path) -> str:
    if "\0" in text:
        raise _not_text(path, name, say("it holds NUL characters", "文件含有 NUL 字符"))
    return text


def _utf8(data: bytes, path: Path) -> DecodedText | None:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if "\0" in text:
        return _wide(data) or DecodedText(_without_nul(text, "UTF-8", path), "utf-8")
    return None if _could_be_shifted(data) else DecodedText(text, "utf-8")


def _could_be_shifted(data: bytes) -> bool:
    return data.isascii() and (b"\x1b$" in data or _HZ.search(data) is not None)


def _seven_bits(data: bytes, path: Path) -> DecodedText | None:
    """Encodings that hide Chinese in ASCII."""
    if not _could_be_shifted(data):
        return None
    for escape, name in _SHIFTS:
        if escape in data:
            raise _unsupported(path, name)
    if (text := _try(data, "hz")) is not None and chinese_look(text) >= _PROVEN:
        return DecodedText(text, "hz")
    return DecodedText(data.decode("ascii"), "utf-8")


def _declared(data: bytes, said: str | None) -> DecodedText | None:
    """As the file says, where the result does not contradict it."""
    if said is None:
        return None
    try:
        name = codecs.lookup(_OFTEN_SAID.get(said.lower(), said)).name
    except LookupError:
        return None
    text = _try(data, name)
    return DecodedText(text, name) if text is not None and "\0" not in text and chinese_look(text) >= _PROVEN else None


def _is_same(said: str, encoding: str) -> bool:
    try:
        name = codecs.lookup(_OFTEN_SAID.get(said.lower(), said)).name
    except LookupError:
        return False
    families = ({"cp950", "big5hkscs"}, {"utf-16", "utf-16-le", "utf-16-be"}, {"utf-8", "ascii"})
    return name == encoding or any({name, encoding} <= family for family in families)


def _try(data: bytes, name: str) -> str | None:
    try:
        return data.decode(name)
    except UnicodeDecodeError:
        return None


def _wide(data: bytes) -> DecodedText | None:
    """UTF-16 without a mark, where one byte order gives text and the other does not."""
    if len(data) % 2:
        return None
    scored: list[tuple[float, DecodedText]] = []
    for name in ("utf-16-le", "utf-16-be"):
        text = _try(data, name)
        if text is not None and "\0" not in text:
            score = 1.0 if text.isascii() and text.isprintable() else chinese_look(text[:_JUDGED])
            scored.append((score, DecodedText(text, name)))
    return _clear_winner(scored)


def _clear_winner(scored: list[tuple[float, DecodedText]]) -> DecodedText | None:
    ranked = sorted(scored, key=lambda one: -one[0])
    if not ranked or ranked[0][0] < _PROVEN:
        return None
    best = ranked[0][1]
    ahead = _AHEAD + 1 / max(_n_beyond_ascii(best.text), 1)
    return None if len(ranked) > 1 and ranked[0][0] - ranked[1][0] < ahead else best


def _n_beyond_ascii(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass")) - len(text) >> 1  # two more bytes for each Han character


def _by_look(data: bytes, path: Path) -> DecodedText:
    candidates = [DecodedText(text, "gb18030") for text in [_try(data, "gb18030")] if text is not None]
    for name in _BIG5_FAMILY:
        if (text := _try(data, name)) is not None:
            candidates.append(DecodedText(text, name))
            break
    scored = [(chinese_look(one.text[:_JUDGED]), one) for one in candidates if "\0" not in one.text]
    if (wide := _wide(data)) is not None:
        scored.append((chinese_look(wide.text[:_JUDGED]), wide))
    sample = _sample(data)
    taiwan = decode_euc_tw(sample)
    best = max((score for score, _ in scored), default=-3.0)
    korean = _try(sample, "euc_kr")
    if korean is not None and best < _PROSE and share_of(korean, "HANGUL") > _ALL_HANGUL:
        raise _named(data, path, korean, "EUC-KR", scored)
    if taiwan is not None and chinese_look(taiwan) >= max(_PROVEN, best + _AHEAD):
        raise _named(data, path, taiwan, "EUC-TW", scored)
    found = _clear_winner(scored)
    if found is None or share_of(found.text[:_JUDGED], "HIRAGANA", "KATAKANA", "HANGUL") > _KANA:
        raise _unproven(data, path, [one.encoding for score, one in scored if score >= _PROVEN])
    return found


def _named(data: bytes, path: Path, text: str, name: str, scored: list[tuple[float, DecodedText]]) -> DocumentError:
    """The refusal of what is an encoding without support, if there is enough of it to be certain."""
    if _n_beyond_ascii(text) < _ENOUGH:
        return _unproven(data, path, [name.lower(), *(one.encoding for _, one in scored)])
    return _unsupported(path, name)


def _sample(data: bytes) -> bytes:
    """The beginning of a long text, to the end of a line, so that no character is cut."""
    end = data.rfind(b"\n", 0, _JUDGED)
    return data if len(data) <= _JUDGED or end < 0 else data[:end]


def _unproven(data: bytes, path: Path, possible: list[str]) -> DocumentError:
    if len(possible) > 1:
        names = " / ".join(possible)
        return _not_text(path, "UTF-8", say(f"it could be {names}", f"可能是 {names}"))
    for name in ("shift_jis", "euc_jp"):
        text = _try(data, name)
        if text is not None and share_of(text, "HIRAGANA", "KATAKANA") > _KANA:
            return _unsupported(path, name.upper())
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        nearly = data.decode("utf-8", errors="replace")
        broken, whole = nearly.count("\ufffd"), sum(not character.isascii() for character in nearly)
        detail = _bad_byte(data, error)
        if whole > 20 * broken:
            detail = say(f"nearly all of it is, but {detail}", f"绝大部分是，但{detail}")
        return _not_text(path, "UTF-8", detail)
    return _not_text(path, "UTF-8", say("it holds NUL characters", "文件含有 NUL 字符"))


def _bad_byte(data: bytes, error: UnicodeDecodeError) -> str:
    at, value = error.start, data[min(error.start, len(data) - 1)]
    return say(f"byte {at} is {value:#04x}", f"第 {at} 字节为 {value:#04x}")


def _not_text(path: Path, encoding: str, detail: str) -> DocumentError:
    return DocumentError(
        say(
            f"{path.name!r} is not {encoding} text: {detail}; no other Chinese encoding could be proven",
            f"{path.name!r} 不是 {encoding} 文本：{detail}；也无法确认为其他中文编码",
        ),
        path=path,
        hint=say(
            "name its encoding, or convert it to UTF-8, for example with iconv",
            "请指明其编码，或先转换为 UTF-8，例如使用 iconv",
        ),
    )


def _unsupported(path: Path, encoding: str) -> DocumentError:
    return DocumentError(
        say(f"{path.name!r} is {encoding} text, which is not read", f"{path.name!r} 是 {encoding} 文本，不支持读取"),
        path=path,
        hint=say(f"convert it to UTF-8: iconv -f {encoding} -t UTF-8", f"请转换为 UTF-8：iconv -f {encoding} -t UTF-8"),
    )
