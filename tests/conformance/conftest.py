"""Models that are made once a session: random and scripted weights."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from chinese_llm_rag.compute import limit_pools, thread_budget
from chinese_llm_rag.llms.huggingface import TransformersBackend
from chinese_llm_rag.llms.llamacpp import LlamaCppBackend
from chinese_llm_rag.llms.xllamacpp import XllamacppBackend

# Before any test imports torch or llama_cpp: OpenMP reads this once, and pools that spin slow each other down tenfold.
limit_pools(thread_budget())


def _load(name: str) -> ModuleType:
    """A module beside this folder under its own name; test folders are no packages."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[1] / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


small_models = _load("small_models")
_load("chat_claims")
local_llama_server = _load("local_llama_server")


@pytest.fixture(scope="session")
def vocabulary() -> "small_models.SmallVocabulary":
    return small_models.train_vocabulary()


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("small-models")


@pytest.fixture(scope="session")
def random_model(vocabulary, model_folder: Path) -> Path:
    return small_models.write_gguf(model_folder / "random.gguf", vocabulary, small_models.random_weights(11))


@pytest.fixture(scope="session")
def random_backend(random_model: Path) -> Iterator[LlamaCppBackend]:
    backend = LlamaCppBackend(random_model)
    yield backend
    backend.close()


@pytest.fixture(scope="session")
def random_folder(vocabulary, model_folder: Path) -> Path:
    """The random model as a Hugging Face folder."""
    return small_models.write_folder(model_folder / "random", vocabulary, small_models.random_weights(11))


@pytest.fixture(scope="session")
def random_transformers(random_folder: Path) -> Iterator[TransformersBackend]:
    backend = TransformersBackend(random_folder)
    yield backend
    backend.close()


@pytest.fixture(scope="session")
def random_xllamacpp(random_model: Path) -> Iterator[XllamacppBackend]:
    backend = XllamacppBackend(random_model)
    yield backend
    backend.close()


@pytest.fixture(scope="session")
def quoting_backend(vocabulary, model_folder: Path) -> Iterator[LlamaCppBackend]:
    """A model that wants to say a quotation mark and then end: under a JSON schema it comes to an end soon."""
    weights = small_models.scripted_weights([*vocabulary.byte_tokens('"'), small_models.EOS])
    backend = LlamaCppBackend(small_models.write_gguf(model_folder / "quoting.gguf", vocabulary, weights))
    yield backend
    backend.close()


@pytest.fixture
def speaking_backend(vocabulary, tmp_path: Path) -> Iterator[Callable[..., LlamaCppBackend]]:
    """Makes a real llama.cpp backend whose model says the given tokens and then ends its turn."""
    opened: list[LlamaCppBackend] = []

    def make(tokens: list[int], **options) -> LlamaCppBackend:
        path = tmp_path / f"scripted-{len(opened)}.gguf"
        weights = small_models.scripted_weights([*tokens, small_models.EOS])
        small_models.write_gguf(path, vocabulary, weights)
        opened.append(LlamaCppBackend(path, **options))
        return opened[-1]

    yield make
    for backend in opened:
        backend.close()
