"""What any chain asks of a model it is given: its window, and how many tokens a prompt has by its own count."""

from typing import Any

from langchain_core.language_models import BaseChatModel, BaseLanguageModel
from langchain_core.messages import BaseMessage

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say
from chinese_llm_rag.packing import Window

PromptText = str | list[BaseMessage]


def window_of(
    llm: BaseLanguageModel[Any], builder: str, *, context_window: int | None = None, max_tokens: int | None = None
) -> Window:
    """The window of a model; what is given goes before what the model says of itself.

    Args:
        llm: the model.
        builder: the function that was given it, for the hint.
        context_window: tokens of prompt and answer together.
        max_tokens: room kept for the answer.

    Raises:
        ConfigError: one of them is not known.
    """
    given = {"context_window": context_window, "max_tokens": max_tokens}
    found: dict[str, int] = {}
    for name, value in given.items():
        number = getattr(llm, name, None) if value is None else value
        if not isinstance(number, int) or number < 1:
            raise ConfigError(
                say(f"{name} of {type(llm).__name__} is not known", f"不知道 {type(llm).__name__} 的 {name}"),
                setting=name,
                hint=f"{builder}(..., {name}=...)",
            )
        found[name] = number
    return Window(**found)


def count_tokens(llm: BaseLanguageModel[Any], prompt: PromptText) -> int:
    """Tokens of a prompt by the model's own tokenizer, without BOS."""
    if isinstance(prompt, str):
        return llm.get_num_tokens(prompt)
    if isinstance(llm, BaseChatModel):
        return llm.get_num_tokens_from_messages(prompt)
    return sum(llm.get_num_tokens(message.text) for message in prompt)
