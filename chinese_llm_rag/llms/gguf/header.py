"""What a GGUF file says about itself: metadata and tensor list, read without its weights.

Knows the format of versions 2 and 3, little-endian (ggml's docs/gguf.md). Vocabularies are counted, not kept, so a
file of any size takes milliseconds and megabytes. Every count is checked against the bytes that are left before
anything is reserved for it. What the values mean is not known here.
"""

import mmap
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path

from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.gguf.file import check_gguf
from chinese_llm_rag.llms.gguf.types import FILE_TYPES, TENSOR_TYPES

Value = int | float | bool | str | tuple[int | float | bool, ...]

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_VERSIONS = (2, 3)
# Far above any real model, and low enough that a damaged count ends in an error within a second.
_MOST_KEYS = 1 << 16
_MOST_TENSORS = 1 << 17
_MOST_STRINGS = 1 << 22
_LONGEST_STRING = 1 << 24
_MOST_DIMENSIONS = 4
_KEPT_ITEMS = 1024  # per-layer lists are kept, scores and types of a vocabulary are not


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """One tensor: `shape` fastest dimension first, `offset` from the start of the data.

    `n_bytes` is None for a type newer than this module.
    """

    name: str
    shape: tuple[int, ...]
    type_name: str
    n_bytes: int | None
    offset: int


@dataclass(frozen=True)
class GgufHeader:
    """A file's metadata and tensors.

    Attributes:
        metadata: scalars, strings, and number lists of up to 1024 items.
        array_lengths: items of every list, kept or not.
        data_start: where the first tensor's bytes can begin.
        file_bytes: the file's size.
    """

    path: Path
    version: int
    metadata: Mapping[str, Value]
    array_lengths: Mapping[str, int]
    tensors: tuple[GgufTensor, ...]
    data_start: int
    file_bytes: int

    @property
    def architecture(self) -> str:
        """For example "llama"; "" where the file does not say."""
        return str(self.metadata.get("general.architecture", ""))

    def number(self, key: str) -> int | float | None:
        """A number whose key begins with the architecture, such as "context_length"."""
        value = self.metadata.get(f"{self.architecture}.{key}")
        return value if isinstance(value, int | float) else None

    @cached_property
    def weight_bytes(self) -> int:
        """Bytes of all tensors of a known type."""
        return sum(tensor.n_bytes or 0 for tensor in self.tensors)

    @cached_property
    def needed_bytes(self) -> int:
        """How long the file must be to hold the end of its last tensor."""
        ends = (tensor.offset + (tensor.n_bytes or 0) for tensor in self.tensors)
        return self.data_start + max(ends, default=0)

    @property
    def missing_bytes(self) -> int:
        """Bytes that were cut off; 0 for a whole file."""
        return max(0, self.needed_bytes - self.file_bytes)

    @property
    def vocabulary_size(self) -> int:
        """Pieces of the tokenizer, or else rows of the embedding; 0 where there is neither."""
        counted = self.array_lengths.get("tokenizer.ggml.tokens") or self.number("vocab_size")
        if counted:
            return int(counted)
        embedding = next((t for t in self.tensors if t.name == "token_embd.weight" and len(t.shape) > 1), None)
        return 0 if embedding is None else embedding.shape[1]

    @cached_property
    def quantization(self) -> str:
        """As llama.cpp calls it, for example "Q4_K_M"; the type of most bytes where the file does not say."""
        stated = self.metadata.get("general.file_type")
        if isinstance(stated, int) and stated in FILE_TYPES:
            return FILE_TYPES[stated]
        sizes: Counter[str] = Counter()
        for tensor in self.tensors:
            sizes[tensor.type_name] += tensor.n_bytes or 0
        return sizes.most_common(1)[0][0] if sizes else ""

    @property
    def has_frequency_factors(self) -> bool:
        """Whether it brings RoPE factors of its own as a tensor."""
        return any(tensor.name.startswith(("rope_freqs", "rope_factors")) for tensor in self.tensors)


def read_gguf_header(path: Path, *, allow_incomplete: bool = False) -> GgufHeader:
    """Read the beginning of a GGUF file.

    Args:
        path: the file.
        allow_incomplete: give the header of a file whose weights are cut off, for a report; see missing_bytes.

    Raises:
        ModelLoadError: there is no such file, it is something else, its header is damaged, or it ends too early.
    """
    check_gguf(path)
    file_bytes = path.stat().st_size
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        header = _Cursor(path, view, file_bytes).header()
    if header.missing_bytes and not allow_incomplete:
        raise ModelLoadError(
            say(
                f"{str(path)!r} is incomplete: {file_bytes} bytes, but its tensors end at {header.needed_bytes}",
                f"{str(path)!r} 不完整：只有 {file_bytes} 字节，而张量应到第 {header.needed_bytes} 字节结束",
            ),
            hint=_again(),
        )
    return header


