"""Which models this machine could run now, what one needs, and whether it fits; nothing is loaded."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from chinese_llm_rag.models import PACKAGED
from chinese_llm_rag.settings import Settings

if TYPE_CHECKING:
    from chinese_llm_rag.doctor import ModelReport

NO_MODEL = "none"  # the key of doing without
QUOTING = "extractive"  # the strategy that needs no model


@dataclass(frozen=True, slots=True)
class ModelOption:
    """A model to choose.

    Attributes:
        key: what it is chosen by: a packaged model's name, or the path of a file.
        name: for the user.
        is_packaged: whether it comes with this program.
    """

    key: str
    name: str
    is_packaged: bool


def model_options(settings: Settings) -> list[ModelOption]:
    """The packaged models, then the GGUF files of the models folder, then the one in use if it is another."""
    unpacked = {model.file_name for model in PACKAGED}
    found = [ModelOption(model.name, model.name, is_packaged=True) for model in PACKAGED]
    folder = settings.models_folder
    files = sorted(folder.rglob("*.gguf")) if folder.is_dir() else []
    if settings.model_path is not None and settings.model_path not in files:
        files.append(settings.model_path)
    found += [ModelOption(str(f), f.stem, is_packaged=False) for f in files if f.name not in unpacked]
    return found


def settings_for(key: str, settings: Settings) -> dict[str, str | Path | None]:
    """The settings that choose a model, or none.

    Args:
        key: of a packaged model, a file, or NO_MODEL.
        settings: in force.
    """
    if key == NO_MODEL:
        return {"strategy": QUOTING}
    reading: dict[str, str | Path | None] = {"strategy": None} if settings.strategy == QUOTING else {}
    if any(model.name == key for model in PACKAGED):
        return {**reading, "model": key, "model_path": None}
    return {**reading, "model": None, "model_path": Path(key).expanduser()}


def report_on(key: str, settings: Settings) -> "ModelReport":
    """What a model is and needs. A packaged one is unpacked for that when first looked at.

    Raises:
        RagError: there is no such model, or it is damaged.
    """
    from chinese_llm_rag.doctor import inspect_model  # noqa: PLC0415  (heavy)
    from chinese_llm_rag.llms.packaged import packaged_model_path  # noqa: PLC0415

    packaged = next((model for model in PACKAGED if model.name == key), None)
    if packaged is not None:
        path = packaged_model_path(key, settings.models_folder)
        return inspect_model(path, context_window=settings.context_window or packaged.default_window)
    return inspect_model(Path(key).expanduser(), context_window=settings.context_window)
