"""Real servers over the packaged model, the demo's documents, and small models made by the tests."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

_TESTS = Path(__file__).parents[1]


def _load(path: Path) -> ModuleType:
    """A module under its own name; test folders are no packages."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


_load(Path(__file__).parent / "browser.py")
local_app_server = _load(_TESTS / "local_app_server.py")
small_models = _load(_TESTS / "small_models.py")
_TEMPLATE = "{% for m in messages %}[INST] {{ m.content }} [/INST]{% endfor %}"


@pytest.fixture(scope="session")
def serving():
    """Starts servers; see local_app_server."""
    return local_app_server.serving


@pytest.fixture(scope="session")
def demo_pdfs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The demo's two documents by name."""
    script = _load(_TESTS.parent / "demo" / "build_documents.py")
    return {path.name: path.read_bytes() for path in script.build_documents(tmp_path_factory.mktemp("demo-pdfs"))}


@pytest.fixture(scope="session")
def served(serving, demo_pdfs, tmp_path_factory: pytest.TempPathFactory) -> Iterator["local_app_server.LocalServer"]:
    """A server over the packaged model and a base of the demo's documents, in English."""
    with serving(tmp_path_factory.mktemp("served")) as server:
        for name, data in demo_pdfs.items():
            assert server.put(name, data)["state"] == "done"
        server.wait_for_model()
        yield server


@pytest.fixture(scope="session")
def chat_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GGUF file with random weights and a chat template: it says anything, and says it the same way again."""
    return small_models.write_gguf(
        tmp_path_factory.mktemp("small") / "small-chat.gguf",
        small_models.train_vocabulary(),
        small_models.random_weights(1),
        chat_template=_TEMPLATE,
        context_length=4096,
    )
