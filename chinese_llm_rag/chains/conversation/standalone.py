"""A question that leans on what was said before -> the question as it stands by itself. By rules; pure, no model.

What a pronoun stands for is what the question before was about, or what its answer named where that asked who
or where. Where the rules find nothing to put in, both questions are asked as one.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from chinese_llm_rag.chains.conversation import phrases
from chinese_llm_rag.chains.conversation.leaning import POINTING, PRONOUN, Leaning, leaning, without_opening
from chinese_llm_rag.chains.exchange import Exchange

_LOOKED_BACK = 10  # exchanges: a topic older than that is not what is meant
_LONGEST_NAME = 12
_MARKS = "？?。.！!~…、，, "
_ASKS_WHO = re.compile(r"谁|哪位|什么人|何人")
_ASKS_WHERE = re.compile(r"哪里|哪儿|何处|何地|什么地方|哪个(?:城市|省|国家|地方|市|县)|哪(?:国|省|市)")
_SAYS = re.compile(r"(?:是|为|叫|由|在|于|即)")
_WHERE = re.compile(r"[这那](?:里|儿|边)")
_WHO = re.compile(r"[他她]")
_MORE = re.compile(r"还有|别的|其[他它余]|另外|补充|更多")
_THE_NOUN = re.compile(r"(?:该|[这那][个种款位家份本项条类样段笔场张]?)")
_ALSO = re.compile(r"也.{0,3}吗?$")


def standalone(question: str, history: Sequence[Exchange]) -> str:
    """The question as it stands by itself; as it is where it does so already, or nothing was said before."""
    how = leaning(question)
    known = with_queries(history)
    if how is None or not known:
        return question
    text = _without_opening(question)
    made = _BY_KIND[how](text, known)
    return f"{made}？" if question.strip().endswith(("？", "?")) else made


def with_queries(history: Sequence[Exchange]) -> list[Exchange]:
    """The last exchanges, each with its question as it stands by itself."""
    known: list[Exchange] = []
    for exchange in history[-_LOOKED_BACK:]:
        known.append(exchange if exchange.query else replace(exchange, query=standalone(exchange.question, known)))
    return known


def _without_opening(question: str) -> str:
    """The user's own letters, without polite words, 那么, and the mark at the end."""
    text = question.strip().strip(_MARKS)
    rest, _ = without_opening(phrases.simplified(text))
    return text[len(text) - len(rest) :]


def _before(known: Sequence[Exchange]) -> str:
    return known[-1].standing_alone.strip().strip(_MARKS)


def _topic(known: Sequence[Exchange]) -> str:
    """What the last question that was about something was about."""
    return next((topic for exchange in reversed(known) if (topic := phrases.topic_of(exchange.standing_alone))), "")


def _named_by_answer(known: Sequence[Exchange], asks: re.Pattern[str]) -> str:
    """The person or place that the last answer names, where its question asked for one; or ""."""
    last = known[-1]
    if last.refused or not asks.search(phrases.simplified(last.standing_alone)):
        return ""
    first = re.split(r"[，,。；;！!\n]", last.answer.strip())[0]
    name = _SAYS.split(first)[-1].strip()
    return name if 1 < len(name) <= _LONGEST_NAME else ""


def _together(text: str, known: Sequence[Exchange]) -> str:
    """Both questions as one."""
    return f"{_before(known)}，{text}"


def _of_topic(text: str, known: Sequence[Exchange], *, link: str = "") -> str:
    topic = _topic(known)
    return f"{topic}{link}{text}" if topic else _together(text, known)


def _in_place_of_topic(name: str, known: Sequence[Exchange]) -> str:
    """The question before, about something else."""
    topic, before = phrases.topic_of(known[-1].standing_alone), _before(known)
    return before.replace(topic, name, 1) if topic else f"{before}，{name}"


def _fragment(text: str, known: Sequence[Exchange]) -> str:
    body = text.removesuffix("呢").strip(_MARKS)
    plain = phrases.plain(body)
    which = phrases.which_of_several(plain)
    if (not phrases.content(plain) and not which) or re.match(r"如果|要是|假如|假设|万一", plain):
        return _together(text, known)
    if PRONOUN.search(plain) or POINTING.search(plain):
        return _pointed(text, body, known)
    if phrases.ends_with_attribute(plain):
        return _attribute(body, known)
    return _other_one(body, which[0][0], known) if which else _in_place_of_topic(body.removesuffix("的"), known)


