"""The pieces of a sentencepiece model file, read without the sentencepiece package.

The file is a protobuf message whose field 1, repeated, is a piece: field 1 its text, field 2 its score as float32,
field 3 its type (1 where it is left out). The types are numbered as GGUF numbers token types.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.language import say

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of the vocabulary."""

    text: str
    score: float
    type: int


def read_pieces(path: Path) -> list[Piece]:
    """All pieces in the order of their numbers.

    Raises:
        ModelLoadError: there is no such file, or it is no sentencepiece model.
    """
    try:
        pieces = [_piece(value) for number, value in _fields(path.read_bytes()) if number == 1 and _is_bytes(value)]
    except FileNotFoundError as error:
        raise ModelLoadError(
            say(f"{str(path)!r} is missing", f"缺少 {str(path)!r}"),
            hint=say("take tokenizer.model from the model's repository", "请从模型仓库取得 tokenizer.model"),
        ) from error
    except (ValueError, IndexError, struct.error) as error:
        raise _damaged(path) from error
    if not pieces or pieces[0].type != UNKNOWN:
        raise _damaged(path)
    return pieces


def _piece(message: bytes | int) -> Piece:
    text, score, kind = "", 0.0, NORMAL
    assert isinstance(message, bytes)
    for number, value in _fields(message):
        if number == 1 and isinstance(value, bytes):
            text = value.decode("utf-8")
        elif number == 2 and isinstance(value, bytes):
            score = struct.unpack("<f", value)[0]
        elif number == 3 and isinstance(value, int):
            kind = value
    return Piece(text, score, kind)


def _fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Number and value of each field; a fixed-width value as its bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire == _BYTES:
            length, at = _varint(message, at)
        elif wire in (_FIXED32, _FIXED64):
            length = 4 if wire == _FIXED32 else 8
        else:
            raise ValueError(wire)
        if at + length > len(message):
            raise IndexError(at)
        yield number, message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError(shift)


def _is_bytes(value: bytes | int) -> bool:
    return isinstance(value, bytes)


def _damaged(path: Path) -> ModelLoadError:
    return ModelLoadError(
        say(f"{str(path)!r} is no sentencepiece model", f"{str(path)!r} 不是 sentencepiece 模型"),
        hint=say("take tokenizer.model from the model's repository again", "请从模型仓库重新取得 tokenizer.model"),
    )
