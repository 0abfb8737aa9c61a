"""How many tokens an answer took, whatever chain and kind of model it came from: told by LangChain's callbacks."""

from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.outputs import LLMResult


class UsageCounter(BaseCallbackHandler):
    """Adds up the tokens of all calls of language models below a chain.

    Attributes:
        usage: by the names of LangChain's UsageMetadata.
    """

    def __init__(self) -> None:
        self.usage = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}

    def on_llm_end(self, response: LLMResult, **_: Any) -> None:  # noqa: ANN401  (LangChain's)
        """A call has ended."""
        for generations in response.generations:
            for generation in generations:
                message = getattr(generation, "message", None)
                told = (generation.generation_info or {}).get("usage_metadata")
                for name, count in (told or getattr(message, "usage_metadata", None) or {}).items():
                    if name in self.usage:
                        self.usage[name] += count