def _pointed(text: str, body: str, known: Sequence[Exchange]) -> str:
    """它的保质期, 该公司的总部: of what was spoken of; 它呢 alone asks nothing."""
    plain = phrases.plain(body)
    if not phrases.content(POINTING.sub("", PRONOUN.sub("", plain))):
        return _together(text, known)
    return _pronoun(body, known) if PRONOUN.search(plain) else _pointing(body, known)


def _attribute(body: str, known: Sequence[Exchange]) -> str:
    """保质期, 第二年的租金: of what was spoken of, or in its place where that is something of the same kind."""
    plain, topic = phrases.plain(body), phrases.plain(_topic(known))
    owner = plain.rpartition("的")[0]
    if phrases.named(owner) or (topic and plain.startswith(topic)):
        return body
    before = _before(known)
    if not owner and (asked := re.search(rf"(?<=的)[^的，,]*{re.escape(body[-1])}(?=[是有为為]|$)", before)):
        return before[: asked.start()] + body + before[asked.end() :]
    if topic[-1:] == plain[-1:] or topic[:2] == plain[:2]:
        return _in_place_of_topic(body, known)
    return _of_topic(body, known, link="" if owner else "的")


def _other_one(body: str, which: str, known: Sequence[Exchange]) -> str:
    """The question before about another time, article or item: of the same kind where it names several."""
    before = _before(known)
    places = phrases.which_of_several(phrases.simplified(before))
    alike = [place for place in places if place[0][-1] == which[-1]] or places
    if not alike:
        return _of_topic(body, known)
    return before[: alike[0].start()] + body.removesuffix("的") + before[alike[0].end() :]


def _continuation(text: str, known: Sequence[Exchange]) -> str:
    plain = phrases.plain(text)
    also = _ALSO.search(plain)
    if also and phrases.content(plain[: also.start()]):
        return _in_place_of_topic(text[: also.start()], known)
    if phrases.content_beside_more(plain):
        return _of_topic(text, known, link="，")
    return f"{_before(known)}，还有哪些" if _MORE.search(plain) else f"请说明：{_before(known)}"


def _pronoun(text: str, known: Sequence[Exchange]) -> str:
    match = PRONOUN.search(phrases.simplified(text))
    person = _named_by_answer(known, _ASKS_WHO) if match and _WHO.match(match[0]) else ""
    name = person or _topic(known)
    if not match or not name:
        return _together(text, known)
    return text[: match.start()] + name + text[match.end() :]


def _pointing(text: str, known: Sequence[Exchange]) -> str:
    plain = phrases.simplified(text)
    topic = _topic(known)
    if (where := _WHERE.search(plain)) and (place := _named_by_answer(known, _ASKS_WHERE)):
        return text[: where.start()] + place + text[where.end() :]
    match = POINTING.search(plain)
    if not match or not topic:
        return _together(text, known)
    if match[0] == "其" and plain[match.end() : match.end() + 1] != "中":
        return f"{text[: match.start()]}{topic}的{text[match.end() :]}"
    if (pointed := _THE_NOUN.match(plain, match.start())) and not _WHERE.match(plain, match.start()):
        return _the_noun(text, pointed, topic) or _of_topic(text, known, link="，")
    return _together(text, known)


def _the_noun(text: str, pointed: re.Match[str], topic: str) -> str:
    """该公司 after a question about 华为公司: the name in place of both; "" where the topic is not one of these."""
    for length in (4, 3, 2, 1):
        noun = text[pointed.end() : pointed.end() + length]
        if noun and topic.endswith(noun):
            return text[: pointed.start()] + topic + text[pointed.end() + len(noun) :]
    return ""


def _ellipsis(text: str, known: Sequence[Exchange]) -> str:
    plain = phrases.simplified(text)
    head = plain.split("的")[0] if "的" in plain else plain
    start = phrases.asks(head)
    return _of_topic(
        text, known, link="的" if phrases.is_attribute(head[: start.start()].rstrip("是有") if start else head) else ""
    )


_BY_KIND: dict[Leaning, Callable[[str, Sequence[Exchange]], str]] = {
    "fragment": _fragment,
    "continuation": _continuation,
    "pronoun": _pronoun,
    "pointing": _pointing,
    "ellipsis": _ellipsis,
}
