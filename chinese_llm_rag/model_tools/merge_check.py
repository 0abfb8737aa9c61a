"""Whether a merged model on disk is what it should be: read again, and computed again another way."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.hf.config import read_hf_folder
from chinese_llm_rag.model_tools.merge_plan import Weight
from chinese_llm_rag.model_tools.tensors import open_tensors

_SAMPLED_ROWS = 8
_TOLERANCE = 1e-5
# Half the distance of neighbouring values, relative to the value: what storing costs.
_ROUNDING = {"F64": 0.0, "F32": 0.0, "F16": 2.0**-11, "BF16": 2.0**-8}
_SMALLEST_HALF = 2.0**-25  # half the smallest step of float16, below which rounding is absolute


def check_merged(folder: Path, weights: Mapping[str, Weight], vocabulary_size: int) -> float:
    """Read the folder again and compare.

    Names, shapes and dtypes of all weights; some rows of every weight with base + scale · B·A in float64.

    Returns:
        The largest difference found, beyond what the dtype's rounding costs.

    Raises:
        ModelLoadError: something differs.
    """
    described = read_hf_folder(folder)
    if described.shape.vocabulary_size != vocabulary_size:
        raise _wrong(folder, "vocab_size", described.shape.vocabulary_size, vocabulary_size)
    written = open_tensors(described.weight_files)
    if written.keys() != weights.keys():
        raise _wrong(folder, "weights", len(written), len(weights))
    largest = 0.0
    for name, weight in weights.items():
        found = written[name]
        if (found.shape, found.dtype) != (weight.shape, weight.dtype):
            raise _wrong(folder, name, (found.shape, found.dtype), (weight.shape, weight.dtype))
        # The first row, the last, and some between.
        rows = sorted({round(place * (weight.shape[0] - 1) / (_SAMPLED_ROWS - 1)) for place in range(_SAMPLED_ROWS)})
        expected = _expected(weight, rows)
        stored = np.stack([found.rows(row, row + 1)[0] for row in rows]).astype(np.float64)
        allowed = np.abs(expected) * _ROUNDING[weight.dtype] + _SMALLEST_HALF
        difference = float(np.max(np.abs(stored - expected) - allowed, initial=0.0))
        if not difference <= _TOLERANCE:  # also when it is not a number
            raise _wrong(folder, name, f"{difference:.2g} off", f"<= {_TOLERANCE:g}")
        largest = max(largest, difference)
    return largest


def _expected(weight: Weight, rows: list[int]) -> NDArray[np.float64]:
    values = np.stack([weight.start.rows(row, row + 1)[0] for row in rows]).astype(np.float64)
    for adapter, module in weight.additions:
        pair = adapter.pairs[module]
        a, b = pair.a.rows().astype(np.float64), pair.b.rows().astype(np.float64)
        for place, row in enumerate(rows):
            product = np.einsum("r,or->o", a[:, row], b) if pair.transposed else np.einsum("r,ri->i", b[row], a)
            values[place] += pair.scale * product
    return values


def _wrong(folder: Path, what: str, found: object, expected: object) -> ModelLoadError:
    return ModelLoadError(
        say(
            f"the merged model in {str(folder)!r} failed its check: {what} is {found}, expected {expected}",
            f"合并结果 {str(folder)!r} 未通过检查：{what} 为 {found}，应为 {expected}",
        ),
        hint=say("nothing was kept; the disk or an input may be damaged", "结果已删除；磁盘或输入文件可能已损坏"),
    )
