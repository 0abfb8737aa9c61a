"""Tell a GGUF file from what people give by mistake, before a runtime is even loaded."""

from pathlib import Path

from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.language import say

_MAGIC = b"GGUF"
_OLD_MAGICS = (b"lmgg", b"fmgg", b"tjgg")  # ggml, ggmf and ggjt, little-endian
_LFS_POINTER = b"vers"  # "version https://git-lfs..."


def check_gguf(path: Path) -> None:
    """Return when the file begins as a GGUF file does.

    Raises:
        ModelLoadError: there is no such file, it cannot be read, or it is something else.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except FileNotFoundError as error:
        raise ModelLoadError(
            say(f"no model file at {str(path)!r}", f"找不到模型文件 {str(path)!r}"),
            hint=say("check the path, or set another model_path", "请检查路径，或设置其他 model_path"),
        ) from error
    except OSError as error:
        raise ModelLoadError(
            say(
                f"cannot read the model file {str(path)!r}: {error.strerror}",
                f"无法读取模型文件 {str(path)!r}：{error.strerror}",
            ),
            hint=say("model_path must name one GGUF file", "model_path 应指向一个 GGUF 文件"),
        ) from error
    if magic != _MAGIC:
        raise ModelLoadError(
            say(
                f"{str(path)!r} is not a GGUF file: it begins with {magic!r}, expected {_MAGIC!r}",
                f"{str(path)!r} 不是 GGUF 文件：开头是 {magic!r}，应为 {_MAGIC!r}",
            ),
            hint=_hint(magic),
        )


def _hint(magic: bytes) -> str:
    if magic in _OLD_MAGICS:
        return say("this is an older llama.cpp format: convert it to GGUF", "这是 llama.cpp 的旧格式，请先转换为 GGUF")
    if magic == _LFS_POINTER:
        return say("this looks like a Git LFS pointer: fetch the file itself", "这似乎是 Git LFS 指针，请下载文件本身")
    return say("download the file again, or convert the model to GGUF", "请重新下载该文件，或将模型转换为 GGUF")
