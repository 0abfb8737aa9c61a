"""The command line in this process, and servers that are played by a small HTTP server on this machine."""

import importlib.util
import io
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType

import pytest

from chinese_llm_rag import cli, wiring
from chinese_llm_rag.llms.alpaca import ChatChineseAlpaca
from chinese_llm_rag.llms.server import ServerBackend
from chinese_llm_rag.testing import HashEmbeddings, ScriptedBackend


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


@pytest.fixture
def clrag(monkeypatch, capsys):
    """Run a command; its exit status, stdout and stderr. Vectors are hashed, replies are scripted."""
    monkeypatch.setattr(wiring, "build_embeddings", lambda _settings, _setup=None: HashEmbeddings())
    replies: list[str] = []
    backend = ScriptedBackend(iter(lambda: replies.pop(0), None))
    monkeypatch.setattr(wiring, "build_llm", lambda _: ChatChineseAlpaca(backend=backend))

    def run(*arguments: str, stdin: str = "", says: tuple[str, ...] = ()) -> tuple[int, str, str]:
        replies[:] = says
        monkeypatch.setattr(sys, "argv", ["clrag", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run
