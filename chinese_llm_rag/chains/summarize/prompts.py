"""A text, or partial summaries of one -> the prompt that asks for a summary. Pure.

What is summarized is fenced as data, and the signs of the fence in it are written with other brackets, so that a
document can give no orders by ending it.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from langchain_core.language_models import BaseChatModel, BaseLanguageModel
from langchain_core.messages import HumanMessage, SystemMessage

from chinese_llm_rag.chains.model_room import PromptText
from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say
from chinese_llm_rag.packing.passages import FENCE_BEGIN, FENCE_END, quoted
from chinese_llm_rag.prompts import (
    SUMMARY_COMPLETION,
    SUMMARY_FORMS,
    SUMMARY_REDUCE,
    SUMMARY_REFINE,
    SUMMARY_SYSTEM,
    SUMMARY_USER,
)

SummaryForm = Literal["paragraph", "bullets"]
MIN_CHARS = 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a summary is to be.

    Attributes:
        n_chars: about how long, in characters.
        form: a paragraph, or bullet points.
        focus: what it is to be about most; "" for the whole.

    Raises:
        ConfigError: a length below MIN_CHARS, or an unknown form.
    """

    n_chars: int = 400
    form: SummaryForm = "paragraph"
    focus: str = ""

    def __post_init__(self) -> None:
        if self.n_chars < MIN_CHARS:
            raise ConfigError(
                say(
                    f"length={self.n_chars!r}, expected at least {MIN_CHARS}",
                    f"length={self.n_chars!r}，应至少为 {MIN_CHARS}",
                ),
                setting="length",
            )
        if self.form not in get_args(SummaryForm):
            expected = ", ".join(get_args(SummaryForm))
            raise ConfigError(
                say(f"form={self.form!r}: expected {expected}", f"form={self.form!r} 无效，应为 {expected}"),
                setting="form",
            )

    @property
    def order(self) -> str:
        """The wish in words, for a prompt."""
        focus = f"，着重说明与“{' '.join(self.focus.split())}”有关的内容" if self.focus.strip() else ""
        return SUMMARY_FORMS[self.form].format(n_chars=self.n_chars) + focus


@dataclass(frozen=True, slots=True)
class SummaryPrompts:
    """The prompts for one kind of model."""

    is_chat: bool

    @classmethod
    def of(cls, llm: BaseLanguageModel[Any]) -> "SummaryPrompts":
        """Chat models are asked in turns; any other LLM is taken for a base model, which completes."""
        return cls(isinstance(llm, BaseChatModel))

    @property
    def stop(self) -> list[str]:
        """Where an answer ends."""
        return [] if self.is_chat else ["\n\n"]

    def whole(self, text: str, wanted: Wanted) -> PromptText:
        """Asks for a summary of a text."""
        return self._asking(SUMMARY_USER, text, wanted)

    def reduce(self, parts: list[str], wanted: Wanted) -> PromptText:
        """Asks for one summary of the summaries of consecutive parts."""
        return self._asking(SUMMARY_REDUCE, "\n\n".join(parts), wanted)

    def refine(self, summary: str, text: str, wanted: Wanted) -> PromptText:
        """Asks for a summary that takes in what follows on what was summarized."""
        if not self.is_chat:
            return self._asking(SUMMARY_REDUCE, f"{summary}\n\n{text}", wanted)
        user = SUMMARY_REFINE.format(summary=quoted(summary), text=_fenced(text), order=wanted.order)
        return [SystemMessage(SUMMARY_SYSTEM), HumanMessage(user)]

    def _asking(self, template: str, text: str, wanted: Wanted) -> PromptText:
        if self.is_chat:
            user = template.format(text=_fenced(text), order=wanted.order)
            return [SystemMessage(SUMMARY_SYSTEM), HumanMessage(user)]
        return SUMMARY_COMPLETION.format(text=quoted(text), order=wanted.order)


def _fenced(text: str) -> str:
    return f"{FENCE_BEGIN}\n{quoted(text)}\n{FENCE_END}"
