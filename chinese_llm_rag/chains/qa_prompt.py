"""Question and passages -> the prompt for a chat model or for a base model. Pure."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from langchain_core.language_models import BaseChatModel, BaseLanguageModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from chinese_llm_rag.chains.exchange import Exchange
from chinese_llm_rag.chains.model_room import PromptText
from chinese_llm_rag.chinese_text import iter_sentences, search_terms
from chinese_llm_rag.packing import format_context
from chinese_llm_rag.packing.passages import FENCE_BEGIN, FENCE_END
from chinese_llm_rag.prompts import (
    FAMILY_SYSTEM,
    FAMILY_SYSTEM_DETAILED,
    FEW_SHOT_DEMONSTRATIONS,
    FEW_SHOT_INSTRUCTION,
    FEW_SHOT_ITEM,
    FEW_SHOT_STOP,
    QA_DETAILED,
    QA_EVIDENCE,
    QA_SHORT,
    QA_SYSTEM,
    REFINE_DETAILED,
    REFINE_SHORT,
)
from chinese_llm_rag.schema import Passage

FOCUS_CHARS = 200

Detail = Literal["short", "detailed"]

# The labels of a few-shot item, which a document must not be able to write.
_LABEL = re.compile(r"(段落|问题|答案)[：:]")


class BuildPrompt(Protocol):
    """Question and numbered passages -> a prompt."""

    def __call__(
        self,
        question: str,
        passages: Sequence[Passage],
        *,
        history: Sequence[Exchange] = (),
        detail: Detail = "short",
    ) -> PromptText:
        """The prompt; what of `history` or `detail` a kind of model has no use for is left out."""
        ...


@dataclass(frozen=True, slots=True)
class QAPromptStyle:
    """How a kind of model is asked: how prompts are built, and where its answer ends.

    `refine` builds the prompt that goes over an answer with more evidence; None where the model cannot.
    `extracts` says that it reads short extracts, so that a prompt holds any number of passages.
    """

    build: BuildPrompt
    stop: tuple[str, ...] = ()
    refine: Callable[[str, Sequence[Passage], str, Detail], PromptText] | None = None
    extracts: bool = False


def chat_prompt(
    question: str,
    passages: Sequence[Passage],
    *,
    history: Sequence[Exchange] = (),
    detail: Detail = "short",
) -> PromptText:
    """A system turn, the evidence, the earlier turns, and the question.

    The evidence opens the first user turn: it stays where it is while a conversation about it goes on.
    """
    template = QA_SHORT if detail == "short" else QA_DETAILED
    asked = [exchange.question for exchange in history] + [template.format(question=question.strip())]
    turns: list[BaseMessage] = [HumanMessage(f"{_evidence(passages)}\n\n{asked[0]}")]
    for exchange, following in zip(history, asked[1:], strict=True):
        turns += [AIMessage(exchange.answer), HumanMessage(following)]
    return [SystemMessage(_system(detail)), *turns]


def refine_prompt(question: str, passages: Sequence[Passage], answer: str, detail: Detail = "short") -> PromptText:
    """The question again with more evidence and the answer so far."""
    template = REFINE_SHORT if detail == "short" else REFINE_DETAILED
    user = template.format(question=question.strip(), answer=answer.strip())
    return [SystemMessage(_system(detail)), HumanMessage(f"{_evidence(passages)}\n\n{user}")]


def _system(detail: Detail) -> str:
    return f"{FAMILY_SYSTEM if detail == 'short' else FAMILY_SYSTEM_DETAILED}\n{QA_SYSTEM}"


def _evidence(passages: Sequence[Passage]) -> str:
    return QA_EVIDENCE.format(begin=FENCE_BEGIN, context=format_context(passages), end=FENCE_END)


def few_shot_prompt(
    question: str,
    passages: Sequence[Passage],
    *,
    history: Sequence[Exchange] = (),  # noqa: ARG001  # a base model holds no conversation
    detail: Detail = "short",  # noqa: ARG001  # and answers in the manner of its demonstrations
) -> PromptText:
    """A text to complete: demonstrations, then one short paragraph of evidence and the question.

    Line breaks would end an item, so they become spaces, and the labels of an item lose their colon;
    citations are made from the passages themselves.
    """
    context = _LABEL.sub(r"\1 ", " ".join(focused(question, passages)))
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


CHAT = QAPromptStyle(chat_prompt, refine=refine_prompt)
FEW_SHOT = QAPromptStyle(few_shot_prompt, FEW_SHOT_STOP, extracts=True)


def style_for(llm: BaseLanguageModel[Any]) -> QAPromptStyle:
    """Chat models are asked in turns; any other LLM is taken for a base model, which completes."""
    return CHAT if isinstance(llm, BaseChatModel) else FEW_SHOT
