"""GGUF -> smaller GGUF, by llama.cpp's own quantization."""

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chinese_llm_rag._optional import optional_import
from chinese_llm_rag.compute import thread_budget
from chinese_llm_rag.errors import ConfigError, ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.gguf.header import read_gguf_header
from chinese_llm_rag.llms.llama.log import capture_log, take_errors
from chinese_llm_rag.model_tools.selection import normal_type

# Those that need no importance matrix.
TYPES = (
    *("Q2_K", "Q3_K_S", "Q3_K_M", "Q3_K_L", "Q4_0", "Q4_1", "Q4_K_S", "Q4_K_M", "Q5_0", "Q5_1", "Q5_K_S", "Q5_K_M"),
    *("Q6_K", "Q8_0", "IQ4_NL", "IQ4_XS", "F16", "BF16"),
)
_WHOLE_TYPES = {"F32", "F16", "BF16", "F64"}


@dataclass(frozen=True, slots=True)
class QuantizedFile:
    """What a quantization made."""

    path: Path
    type: str
    size_bytes: int
    source_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """The form in which `models quantize --json` prints it."""
        return {
            "file": str(self.path),
            "type": self.type,
            "size_bytes": self.size_bytes,
            "source_bytes": self.source_bytes,
        }


def quantize_gguf(source: Path, out: Path, quantization: str, *, n_threads: int | None = None) -> QuantizedFile:
    """Write a GGUF file in another type.

    Args:
        source: a file in f32, f16 or bf16.
        out: the file to make; must not exist.
        quantization: one of TYPES; Q4_K is Q4_K_M.
        n_threads: all cores by default.

    Raises:
        ConfigError: an unknown type, or `out` exists.
        ModelLoadError: `source` is damaged or quantized already, or llama.cpp refused.
        MissingDependencyError: llama-cpp-python is not installed.
    """
    kind = normal_type(quantization)
    if kind not in TYPES:
        raise ConfigError(
            say(f"type={quantization!r} is unknown", f"未知类型 type={quantization!r}"),
            setting="type",
            origin="flag --type",
            hint=say(f"one of {', '.join(TYPES)}", f"可选：{'、'.join(TYPES)}"),
        )
    if out.exists():
        raise ConfigError(
            say(f"{str(out)!r} exists", f"{str(out)!r} 已存在"),
            setting="out",
            hint=say("name a new file, or remove that one", "请换一个文件名，或先删除它"),
        )
    header = read_gguf_header(source)
    lossy = sorted({tensor.type_name for tensor in header.tensors} - _WHOLE_TYPES)
    if lossy:
        raise ModelLoadError(
            say(
                f"{str(source)!r} is quantized already ({', '.join(lossy)})",
                f"{str(source)!r} 已是量化文件（{'、'.join(lossy)}）",
            ),
            hint=say("take the f16 file: quantizing twice loses more", "请使用 f16 文件；重复量化损失更大"),
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f"{out.name}.part")
    try:
        _run(source, part, kind, thread_budget(n_threads))
        read_gguf_header(part)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return QuantizedFile(out, kind, out.stat().st_size, source.stat().st_size)


def _run(source: Path, part: Path, kind: str, n_threads: int) -> None:
    llama_cpp = optional_import("llama_cpp", extra="llamacpp")
    capture_log(llama_cpp)
    take_errors()
    llama_cpp.llama_backend_init()
    settings = llama_cpp.llama_model_quantize_default_params()
    settings.nthread = n_threads
    settings.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{kind}")
    failed = llama_cpp.llama_model_quantize(os.fsencode(source), os.fsencode(part), ctypes.byref(settings))
    if failed:
        raise ModelLoadError(
            say(
                f"llama.cpp could not quantize {str(source)!r}: {take_errors() or failed}",
                f"llama.cpp 无法量化 {str(source)!r}：{take_errors() or failed}",
            ),
            hint=say(
                "is it a whole model in f32, f16 or bf16, and is there room?",
                "请确认文件完整、为 f32/f16/bf16，且空间足够",
            ),
        )
