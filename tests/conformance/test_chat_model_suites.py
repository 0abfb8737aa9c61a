"""LangChain's standard suites for ChatChineseAlpaca, over a scripted backend and over llama.cpp."""

import itertools
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from chinese_llm_rag.llms.alpaca import ChatChineseAlpaca
from chinese_llm_rag.llms.backend import Backend
from chinese_llm_rag.testing import ScriptedBackend


class _Claims:
    """What this chat model claims: text in, text out, one loaded model, no tools, nothing over a network."""

    backend: Backend

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


class _Scripted(_Claims):
    @property
    def has_structured_output(self) -> bool:
        return False  # a script keeps to no schema, and claims no such ability

    @pytest.fixture(autouse=True)
    def _give_backend(self) -> None:
        self.backend = ScriptedBackend(itertools.cycle(["你好！how are you? 很高兴见到你。"]))


class _LlamaCpp(_Claims):
    @property
    def standard_chat_model_params(self) -> dict[str, Any]:
        return {**super().standard_chat_model_params, "max_tokens": 200}  # room for an object

    @pytest.fixture(autouse=True)
    def _give_backend(self, quoting_backend: Backend) -> None:
        self.backend = quoting_backend


class TestScriptedUnit(_Scripted, ChatModelUnitTests):
    pass


class TestScriptedIntegration(_Scripted, ChatModelIntegrationTests):
    pass


class TestLlamaCppUnit(_LlamaCpp, ChatModelUnitTests):
    pass


class TestLlamaCppIntegration(_LlamaCpp, ChatModelIntegrationTests):
    pass
