"""What an answer rests on, for whoever shows it: its places numbered, its sentences with their numbers. Pure.

An answer is here in the form in which the controller's users get it (views.answer_dict).
"""

from typing import Any

from chinese_llm_rag.language import say

_QUOTE_CHARS = 80
_PLACES = {"page": "页", "slide": "幻灯片", "sheet": "工作表", "chapter": "章", "section": "节"}


def numbered(answer: dict[str, Any]) -> tuple[list[dict[str, Any]], list[tuple[dict[str, Any], list[int]]]]:
    """The places an answer rests on, each once, and its sentences with the numbers (from 1) of theirs."""
    places: dict[tuple[Any, ...], dict[str, Any]] = {}
    for citation in answer["citations"]:
        places.setdefault(_key(citation), citation)
    order = list(places)
    sentences = []
    for index, sentence in enumerate(answer["sentences"]):
        own = {order.index(_key(c)) + 1 for c in answer["citations"] if c["sentence"] == index}
        sentences.append((sentence, sorted(own)))
    return list(places.values()), sentences


def place_of(citation: dict[str, Any]) -> str:
    """Name and place of what is cited."""
    place = citation["place"]
    if place is not None:
        kind = say(place["kind"], _PLACES.get(place["kind"], place["kind"]))
        return say(f"{citation['name']}, {kind} {place['name']}", f"{citation['name']}，{kind} {place['name']}")
    first, last = citation["page_start"], citation["page_end"]
    pages = str(first) if first == last else f"{first}-{last}"
    return say(f"{citation['name']}, page {pages}", f"{citation['name']}，第 {pages} 页")


def sources_text(answer: dict[str, Any]) -> str:
    """What stands below an answer for a reader who sees nothing but text; empty where there is nothing to say."""
    if answer["refused"]:
        reason = answer["reason"]
        return say(f"\n\n(not answered: {reason})", f"\n\n（未作答：{reason}）") if reason else ""
    places, sentences = numbered(answer)
    lines = [f"[{number}] {place_of(place)}：“{shortened(place['text'])}”" for number, place in enumerate(places, 1)]
    unsupported = [shortened(sentence["text"]) for sentence, _ in sentences if not sentence["supported"]]
    if note := without_model(answer):
        lines.append(note)
    if unsupported:
        lines.append(say("without support in the documents: ", "文档中没有依据：") + " / ".join(unsupported))
    return "\n\n" + "\n".join([say("Sources:", "来源："), *lines]) if lines else ""


def without_model(answer: dict[str, Any]) -> str:
    """What a reader of quotations is told; empty where a model wrote the answer."""
    if answer.get("strategy") != "extractive":
        return ""
    return say("no model was asked: these are sentences of the documents", "未使用模型：以上是文档中的原句")


def shortened(text: str) -> str:
    """A text on one line, its end left out where it is long."""
    flat = " ".join(text.split())
    return flat if len(flat) <= _QUOTE_CHARS else f"{flat[: _QUOTE_CHARS - 1]}…"


def _key(citation: dict[str, Any]) -> tuple[Any, ...]:
    return citation["document"], citation["start"], citation["end"]
