"""LangChain's standard suites for ChatChineseAlpaca over the server inside xllamacpp."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from chinese_llm_rag.llms.alpaca import ChatChineseAlpaca
from chinese_llm_rag.llms.backend import Backend
from chinese_llm_rag.llms.xllamacpp import XllamacppBackend

small_models = sys.modules["small_models"]


@pytest.fixture(scope="module")
def quoting(vocabulary, tmp_path_factory: pytest.TempPathFactory) -> Iterator[XllamacppBackend]:
    """A model that wants to say a quotation mark and then end: under a JSON schema it comes to an end soon."""
    weights = small_models.scripted_weights([*vocabulary.byte_tokens('"'), small_models.EOS])
    path: Path = tmp_path_factory.mktemp("quoting") / "quoting.gguf"
    backend = XllamacppBackend(small_models.write_gguf(path, vocabulary, weights))
    yield backend
    backend.close()


class _Xllamacpp:
    """Text in, text out, one loaded model, JSON schemas; no tools, nothing over a network."""

    backend: Backend

    @pytest.fixture(autouse=True)
    def _give_backend(self, quoting: Backend) -> None:
        self.backend = quoting

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatChineseAlpaca

    @property
    def standard_chat_model_params(self) -> dict[str, Any]:
        # No timeout, retries or key: those belong to a service, and unknown arguments are refused.
        return {"temperature": 0, "max_tokens": 200, "stop": []}

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"backend": self.backend, "chat_template": "alpaca2"}

    @property
    def supports_model_override(self) -> bool:
        return False


class TestXllamacppUnit(_Xllamacpp, ChatModelUnitTests):
    pass


class TestXllamacppIntegration(_Xllamacpp, ChatModelIntegrationTests):
    pass
