"""Hugging Face folder -> GGUF, for the llama architecture with a sentencepiece tokenizer.

Written tensor by tensor with the gguf package. llama.cpp rotates neighbouring pairs of a head where transformers
rotates its halves, so the rows of the query and key projections change places. What the file then says of its
positions is read again and compared.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from chinese_llm_rag._optional import optional_import
from chinese_llm_rag.errors import ConfigError, ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.gguf.header import read_gguf_header
from chinese_llm_rag.llms.hf.config import HfFolder, is_lora_folder, read_hf_folder
from chinese_llm_rag.llms.rope import RopeSpec, yarn_attention_factor
from chinese_llm_rag.llms.rope_in_file import rope_of_gguf
from chinese_llm_rag.model_tools.gguf_metadata import add_metadata, add_rope, add_vocabulary
from chinese_llm_rag.model_tools.tensor_names import gguf_name, heads_of
from chinese_llm_rag.model_tools.tensors import Tensor, encode, item_bytes, open_tensors, stored_type
from chinese_llm_rag.model_tools.vocabulary import read_vocabulary
from chinese_llm_rag.models import FAMILY_ARCHITECTURE, identify

Dtype = Literal["f32", "f16", "bf16"]
OnProgress = Callable[[str, int, int], None]  # the tensor, bytes done, bytes in all

_STORED: dict[Dtype, str] = {"f32": "F32", "f16": "F16", "bf16": "BF16"}
_FILE_TYPE: dict[Dtype, int] = {"f32": 0, "f16": 1, "bf16": 32}
_SPARE_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class _Out:
    """A tensor to write: its name in GGUF, how it is stored, and the heads its rows divide into, if any."""

    name: str
    tensor: Tensor
    stored: str
    heads: int | None

    @property
    def n_bytes(self) -> int:
        return self.tensor.raw.size * item_bytes(self.stored)

    def values(self) -> NDArray[Any]:
        same = self.tensor.dtype == self.stored
        values = self.tensor.raw if same else encode(self.tensor.rows(), self.stored)
        return np.ascontiguousarray(values if self.heads is None else paired_rows(values, self.heads))


@dataclass(frozen=True, slots=True)
class Converted:
    """What a conversion made."""

    path: Path
    name: str
    n_tensors: int
    size_bytes: int
    context_length: int
    rope: str

    def to_dict(self) -> dict[str, Any]:
        """The form in which `models convert --json` prints it."""
        return {
            "file": str(self.path),
            "name": self.name,
            "n_tensors": self.n_tensors,
            "size_bytes": self.size_bytes,
            "context_length": self.context_length,
            "rope": self.rope,
        }


def convert_to_gguf(
    folder: Path, out: Path, *, dtype: Dtype = "f16", on_progress: OnProgress | None = None
) -> Converted:
    """Write the model of a folder as one GGUF file.

    Args:
        folder: full weights, config.json and tokenizer.model.
        out: the file to make; must not exist.
        dtype: of the matrices; vectors stay float32.
        on_progress: told after every tensor.

    Raises:
        ConfigError: `out` exists.
        ModelLoadError: another architecture, a quantized or incomplete folder, a RoPE that GGUF cannot state.
        MissingDependencyError: the gguf package is not installed.
    """
    if out.exists():
        raise ConfigError(
            say(f"{str(out)!r} exists", f"{str(out)!r} 已存在"),
            setting="out",
            origin="flag --out",
            hint=say("name a new file, or remove that one", "请换一个文件名，或先删除它"),
        )
    gguf = optional_import("gguf", extra="convert")
    source = _read(folder)
    vocabulary = read_vocabulary(folder, source.shape.vocabulary_size)
    tensors = _plan(source, dtype)
    _require_room(out, tensors)
    part = out.with_name(f"{out.name}.part")
    name = _name_of(folder)
    writer = gguf.GGUFWriter(part, FAMILY_ARCHITECTURE)
    try:
        add_metadata(writer, source, name, _FILE_TYPE[dtype])
        add_rope(gguf, writer, source.rope)
        add_vocabulary(writer, vocabulary)
        _write_tensors(gguf, writer, tensors, on_progress or (lambda *_: None))
        writer.close()
        _check(part, source, len(tensors))
        part.replace(out)
    except BaseException:
        writer.close()
        part.unlink(missing_ok=True)
        raise
    return Converted(out, name, len(tensors), out.stat().st_size, source.rope.trained_window, str(source.rope))


def _read(folder: Path) -> HfFolder:
    if is_lora_folder(folder):
        raise ModelLoadError(
            say(f"{str(folder)!r} is a LoRA package", f"{str(folder)!r} 是 LoRA"),
            hint=say("merge it with its base first: clrag models merge", "请先与基座合并：clrag models merge"),
        )
    source = read_hf_folder(folder)
    if source.architecture != FAMILY_ARCHITECTURE:
        raise ModelLoadError(
            say(
                f"{str(folder)!r} is of the architecture {source.architecture!r}, expected {FAMILY_ARCHITECTURE!r}",
                f"{str(folder)!r} 的架构为 {source.architecture!r}，仅支持 {FAMILY_ARCHITECTURE!r}",
            ),
            hint=say("convert it with llama.cpp's own script", "请使用 llama.cpp 自带的转换脚本"),
        )
    if source.quantization:
        raise ModelLoadError(
            say(
                f"{str(folder)!r} is quantized ({source.quantization})",
                f"{str(folder)!r} 是量化模型（{source.quantization}）",
            ),
            hint=say("take the full weights, convert them, then clrag models quantize", "请使用完整权重转换后再量化"),
        )
    if source.rope.method not in ("none", "linear", "yarn"):
        raise ModelLoadError(
            say(
                f"{str(folder)!r} has rope {source.rope}, which a GGUF file cannot state",
                f"{str(folder)!r} 的 RoPE（{source.rope}）无法写入 GGUF",
            ),
            hint=say(
                "remove rope_scaling from config.json and set RoPE when loading", "请去掉 rope_scaling，加载时设置"
            ),
        )
    return source


def _plan(source: HfFolder, dtype: Dtype) -> list[_Out]:
    """What will be written; vectors in float32, as llama.cpp wants them."""
    return [
        _Out(
            new_name,
            tensor,
            "F32" if len(tensor.shape) == 1 else _STORED[dtype],
            heads_of(name, source.shape.heads, source.shape.kv_heads),
        )
        for name, tensor in open_tensors(source.weight_files).items()
        if (new_name := gguf_name(name, source.path))  # empty for what llama.cpp computes itself
    ]


def _name_of(folder: Path) -> str:
    model = identify(str(folder.absolute()))
    return model.name if model else folder.absolute().name


def _write_tensors(gguf: Any, writer: Any, tensors: Sequence[_Out], on_progress: OnProgress) -> None:  # noqa: ANN401
    for out in tensors:
        kind = gguf.GGMLQuantizationType[out.stored]
        writer.add_tensor_info(out.name, out.tensor.shape, stored_type(out.stored), out.n_bytes, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    total, done = sum(out.n_bytes for out in tensors), 0
    for out in tensors:
        writer.write_tensor_data(out.values())
        done += out.n_bytes
        on_progress(out.name, done, total)


def paired_rows(weights: NDArray[Any], n_heads: int) -> NDArray[Any]:
    """Rows of a projection with the two halves of each head interleaved: row i and row d/2 + i become neighbours."""
    half = weights.shape[0] // n_heads // 2
    return weights.reshape(n_heads, 2, half, *weights.shape[1:]).swapaxes(1, 2).reshape(weights.shape)


def _require_room(out: Path, tensors: Sequence[_Out]) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    needed = sum(tensor.n_bytes for tensor in tensors)
    free = shutil.disk_usage(out.parent).free
    if needed + _SPARE_BYTES > free:
        raise ModelLoadError(
            say(
                f"{needed / 1e9:.1f} GB are needed at {str(out.parent)!r}, {free / 1e9:.1f} GB are free",
                f"{str(out.parent)!r} 需要 {needed / 1e9:.1f} GB，可用 {free / 1e9:.1f} GB",
            ),
            hint=say("make room there, or name another --out", "请清理空间，或换用其他 --out"),
        )


def _check(path: Path, source: HfFolder, n_tensors: int) -> None:
    """Read what the file says, and compare the angles that it gives positions with those that were meant."""
    header = read_gguf_header(path)
    written = rope_of_gguf(header.metadata, vocabulary_size=source.shape.vocabulary_size)
    same = written.method == source.rope.method and np.allclose(_numbers(written), _numbers(source.rope), rtol=1e-6)
    if not same or len(header.tensors) != n_tensors:
        raise ModelLoadError(
            say(
                f"{str(path)!r} failed its check: rope {written}, expected {source.rope}",
                f"{str(path)!r} 未通过检查：RoPE 为 {written}，应为 {source.rope}",
            ),
            hint=say("nothing was kept", "结果已删除"),
        )


def _numbers(spec: RopeSpec) -> list[float]:
    attention = (spec.attention_factor or yarn_attention_factor(spec.factor)) if spec.method == "yarn" else 1.0
    return [spec.factor, spec.base, spec.original_window, spec.beta_fast, spec.beta_slow, attention]
