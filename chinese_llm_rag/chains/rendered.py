"""A prompt letter by letter, as the model reads it."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from langchain_core.language_models import BaseChatModel, BaseLanguageModel
from langchain_core.messages import BaseMessage

from chinese_llm_rag.chains.effects import PromptText


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """The text of a prompt and its tokens, BOS included."""

    text: str
    n_tokens: int


@runtime_checkable
class RendersPrompts(Protocol):
    """A chat model that shows what its template makes of messages."""

    def render_prompt(self, messages: list[BaseMessage]) -> str | None:
        """The text the model reads; None where a server renders it."""
        ...


def rendered(llm: BaseLanguageModel[Any], prompt: PromptText) -> RenderedPrompt:
    """The prompt as text; turns by role where the model's template is not known."""
    if isinstance(prompt, str):
        return RenderedPrompt(prompt, llm.get_num_tokens(prompt) + 1)
    text = llm.render_prompt(prompt) if isinstance(llm, RendersPrompts) else None
    if text is None:
        text = "\n".join(f"<{message.type}>\n{message.text}" for message in prompt)
    if isinstance(llm, BaseChatModel):
        return RenderedPrompt(text, llm.get_num_tokens_from_messages(prompt) + 1)
    return RenderedPrompt(text, llm.get_num_tokens(text) + 1)
