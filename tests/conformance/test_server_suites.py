"""LangChain's standard suites for ChatChineseAlpaca over a real llama.cpp server, in another process."""

import sys
from collections.abc import Iterator

import pytest
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from chinese_llm_rag.llms.backend import Backend
from chinese_llm_rag.llms.server import ServerBackend

chat_claims = sys.modules["chat_claims"]
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


class _Server(chat_claims.ChatClaims):
    @pytest.fixture(autouse=True)
    def _give_backend(self, quoting_server: Backend) -> None:
        self.backend = quoting_server


class TestServerUnit(_Server, ChatModelUnitTests):
    pass


class TestServerIntegration(_Server, ChatModelIntegrationTests):
    pass
