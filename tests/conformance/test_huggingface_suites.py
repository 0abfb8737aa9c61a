"""LangChain's standard suites for ChatChineseAlpaca over transformers."""

import sys

import pytest
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from chinese_llm_rag.llms.backend import Backend

chat_claims = sys.modules["chat_claims"]


class _Transformers(chat_claims.PlainChatClaims):
    @pytest.fixture(autouse=True)
    def _give_backend(self, random_transformers: Backend) -> None:
        self.backend = random_transformers


class TestTransformersUnit(_Transformers, ChatModelUnitTests):
    pass


class TestTransformersIntegration(_Transformers, ChatModelIntegrationTests):
    pass
