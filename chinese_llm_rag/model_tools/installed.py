"""What has been fetched, and where it lies: one folder a repository below the models folder, with a record.

The record is written last. A folder without one is unfinished, whatever files it holds.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say
from chinese_llm_rag.model_tools.selection import normal_type, quantization_of
from chinese_llm_rag.models import family_model, lora_package

RECORD = "fetched.json"
GGUF_SUFFIX = "-gguf"
_FULL = "full"


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """A file that was fetched and checked; `checksum` as the hub states it."""

    path: str
    size_bytes: int
    checksum: str


def folder_of(name: str, models_folder: Path, *, gguf: bool) -> Path:
    """The folder of a model's GGUF files, or of its full weights or adapter."""
    return models_folder / (f"{name}{GGUF_SUFFIX}" if gguf else name)


def read_record(folder: Path) -> dict[str, FetchedFile]:
    """The files that were fetched into a folder, by path; none where the record is missing or damaged."""
    try:
        rows = json.loads((folder / RECORD).read_text(encoding="utf-8"))["files"]
        return {row["path"]: FetchedFile(row["path"], row["size_bytes"], row["checksum"]) for row in rows}
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def read_origin(folder: Path) -> tuple[str, str]:
    """The source and the repository that a folder's files were fetched from.

    Raises:
        ConfigError: its record does not say.
    """
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return str(record["source"]), str(record["repository"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ConfigError(
            say(f"{str(folder)!r} has no record of what was fetched", f"{str(folder)!r} 中没有下载记录"),
            setting="model",
            hint=say("fetch it again: clrag models fetch NAME", "请重新下载：clrag models fetch 名称"),
        ) from error


def write_record(folder: Path, source: str, repository: str, files: Mapping[str, FetchedFile]) -> None:
    """Note what lies in a folder and where it came from; all at once or not at all."""
    value: dict[str, Any] = {
        "source": source,
        "repository": repository,
        "files": [asdict(files[path]) for path in sorted(files)],
    }
    new = folder / f"{RECORD}.{os.getpid()}.new"
    new.write_text(json.dumps(value, ensure_ascii=False, indent=2), encoding="utf-8")
    new.replace(folder / RECORD)


def is_here(folder: Path, file: FetchedFile) -> bool:
    """Whether a recorded file still lies there with its size."""
    path = folder / file.path
    return path.is_file() and path.stat().st_size == file.size_bytes


def installed_model(name: str, models_folder: Path) -> Path | None:
    """The GGUF file, or the folder of full weights, of a model that was fetched.

    Args:
        name: a name of the family, and where several forms of it are here, the one meant: `name:Q4_K_M`
            for a quantization, `name:full` for the full weights.
        models_folder: where fetched models lie.

    Returns:
        None when nothing of this name (in the form asked for) has been fetched, or `name` is not the family's.

    Raises:
        ConfigError: several forms are here and `name` does not say which; the hint lists them.
    """
    stem, _, form = name.partition(":")
    if family_model(stem) is None:
        return None
    forms = _forms(stem, models_folder)
    if form:
        return forms.get(_FULL if form.lower() == _FULL else normal_type(form))
    if len(forms) > 1:
        listed = ", ".join(f"{stem}:{kind}" for kind in forms)
        raise ConfigError(
            say(f"several forms of {stem!r} are here", f"本机有 {stem!r} 的多种格式"),
            setting="model",
            hint=say(f"name one of: {listed}", f"请指定其一：{listed}"),
        )
    return next(iter(forms.values()), None)


def installed_adapter(name: str, models_folder: Path) -> Path | None:
    """The folder of a LoRA package that was fetched."""
    if lora_package(name) is None:
        return None
    folder = folder_of(name, models_folder, gguf=False)
    record = read_record(folder)
    return folder if record and all(is_here(folder, file) for file in record.values()) else None


def _forms(stem: str, models_folder: Path) -> dict[str, Path]:
    forms: dict[str, Path] = {}
    folder = folder_of(stem, models_folder, gguf=True)
    for path, file in sorted(read_record(folder).items()):
        kind = quantization_of(path)
        if kind is not None and is_here(folder, file):
            forms.setdefault(kind, folder / path)  # of several shards the first, which names the others
    folder = folder_of(stem, models_folder, gguf=False)
    record = read_record(folder)
    if record and all(is_here(folder, file) for file in record.values()):
        forms[_FULL] = folder
    return forms
