"""Tensors as they lie in weight files: mapped, not loaded, read by rows as float32.

numpy knows no bfloat16, so its bits are kept as uint16 and widened by a shift. torch is loaded for pickled .bin files
only, which it reads without running what is in them (weights_only).
"""

import json
import math
import mmap
import pickle
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from chinese_llm_rag._optional import optional_import
from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.hf.stored_weights import safetensors_header

Floats = NDArray[np.float32]

_STORED: dict[str, Any] = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16}
_BLOCK_ROWS = 1024


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor in a file. `raw` is a view of the mapped file; of bfloat16 it holds the bits."""

    dtype: str
    raw: NDArray[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Its dimensions."""
        return tuple(self.raw.shape)

    @property
    def n_bytes(self) -> int:
        """Bytes as stored."""
        return self.raw.nbytes

    def rows(self, start: int = 0, stop: int | None = None) -> Floats:
        """Rows start..stop as float32."""
        part = self.raw[start:stop]
        if self.dtype == "BF16":
            return (part.astype(np.uint32) << 16).view(np.float32)
        return part.astype(np.float32)


def stored_type(dtype: str) -> np.dtype[Any]:
    """The numpy type of what is stored."""
    stored: np.dtype[Any] = np.dtype(_STORED[dtype])
    return stored


def item_bytes(dtype: str) -> int:
    """Bytes of one value."""
    return stored_type(dtype).itemsize


def encode(values: Floats, dtype: str) -> NDArray[Any]:
    """float32 values in the form in which `dtype` is stored, rounded to nearest."""
    if dtype != "BF16":
        with np.errstate(over="ignore"):
            return values.astype(_STORED[dtype])
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> 16) & 1)) >> 16  # to nearest, ties to even
    return np.where(np.isnan(values), np.uint32(0x7FC0), rounded).astype(np.uint16)


def row_blocks(n_rows: int, n_columns: int) -> Iterator[tuple[int, int]]:
    """Bounds of the blocks in which a tensor is worked on: some MB each."""
    step = max(1, min(_BLOCK_ROWS, (1 << 22) // max(n_columns, 1)))
    for start in range(0, n_rows, step):
        yield start, min(start + step, n_rows)


def open_tensors(files: Iterable[Path]) -> dict[str, Tensor]:
    """All tensors of safetensors and .bin files by name, in the order of the files.

    Raises:
        ModelLoadError: a damaged file, or a dtype that is no plain floating point.
        MissingDependencyError: a .bin file, and torch is not installed.
    """
    tensors: dict[str, Tensor] = {}
    for file in files:
        tensors.update(_open_safetensors(file) if file.suffix == ".safetensors" else _open_pickle(file))
    return tensors


def _open_safetensors(path: Path) -> dict[str, Tensor]:
    header = safetensors_header(path)
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    begin = 8 + struct.unpack("<Q", mapped[:8])[0]
    offsets = {name: item["data_offsets"][0] for name, item in json.loads(mapped[8:begin]).items() if name in header}
    tensors = {}
    for name, (dtype, shape) in header.items():
        if dtype not in _STORED:
            raise _foreign(path, name, dtype)
        raw = np.frombuffer(mapped, _STORED[dtype], math.prod(shape), begin + offsets[name])
        tensors[name] = Tensor(dtype, raw.reshape(shape))
    return tensors


def _open_pickle(path: Path) -> dict[str, Tensor]:
    torch = optional_import("torch", extra="hf")
    try:
        try:
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError:  # files of old torch versions cannot be mapped
            state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, OSError) as error:
        raise ModelLoadError(
            say(f"{str(path)!r} cannot be read as weights: {error}", f"无法将 {str(path)!r} 读作权重：{error}"),
            hint=say("fetch it again, or take the safetensors form", "请重新下载，或使用 safetensors 格式"),
        ) from error
    if not isinstance(state, Mapping):
        raise _foreign(path, "content", type(state).__name__)
    names = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
    tensors = {}
    for name, value in state.items():
        dtype = names.get(getattr(value, "dtype", None))
        if dtype is None:
            raise _foreign(path, str(name), str(getattr(value, "dtype", type(value).__name__)))
        plain = value.detach().contiguous()
        raw = plain.view(torch.int16).numpy().view(np.uint16) if dtype == "BF16" else plain.numpy()
        tensors[str(name)] = Tensor(dtype, raw)
    return tensors


def _foreign(path: Path, name: str, dtype: str) -> ModelLoadError:
    return ModelLoadError(
        say(
            f"{str(path)!r}: {name} is {dtype}, expected F32, F16 or BF16",
            f"{str(path)!r}：{name} 的类型为 {dtype}，应为 F32、F16 或 BF16",
        ),
        hint=say("quantized weights cannot be changed; take the full ones", "量化权重无法处理，请使用完整权重"),
    )


class SafetensorsWriter:
    """Writes one safetensors file tensor by tensor; what will come must be known before."""

    def __init__(self, path: Path, plan: Sequence[tuple[str, str, tuple[int, ...]]]) -> None:
        """`plan` is the name, dtype and shape of each tensor in the order in which they will be written."""
        header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
        end = 0
        for name, dtype, shape in plan:
            begin, end = end, end + math.prod(shape) * item_bytes(dtype)
            header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        self._left = [(name, math.prod(shape) * item_bytes(dtype)) for name, dtype, shape in plan]
        self._file: BinaryIO = path.open("wb")
        self._file.write(struct.pack("<Q", len(text)) + text)

    def write(self, name: str, blocks: Iterable[NDArray[Any]]) -> None:
        """The next tensor, in blocks of rows as `encode` gives them."""
        expected, n_bytes = self._left.pop(0)
        assert name == expected, f"{name} comes before {expected}"
        for block in blocks:
            self._file.write(np.ascontiguousarray(block).data)
            n_bytes -= block.nbytes
        assert n_bytes == 0, f"{name} differs from its plan by {n_bytes} bytes"

    def close(self) -> None:
        """End the file."""
        self._file.close()
