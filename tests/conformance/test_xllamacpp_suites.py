"""LangChain's standard suites for ChatChineseAlpaca over the server inside xllamacpp."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from chinese_llm_rag.llms.backend import Backend
from chinese_llm_rag.llms.xllamacpp import XllamacppBackend

chat_claims = sys.modules["chat_claims"]
small_models = sys.modules["small_models"]


@pytest.fixture(scope="module")
def quoting(vocabulary, tmp_path_factory: pytest.TempPathFactory) -> Iterator[XllamacppBackend]:
    """A model that wants to say a quotation mark and then end: under a JSON schema it comes to an end soon."""
    weights = small_models.scripted_weights([*vocabulary.byte_tokens('"'), small_models.EOS])
    path: Path = tmp_path_factory.mktemp("quoting") / "quoting.gguf"
    backend = XllamacppBackend(small_models.write_gguf(path, vocabulary, weights))
    yield backend
    backend.close()


class _Xllamacpp(chat_claims.ChatClaims):
    @pytest.fixture(autouse=True)
    def _give_backend(self, quoting: Backend) -> None:
        self.backend = quoting


class TestXllamacppUnit(_Xllamacpp, ChatModelUnitTests):
    pass


class TestXllamacppIntegration(_Xllamacpp, ChatModelIntegrationTests):
    pass
