"""LangChain messages as what a chat template can render: plain text by role, roles in turn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from langchain_core.messages import AIMessage, BaseMessage, ChatMessage, HumanMessage, SystemMessage

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say

Role = Literal["system", "user", "assistant"]
_TEXT_BLOCKS = ("text", "text-plain")


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side said."""

    role: Role
    text: str


def conversation(messages: Sequence[BaseMessage]) -> list[Turn]:
    """The messages as turns; neighbours with one role become one turn, joined by a newline.

    System messages are gathered at the start, since no chat format has a place for them elsewhere.

    Raises:
        ConfigError: no message at all, a role that chat formats do not know (tool calls), or content
            that is not text.
    """
    if not messages:
        raise ConfigError(say("no messages were given", "没有给出任何消息"), setting="messages")
    turns = [Turn(_role(message), _text(message)) for message in messages]
    turns.sort(key=lambda turn: turn.role != "system")  # stable: the order of the others is kept
    merged: list[Turn] = []
    for turn in turns:
        if merged and merged[-1].role == turn.role:
            merged[-1] = Turn(turn.role, f"{merged[-1].text}\n{turn.text}")
        else:
            merged.append(turn)
    return merged


def _role(message: BaseMessage) -> Role:
    if isinstance(message, SystemMessage):
        return "system"
    if isinstance(message, HumanMessage):
        return "user"
    if isinstance(message, AIMessage):
        return "assistant"
    if isinstance(message, ChatMessage) and message.role in ("system", "user", "assistant"):
        return message.role  # type: ignore[return-value]  # narrowed by the line above, which mypy cannot see
    kind = message.role if isinstance(message, ChatMessage) else message.type
    raise ConfigError(
        say(
            f"message of kind {kind!r}: expected system, user or assistant",
            f"不支持 {kind!r} 类型的消息，应为 system、user 或 assistant",
        ),
        setting="messages",
    )


def _text(message: BaseMessage) -> str:
    if isinstance(message.content, list):
        foreign = [b for b in message.content if isinstance(b, dict) and b.get("type") not in _TEXT_BLOCKS]
        if foreign:
            kind = foreign[0].get("type")
            raise ConfigError(
                say(
                    f"content of type {kind!r}: this model reads text only", f"不支持 {kind!r} 内容：该模型只能读取文本"
                ),
                setting="messages",
            )
    return str(message.text)
