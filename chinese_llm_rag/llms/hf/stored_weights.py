"""The weight files of a Hugging Face folder: which there are, and what their headers say. No weight is read."""

import json
import struct
from collections import Counter
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.language import say

_LARGEST_JSON = 64 << 20
_DTYPES_BY_BITS = {
    64: ("F64", "I64", "U64"),
    32: ("F32", "I32", "U32"),
    16: ("F16", "BF16", "I16", "U16"),
    8: ("I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2"),
    4: ("F4",),
}
_BITS = {name: bits for bits, names in _DTYPES_BY_BITS.items() for name in names}


def weight_files(path: Path) -> tuple[Path, ...]:
    """The files that hold a folder's weights, by name.

    Raises:
        ModelLoadError: there are none, or the index names some that are missing.
    """
    for single, index, pattern in (
        ("model.safetensors", "model.safetensors.index.json", "*.safetensors"),
        ("pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model*.bin"),
    ):
        if (path / single).is_file():
            return (path / single,)
        if (path / index).is_file():
            return _indexed(path, path / index)
        if files := sorted(file for file in path.glob(pattern) if not file.name.startswith("adapter_")):
            return tuple(files)
    raise ModelLoadError(say(f"{str(path)!r} has no weight files", f"{str(path)!r} 中没有权重文件"), hint=fetch_again())


def _indexed(path: Path, index: Path) -> tuple[Path, ...]:
    mapped = read_json(index).get("weight_map")
    if not isinstance(mapped, Mapping):
        raise damaged(index, "weight_map", mapped)
    files = sorted({path / Path(str(file)).name for file in mapped.values()})
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise ModelLoadError(
            say(
                f"{str(path)!r} lacks {len(missing)} of {len(files)} weight files: {', '.join(missing)}",
                f"{str(path)!r} 缺少 {len(files)} 个权重文件中的 {len(missing)} 个：{', '.join(missing)}",
            ),
            hint=fetch_again(),
        )
    return tuple(files)


def count_weights(files: tuple[Path, ...]) -> tuple[int, Counter[str]]:
    """Bytes of the weights and how they divide by dtype. Pickled files count by their size."""
    total, dtypes = 0, Counter[str]()
    for file in files:
        if file.suffix != ".safetensors":
            total += file.stat().st_size
            continue
        for dtype, shape in safetensors_header(file).values():
            n_bytes = prod(shape) * _BITS.get(dtype, 32) // 8
            total += n_bytes
            dtypes[dtype] += n_bytes
    return total, dtypes


def safetensors_header(path: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Name to dtype and shape of every tensor, from the file's first bytes.

    Raises:
        ModelLoadError: it is no safetensors file, or it is shorter than its header says.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
        raw = file.read(length) if 0 < length <= min(_LARGEST_JSON, size) else b""
    try:
        header = {name: item for name, item in json.loads(raw).items() if name != "__metadata__"}
        end = max((int(item["data_offsets"][1]) for item in header.values()), default=0)
        tensors = {name: (str(t["dtype"]), tuple(int(n) for n in t["shape"])) for name, t in header.items()}
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ModelLoadError(
            say(
                f"{str(path)!r} is not a safetensors file: it begins with {head!r}",
                f"{str(path)!r} 不是 safetensors 文件：开头是 {head!r}",
            ),
            hint=fetch_again(),
        ) from error
    if size < 8 + length + end:
        raise ModelLoadError(
            say(
                f"{str(path)!r} is incomplete: {size} bytes, expected {8 + length + end}",
                f"{str(path)!r} 不完整：只有 {size} 字节，应为 {8 + length + end}",
            ),
            hint=fetch_again(),
        )
    return tensors


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        ModelLoadError: the file is missing, damaged, or holds something else.
    """
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(_LARGEST_JSON))  # cut off, a larger one is no JSON
    except FileNotFoundError as error:
        raise ModelLoadError(say(f"{str(path)!r} is missing", f"缺少 {str(path)!r}"), hint=fetch_again()) from error
    except (ValueError, RecursionError, OSError) as error:
        raise ModelLoadError(
            say(f"{str(path)!r} cannot be read as JSON: {error}", f"无法将 {str(path)!r} 读作 JSON：{error}"),
            hint=fetch_again(),
        ) from error
    if not isinstance(content, dict):
        raise damaged(path, "content", type(content).__name__)
    return content


def damaged(path: Path, key: str, value: object) -> ModelLoadError:
    """The error for a value that no model has."""
    return ModelLoadError(
        say(f"{str(path)!r}: {key} is {value!r}, which no model has", f"{str(path)!r}：{key} 为 {value!r}，无效"),
        hint=fetch_again(),
    )


def fetch_again() -> str:
    """The hint for a folder that is not whole."""
    return say("fetch the model again: its folder must be complete", "请重新下载模型，文件夹必须完整")
