"""A slot of the server as a file: what llama.cpp wrote, and behind it whose it is and a checksum.

llama.cpp looks at neither: it would take another model's file for its own, and ends the process on a damaged one.
"""

import json
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.language import say

_END = b"chinese-llm-rag xllamacpp memory 1\n"
_LENGTH = struct.Struct("<I")
_READ_BYTES = 1 << 20


@contextmanager
def under_a_name(folder: Path, target: Path) -> Iterator[str]:
    """A name in the server's folder that stands for a file elsewhere; the server takes no paths."""
    link = folder / f"{token_hex(8)}.bin"
    link.symlink_to(target.absolute())
    try:
        yield link.name
    finally:
        link.unlink(missing_ok=True)


def seal(path: Path, owner: str) -> int:
    """Add whose it is and a checksum to what llama.cpp wrote; the result is the file's size in bytes."""
    with path.open("r+b") as file:
        size = path.stat().st_size
        note = json.dumps({"owner": owner, "n_bytes": size, "crc32": _checksum(file, size)}).encode()
        file.seek(size)
        file.write(note + _LENGTH.pack(len(note)) + _END)
    return path.stat().st_size


def check_seal(path: Path, owner: str) -> None:
    """Return when the file is whole and of this owner.

    Raises:
        ModelLoadError: it is missing, damaged, something else, or of another owner.
    """
    try:
        with path.open("rb") as file:
            note = _note(file, path.stat().st_size)
            if note is None:
                raise _refused(path, say("it is something else, or was cut off", "它是其他类型的文件，或不完整"))
            if note["owner"] != owner:
                raise _refused(
                    path,
                    say("it is of another model, or of one loaded with other options", "它来自其他模型或其他加载选项"),
                )
            if _checksum(file, int(note["n_bytes"])) != note["crc32"]:
                raise _refused(path, say("it is damaged", "文件已损坏"))
    except OSError as error:
        raise _refused(path, error.strerror or str(error)) from error


def _note(file: BinaryIO, size: int) -> dict[str, int | str] | None:
    tail = _LENGTH.size + len(_END)
    if size < tail:
        return None
    file.seek(size - tail)
    (length,) = _LENGTH.unpack(file.read(_LENGTH.size))
    if file.read() != _END or length > size - tail:
        return None
    file.seek(size - tail - length)
    try:
        note = json.loads(file.read(length))
        return {"owner": str(note["owner"]), "n_bytes": int(note["n_bytes"]), "crc32": int(note["crc32"])}
    except (ValueError, KeyError, TypeError):
        return None


def _checksum(file: BinaryIO, n_bytes: int) -> int:
    file.seek(0)
    checksum = 0
    while n_bytes > 0 and (block := file.read(min(_READ_BYTES, n_bytes))):
        checksum = zlib.crc32(block, checksum)
        n_bytes -= len(block)
    return checksum


def _refused(path: Path, reason: str) -> ModelLoadError:
    return ModelLoadError(
        say(f"cannot load a saved memory from {str(path)!r}: {reason}", f"无法从 {str(path)!r} 载入记忆：{reason}"),
        hint=say("make it again with save_prefix()", "请用 save_prefix() 重新生成"),
    )
