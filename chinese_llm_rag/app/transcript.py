"""A conversation as Markdown: answers with numbered sources below, sentences without support marked. Pure."""

import re
from collections.abc import Sequence

from chinese_llm_rag.app.conversations import Conversation, Exchange
from chinese_llm_rag.app.rendering import numbered, place_of, without_model
from chinese_llm_rag.language import say

# What could begin a heading, a list, a quote, a link, a picture, a tag, code or emphasis.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&])")
_LINE_START = re.compile(r"^(\s*)([-+=]|\d+[.)])", re.MULTILINE)


def markdown_of(conversation: Conversation) -> str:
    """The whole conversation."""
    title = say("Conversation", "对话")
    parts = [f"# {title}: {escaped(conversation.kb)}"]
    parts.extend(part for exchange in conversation.exchanges for part in _exchange(exchange))
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """A text of which Markdown makes nothing but itself."""
    return _LINE_START.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", text))


def _exchange(exchange: Exchange) -> Sequence[str]:
    question = f"## {escaped(' '.join(exchange.question.split()))}"
    if exchange.state == "failed":
        return question, escaped(exchange.trouble)
    answer = exchange.answer
    if answer is None or answer["refused"] or not answer["sentences"]:
        note = (answer or {}).get("reason") or (say("(stopped)", "（已停止）") if exchange.state == "stopped" else "")
        return tuple(filter(None, (question, escaped(exchange.text), escaped(note))))
    places, sentences = numbered(answer)
    unsupported = say(" (no support found)", "（没有找到依据）")
    text = "".join(
        escaped(sentence["text"])
        + "".join(f" \\[{n}\\]" for n in numbers)
        + ("" if sentence["supported"] else unsupported)
        for sentence, numbers in sentences
    )
    sources = "\n".join(
        f"{number}. {escaped(place_of(place))}: “{escaped(' '.join(place['text'].split()))}”"
        for number, place in enumerate(places, 1)
    )
    return tuple(filter(None, (question, text, escaped(without_model(answer)), sources)))
