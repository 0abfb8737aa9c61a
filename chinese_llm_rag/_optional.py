"""Import an optional package when it is first used, or say which extra brings it."""

import importlib
import importlib.util
from types import ModuleType

from chinese_llm_rag.errors import MissingDependencyError


def optional_import(module: str, *, extra: str) -> ModuleType:
    """The imported module.

    Args:
        module: dotted name, for example "llama_cpp".
        extra: the extra of this distribution that installs it.

    Raises:
        MissingDependencyError: the package is not installed. An ImportError from inside an
            installed package is a broken installation and passes through unchanged.
    """
    top_level = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != top_level:
            raise
        raise MissingDependencyError(top_level, extra) from error


def require_installed(module: str, *, extra: str) -> None:
    """Say at once that a package is missing, without the time that importing it takes.

    Args:
        module: its top-level name.
        extra: the extra of this distribution that installs it.

    Raises:
        MissingDependencyError: the package is not installed.
    """
    if importlib.util.find_spec(module) is None:
        raise MissingDependencyError(module, extra)
