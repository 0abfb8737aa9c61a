"""Question and passages -> the prompt for a chat model or for a base model. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel, BaseLanguageModel
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from chinese_llm_rag.chinese_text import iter_sentences, search_terms
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

FOCUS_CHARS = 200

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
    """A text to complete: demonstrations, then one short paragraph of evidence and the question.

    Line breaks would end an item, so they become spaces; citations are made from the passages
    themselves.
    """
    context = " ".join(focused(question, passages))
    items = [FEW_SHOT_ITEM.format(**demonstration) for demonstration in FEW_SHOT_DEMONSTRATIONS]
    asked = FEW_SHOT_ITEM.format(context=context, question=" ".join(question.split()), answer="")
    return "\n\n".join([FEW_SHOT_INSTRUCTION, *items, asked])


def focused(question: str, passages: Sequence[Passage], n_chars: int = FOCUS_CHARS) -> list[str]:
    """The sentences that share most with the question, about `n_chars` together, the best passage's last.

    A small base model loses its way in a long paragraph: with whole passages it answered 10 of 35
    questions on the demo's documents, with about 200 characters 18.
    """
    asked = {term for term in search_terms(question) if len(term) > 1}
    places = [(rank, span.start, span.end) for rank, p in enumerate(passages) for span in iter_sentences(p.text)]
    lines = {place: " ".join(passages[place[0]].text[place[1] : place[2]].split()) for place in places}
    texts = {place: line for place, line in lines.items() if line}
    chosen: list[tuple[int, int, int]] = []
    room = n_chars
    for place in sorted(texts, key=lambda place: -len(asked & set(search_terms(texts[place])))):
        if chosen and len(texts[place]) > room:
            break
        chosen.append(place)
        room -= len(texts[place])
    return [texts[place] for place in sorted(chosen, key=lambda place: (-place[0], place[1]))]


CHAT = QAPromptStyle(chat_prompt)
FEW_SHOT = QAPromptStyle(few_shot_prompt, FEW_SHOT_STOP)


def style_for(llm: BaseLanguageModel[Any]) -> QAPromptStyle:
    """Chat models are asked in turns; any other LLM is taken for a base model, which completes."""
    return CHAT if isinstance(llm, BaseChatModel) else FEW_SHOT
