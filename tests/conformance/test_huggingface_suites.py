"""LangChain's standard suites for ChatChineseAlpaca over transformers."""

from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from chinese_llm_rag.llms.alpaca import ChatChineseAlpaca
from chinese_llm_rag.llms.backend import Backend


class _Transformers:
    """Text in, text out, one loaded model; no tools, no JSON schema, nothing over a network."""

    backend: Backend

    @pytest.fixture(autouse=True)
    def _give_backend(self, random_transformers: Backend) -> None:
        self.backend = random_transformers

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatChineseAlpaca

    @property
    def standard_chat_model_params(self) -> dict[str, Any]:
        # No timeout, retries or key: those belong to a service, and unknown arguments are refused.
        return {"temperature": 0, "max_tokens": 24, "stop": []}

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"backend": self.backend, "chat_template": "alpaca2"}

    @property
    def supports_model_override(self) -> bool:
        return False

    @property
    def has_structured_output(self) -> bool:
        return False


class TestTransformersUnit(_Transformers, ChatModelUnitTests):
    pass


class TestTransformersIntegration(_Transformers, ChatModelIntegrationTests):
    pass
