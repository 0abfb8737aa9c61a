"""A prompt letter by letter, as the model reads it."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from langchain_core.language_models import BaseLanguageModel
from langchain_core.messages import BaseMessage

from chinese_llm_rag.chains.model_room import PromptText, count_tokens


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
    return RenderedPrompt(_text(llm, prompt), count_tokens(llm, prompt) + 1)


def _text(llm: BaseLanguageModel[Any], prompt: PromptText) -> str:
    if isinstance(prompt, str):
        return prompt
    text = llm.render_prompt(prompt) if isinstance(llm, RendersPrompts) else None
    return "\n".join(f"<{message.type}>\n{message.text}" for message in prompt) if text is None else text
