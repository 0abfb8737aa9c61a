"""Messages become turns, or a clear error."""

import pytest
from langchain_core.messages import AIMessage, ChatMessage, HumanMessage, SystemMessage, ToolMessage

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.llms.conversation import Turn, conversation


def test_roles_are_taken_over_and_the_order_is_kept() -> None:
    messages = [
        HumanMessage("一"),
        AIMessage("二"),
        ChatMessage("三", role="user"),
        ChatMessage("四", role="assistant"),
    ]
    assert conversation(messages) == [
        Turn("user", "一"),
        Turn("assistant", "二"),
        Turn("user", "三"),
        Turn("assistant", "四"),
    ]


def test_system_messages_come_first_and_together() -> None:
    assert conversation([HumanMessage("一"), SystemMessage("甲"), SystemMessage("乙")]) == [
        Turn("system", "甲\n乙"),
        Turn("user", "一"),
    ]


def test_text_blocks_are_joined() -> None:
    message = HumanMessage([{"type": "text", "text": "天"}, "地", {"type": "text", "text": "人"}])
    assert conversation([message]) == [Turn("user", "天地人")]


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([], "no messages"),
        ([ToolMessage("42", tool_call_id="1")], "'tool'"),
        ([ChatMessage("x", role="judge")], "'judge'"),
        ([HumanMessage([{"type": "image_url", "image_url": {"url": "data:,"}}])], "'image_url'"),
    ],
)
def test_what_a_chat_format_cannot_say_is_refused(messages, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        conversation(messages)
