"""Question and passages -> the prompt for a chat model or for a base model. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel, BaseLanguageModel
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from chinese_llm_rag.packing import format_context
from chinese_llm_rag.prompts import (
    FEW_SHOT_DEMONSTRATIONS,
    FEW_SHOT_INSTRUCTION,
    FEW_SHOT_ITEM,
    FEW_SHOT_STOP,
    QA_SYSTEM,
    QA_USER,
)
from chinese_llm_rag.schema import Passage

PromptText = str | list[BaseMessage]


@dataclass(frozen=True, slots=True)
class QAPromptStyle:
    """How a kind of model is asked: how the prompt is built, and where its answer ends."""

    build: Callable[[str, Sequence[Passage]], PromptText]
    stop: tuple[str, ...] = ()


def chat_prompt(question: str, passages: Sequence[Passage]) -> PromptText:
    """A system turn and a user turn with the numbered passages."""
    user = QA_USER.format(context=format_context(passages), question=question.strip())
    return [SystemMessage(QA_SYSTEM), HumanMessage(user)]


def few_shot_prompt(question: str, passages: Sequence[Passage]) -> PromptText:
    """A text to complete: demonstrations, then the passages as one paragraph and the question.

    The best passage comes last, next to the question. Line breaks would end an item, so they become
    spaces; citations are made from the passages themselves.
    """
    context = " ".join(" ".join(passage.text.split()) for passage in reversed(passages))
    items = [FEW_SHOT_ITEM.format(**demonstration) for demonstration in FEW_SHOT_DEMONSTRATIONS]
    asked = FEW_SHOT_ITEM.format(context=context, question=" ".join(question.split()), answer="")
    return "\n\n".join([FEW_SHOT_INSTRUCTION, *items, asked])


CHAT = QAPromptStyle(chat_prompt)
FEW_SHOT = QAPromptStyle(few_shot_prompt, FEW_SHOT_STOP)


def style_for(llm: BaseLanguageModel[Any]) -> QAPromptStyle:
    """Chat models are asked in turns; any other LLM is taken for a base model, which completes."""
    return CHAT if isinstance(llm, BaseChatModel) else FEW_SHOT
