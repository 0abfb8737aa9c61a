"""LangChain's standard suites for ChatChineseAlpaca over a real llama.cpp server, in another process."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from chinese_llm_rag.llms.alpaca import ChatChineseAlpaca
from chinese_llm_rag.llms.backend import Backend
from chinese_llm_rag.llms.server import ServerBackend

small_models = sys.modules["small_models"]
local_llama_server = sys.modules["local_llama_server"]

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@pytest.fixture(scope="module")
def quoting_server(vocabulary, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerBackend]:
    """A model that wants to say a quotation mark and then end: under a JSON schema it comes to an end soon."""
    weights = small_models.scripted_weights([*vocabulary.byte_tokens('"'), small_models.EOS])
    path = small_models.write_gguf(tmp_path_factory.mktemp("quoting") / "quoting.gguf", vocabulary, weights)
    with local_llama_server.running(path) as address:
        backend = ServerBackend(address, api_key=local_llama_server.SECRET)
        yield backend
        backend.close()


class _Server:
    """Text in, text out, one model, JSON schemas; no tools. Key and patience are the backend's."""

    backend: Backend

    @pytest.fixture(autouse=True)
    def _give_backend(self, quoting_server: Backend) -> None:
        self.backend = quoting_server

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatChineseAlpaca

    @property
    def standard_chat_model_params(self) -> dict[str, Any]:
        return {"temperature": 0, "max_tokens": 200, "stop": []}

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"backend": self.backend, "chat_template": "alpaca2"}

    @property
    def supports_model_override(self) -> bool:
        return False


class TestServerUnit(_Server, ChatModelUnitTests):
    pass


class TestServerIntegration(_Server, ChatModelIntegrationTests):
    pass
