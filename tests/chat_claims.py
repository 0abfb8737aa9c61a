"""What ChatChineseAlpaca claims in LangChain's standard suites, whatever the runtime."""

from typing import Any

from langchain_core.language_models import BaseChatModel

from chinese_llm_rag.llms.alpaca import ChatChineseAlpaca
from chinese_llm_rag.llms.backend import Backend


class ChatClaims:
    """Text in, text out, one loaded model, JSON schemas; no tools. A subclass gives the backend."""

    backend: Backend

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatChineseAlpaca

    @property
    def standard_chat_model_params(self) -> dict[str, Any]:
        # No timeout, retries or key: those belong to a service, and unknown arguments are refused. 200 tokens are
        # room for an object.
        return {"temperature": 0, "max_tokens": 200, "stop": []}

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"backend": self.backend, "chat_template": "alpaca2"}

    @property
    def supports_model_override(self) -> bool:
        return False


class PlainChatClaims(ChatClaims):
    """The same without JSON schemas."""

    @property
    def standard_chat_model_params(self) -> dict[str, Any]:
        return {"temperature": 0, "max_tokens": 24, "stop": []}

    @property
    def has_structured_output(self) -> bool:
        return False