class _Cursor:
    """A place in the file that only moves forward."""

    def __init__(self, path: Path, view: mmap.mmap, size: int) -> None:
        self._path = path
        self._view = view
        self._size = size
        self._at = 4  # behind the magic

    def header(self) -> GgufHeader:
        version = int(self._scalar("I"))
        if version not in _VERSIONS:
            raise self._unknown_version(version)
        n_tensors = self._count("tensor count", least_bytes=24, most=_MOST_TENSORS)
        n_keys = self._count("metadata count", least_bytes=13, most=_MOST_KEYS)
        metadata: dict[str, Value] = {}
        lengths: dict[str, int] = {}
        for _ in range(n_keys):
            key = self._string("key")
            kind = int(self._scalar("I"))
            if kind == _ARRAY:
                lengths[key], kept = self._array(key)
                if kept is not None:
                    metadata[key] = kept
            else:
                metadata[key] = self._string(key) if kind == _STRING else self._scalar(self._format(key, kind))
        tensors = tuple(self._tensor() for _ in range(n_tensors))
        alignment = metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
            raise self._damaged("general.alignment", alignment, "a power of two")
        start = -(-self._at // alignment) * alignment
        return GgufHeader(self._path, version, metadata, lengths, tensors, start, self._size)

    def _scalar(self, form: str) -> int | float | bool:
        layout = struct.Struct("<" + form)
        self._need(layout.size)
        value: int | float | bool = layout.unpack_from(self._view, self._at)[0]
        self._at += layout.size
        return value

    def _need(self, n_bytes: int) -> None:
        if n_bytes > self._size - self._at:
            raise ModelLoadError(
                say(
                    f"{str(self._path)!r} ends within its header: {n_bytes} bytes expected at {self._at}, "
                    f"the file has {self._size}",
                    f"{str(self._path)!r} 在文件头中就中断了：位置 {self._at} 处应有 {n_bytes} 字节，"
                    f"而文件只有 {self._size} 字节",
                ),
                hint=_again(),
            )

    def _count(self, what: str, *, least_bytes: int, most: int) -> int:
        """A number of items that take at least so many bytes each."""
        count = int(self._scalar("Q"))
        if count > most or count * least_bytes > self._size - self._at:
            room = min(most, (self._size - self._at) // least_bytes)
            raise self._damaged(what, count, say(f"at most {room}", f"最多 {room}"))
        return count

    def _string(self, what: str) -> str:
        length = self._count(f"length of {what}", least_bytes=1, most=_LONGEST_STRING)
        raw = self._view[self._at : self._at + length]
        self._at += length
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            raise self._damaged(what, raw[:40], "UTF-8") from error

    def _format(self, key: str, kind: int) -> str:
        if kind not in _SCALARS:
            raise self._damaged(f"type of {key}", kind, "0..12")
        return _SCALARS[kind]

    def _array(self, key: str) -> tuple[int, Value | None]:
        kind = int(self._scalar("I"))
        if kind == _STRING:
            return self._skip_strings(key), None
        form = self._format(key, kind)
        size = struct.calcsize("<" + form)
        count = self._count(f"length of {key}", least_bytes=size, most=self._size)
        kept = struct.unpack_from(f"<{count}{form}", self._view, self._at) if count <= _KEPT_ITEMS else None
        self._at += count * size
        return count, kept

    def _skip_strings(self, key: str) -> int:
        count = self._count(f"length of {key}", least_bytes=8, most=_MOST_STRINGS)
        at, view, length_at = self._at, self._view, struct.Struct("<Q").unpack_from
        try:
            for _ in range(count):
                at += 8 + length_at(view, at)[0]
        except (struct.error, OverflowError):  # a length led out of the file
            at = self._size + 1
        if at > self._size:
            raise self._damaged(key, f"{count} strings", say("all inside the file", "全部位于文件内"))
        self._at = at
        return count

    def _tensor(self) -> GgufTensor:
        name = self._string("tensor name")
        n_dimensions = int(self._scalar("I"))
        if not 1 <= n_dimensions <= _MOST_DIMENSIONS:
            raise self._damaged(f"dimensions of {name}", n_dimensions, f"1..{_MOST_DIMENSIONS}")
        shape = tuple(int(self._scalar("Q")) for _ in range(n_dimensions))
        kind = int(self._scalar("I"))
        offset = int(self._scalar("Q"))
        type_name, block, block_bytes = TENSOR_TYPES.get(kind, (f"type {kind}", 0, 0))
        if not 0 < prod(shape) < 1 << 48 or (block and shape[0] % block):
            raise self._damaged(f"shape of {name}", shape, say(f"multiples of {block or 1}", f"{block or 1} 的倍数"))
        if offset >= 1 << 48:
            raise self._damaged(f"offset of {name}", offset, say("a place in the file", "文件内的位置"))
        n_bytes = prod(shape) // block * block_bytes if block else None
        return GgufTensor(name, shape, type_name, n_bytes, offset)

    def _damaged(self, what: str, value: object, expected: str) -> ModelLoadError:
        return ModelLoadError(
            say(
                f"the header of {str(self._path)!r} is damaged: {what} is {value!r}, expected {expected}",
                f"{str(self._path)!r} 的文件头已损坏：{what} 为 {value!r}，应为 {expected}",
            ),
            hint=_again(),
        )

    def _unknown_version(self, version: int) -> ModelLoadError:
        swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
        if swapped in _VERSIONS:
            hint = say("it is big-endian: get a little-endian file", "它是大端格式，请获取小端格式的文件")
        elif version > max(_VERSIONS):
            hint = say("it is newer than this program, or damaged", "它比本程序更新，或已损坏")
        else:
            hint = say("convert the model again with a newer llama.cpp", "请用较新的 llama.cpp 重新转换模型")
        return ModelLoadError(
            say(
                f"{str(self._path)!r} has GGUF version {version!r}, expected 2 or 3",
                f"{str(self._path)!r} 的 GGUF 版本为 {version!r}，应为 2 或 3",
            ),
            hint=hint,
        )


def _again() -> str:
    return say(
        "the download was cut off or damaged: fetch the file again and compare its hash",
        "下载中断或文件损坏：请重新下载并核对哈希值",
    )
