"""A model's memory of a prompt as a file: whose it is, by which RoPE, which tokens, and the state itself.

The layout: one line of JSON, then the tokens as little-endian int32, then the state. It takes hardly more room
than the KV cache of those tokens.
"""

import json
import os
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.rope import RopeSpec

_FORMAT = "chinese-llm-rag memory 2"
_LONGEST_HEADER = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class SavedMemory:
    """The tokens that were read, the state after them, [n_bytes], and the RoPE it was computed with."""

    tokens: list[int]
    state: npt.NDArray[np.uint8]
    rope: RopeSpec


def write_memory(path: Path, owner: str, saved: SavedMemory) -> int:
    """Write the file, which appears under its name only when whole; the result is its size in bytes.

    Args:
        path: of the file.
        owner: what the state can be used with: the model and how it computes.
        saved: the memory.
    """
    tokens, state = saved.tokens, saved.state
    header = {
        "format": _FORMAT,
        "owner": owner,
        "rope": asdict(saved.rope),
        "n_tokens": len(tokens),
        "n_bytes": state.nbytes,
        "crc32": zlib.crc32(state.data),
    }
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with unfinished.open("wb") as file:
            file.write(json.dumps(header).encode() + b"\n")
            file.write(np.asarray(tokens, dtype="<i4").tobytes())
            file.write(state.data)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path.stat().st_size


def read_memory(path: Path, owner: str) -> SavedMemory:
    """What the file holds.

    Raises:
        ModelLoadError: the file is missing, damaged, something else, or of another owner.
    """
    try:
        with path.open("rb") as file:
            header = _header(file.readline(_LONGEST_HEADER), path)
            if header["owner"] != owner:
                raise _refused(
                    path,
                    say("it is of another model, or of one loaded with other options", "它来自其他模型或其他加载选项"),
                )
            if path.stat().st_size != file.tell() + 4 * header["n_tokens"] + header["n_bytes"]:
                raise _refused(path, say("it is damaged", "文件已损坏"))
            tokens = np.fromfile(file, dtype="<i4", count=header["n_tokens"])
            state = np.fromfile(file, dtype=np.uint8, count=header["n_bytes"])
    except OSError as error:
        raise _refused(path, error.strerror or str(error)) from error
    if zlib.crc32(state.data) != header["crc32"]:
        raise _refused(path, say("it is damaged", "文件已损坏"))
    return SavedMemory(tokens.tolist(), state, header["rope"])


def _header(line: bytes, path: Path) -> dict[str, Any]:
    try:
        header = json.loads(line)
        header["rope"] = RopeSpec(**header["rope"])
        sound = header["format"] == _FORMAT and header["n_tokens"] >= 0 and header["n_bytes"] >= 0
        sound = sound and isinstance(header["owner"], str) and isinstance(header["crc32"], int)
    except (ValueError, KeyError, TypeError):
        sound = False
    if not sound:
        raise _refused(path, say("it is something else", "它是其他类型的文件"))
    return dict(header)


def _refused(path: Path, reason: str) -> ModelLoadError:
    return ModelLoadError(
        say(f"cannot load a saved memory from {str(path)!r}: {reason}", f"无法从 {str(path)!r} 载入记忆：{reason}"),
        hint=say("make it again with save_prefix()", "请用 save_prefix() 重新生成"),
    )
