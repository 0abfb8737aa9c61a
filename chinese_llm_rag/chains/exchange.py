"""What was said before: exchanges of a question and its answer, in the forms in which callers have them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say
from chinese_llm_rag.prompts import REFUSAL

_REFUSAL_STEM = REFUSAL.rstrip("。")


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question, its answer, and the question as it stands by itself ("" where nobody has made it so)."""

    question: str
    answer: str
    query: str = ""

    @property
    def standing_alone(self) -> str:
        """The question as it stands by itself, as far as that is known."""
        return self.query or self.question

    @property
    def refused(self) -> bool:
        """Whether the answer was that the documents do not say."""
        return not self.answer.strip() or self.answer.startswith(_REFUSAL_STEM)


def exchanges(history: Sequence[Any]) -> tuple[Exchange, ...]:
    """Exchanges out of exchanges, (question, answer) pairs, or LangChain's messages; oldest first.

    A question that was not answered is left out.

    Raises:
        ConfigError: a turn is none of these.
    """
    found: list[Exchange] = []
    question: str | None = None
    for turn in history:
        if isinstance(turn, Exchange):
            found.append(turn)
        elif isinstance(turn, HumanMessage):
            question = str(turn.text)
        elif isinstance(turn, AIMessage):
            if question is not None:
                found.append(Exchange(question, str(turn.text)))
            question = None
        elif not isinstance(turn, BaseMessage):
            found.append(_pair(turn))
    return tuple(found)


def _pair(turn: object) -> Exchange:
    if isinstance(turn, tuple | list) and len(turn) == 2 and all(isinstance(text, str) for text in turn):
        return Exchange(turn[0], turn[1])
    raise ConfigError(
        say(
            f"history holds {turn!r}, expected Exchange, (question, answer) or messages",
            f"history 中的 {turn!r} 无效，应为 Exchange、（问题，回答）或消息",
        ),
        setting="history",
    )
