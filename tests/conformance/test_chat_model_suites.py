"""LangChain's standard suites for ChatChineseAlpaca, over a scripted backend and over llama.cpp."""

import itertools
import sys

import pytest
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from chinese_llm_rag.llms.backend import Backend
from chinese_llm_rag.testing import ScriptedBackend

chat_claims = sys.modules["chat_claims"]


class _Scripted(chat_claims.PlainChatClaims):  # a script keeps to no schema, and claims no such ability
    @pytest.fixture(autouse=True)
    def _give_backend(self) -> None:
        self.backend = ScriptedBackend(itertools.cycle(["你好！how are you? 很高兴见到你。"]))


class _LlamaCpp(chat_claims.ChatClaims):
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
