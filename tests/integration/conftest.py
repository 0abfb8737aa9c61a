"""Servers that are played by a small HTTP server on this machine."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType

import pytest

from chinese_llm_rag.llms.server import ServerBackend


def _load(name: str) -> ModuleType:
    """A module beside this folder under its own name; test folders are no packages."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[1] / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


played_server = _load("played_server")


@pytest.fixture
def play() -> Iterator[Callable[[dict], "played_server.Played"]]:
    """Starts a server with these answers by path."""
    with ExitStack() as stack:
        yield lambda answers: stack.enter_context(played_server.playing(answers))


@pytest.fixture
def opened() -> Iterator[Callable[..., ServerBackend]]:
    """Makes backends that are closed at the end."""
    backends: list[ServerBackend] = []

    def make(played: "played_server.Played", *args, **options) -> ServerBackend:
        backends.append(ServerBackend(played.url, *args, **options))
        return backends[-1]

    yield make
    for backend in backends:
        backend.close()
