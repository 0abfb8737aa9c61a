"""A question that asks two things -> questions that ask one each. Pure; by rules, so it does only what is plain.

Knows how Chinese joins things, and no grammar: what it makes is searched for beside the question itself, never
in its place.
"""

import re
from collections.abc import Iterator

from chinese_llm_rag.chinese_text import HAN

# Longer words first: what is left without them is what the question is about.
_ASKS = re.compile(
    r"什么(?:时候|地方|样)?|为何|[何][时地处人年]|怎么[样办]?|怎样|如何|多少[个名元钱天年次人]?|多[久大长高远]"
    r"|哪(?:一?[个些里儿年位种家部条国]|)|几[个名天年次种位]?|谁|是否|能否|有没有|是不是|能不能|吗(?=[？?]|$)"
)
_ENDS_ASKING = re.compile(r"[？?]\s*$")
_SENTENCE = re.compile(r"[^？?。！!；;\n]+[？?。！!；;\n]*")
_CLAUSE = re.compile(r"[^，,]+[，,]?|[，,]")
_JOINS_CLAUSES = re.compile(r"以及|还有|并且|另外|此外|同时")
# Not in 和平 or 共和国.
_AND = re.compile(r"(?<![共柔温缓饱总调亲平议讲])和(?![平谐睦缓气蔼声弦服])|以及")
_TITLE = re.compile(r"《[^《》]{1,40}》")
_REFERS = re.compile(r"^[，,、]?(?:那么?|请问|而且?|并)?(?:它们?|他们?|她们?|其)的?")
# What certainly does not belong to the second of two things that are named side by side.
_AFTER_SECOND = re.compile(r"的|分别|各自|各|两|都|是|有|在|\d|[，,。？?！!；;]|$")
# What the first of them is certainly behind.
_BEFORE_FIRST = re.compile(rf"(?:^|[的在年是由]|[^{HAN[1:-1]}])((?:(?![的在年是由]){HAN}){{2,8}})$")
_THING = re.compile(rf"{HAN}{{2,8}}")
_LONGEST_THING = 12
_MOST_PARTS = 4


def split_question(question: str) -> list[str]:
    """The questions that are asked together in one, in order; empty where it asks one thing, or that is not plain.

    Each stands by itself as far as rules can make it: what the first part names is put before a later one that
    only refers to it.
    """
    parts = _asked_in_turn(question.strip())
    parts = [one for part in parts for one in (_side_by_side(part) or [part])]
    parts = list(dict.fromkeys(parts))
    return parts[:_MOST_PARTS] if len(parts) > 1 else []


def _asked_in_turn(question: str) -> list[str]:
    """Sentences and clauses that each ask something; the question alone where only one does."""
    sentences = _SENTENCE.findall(question)
    asking = [clause for sentence in sentences for clause in _asking_clauses(sentence)]
    if len(asking) < 2:
        return [question]
    first, *later = asking
    return [first.rstrip("，,"), *(_standing_alone(first, part) for part in later)]


def _asking_clauses(sentence: str) -> Iterator[str]:
    """Clauses of a sentence that ask, each with those before it that do not; what follows the last is part of it."""
    found: list[str] = []
    held = ""
    for piece in _clauses(sentence):
        held += piece
        if _ASKS.search(piece):
            found.append(held)
            held = ""
    if found:
        found[-1] += held
    elif _ENDS_ASKING.search(sentence):
        found.append(held)
    return (part.strip("，, ") for part in found)


def _clauses(sentence: str) -> Iterator[str]:
    for clause in _CLAUSE.findall(sentence):
        start = 0
        for join in _JOINS_CLAUSES.finditer(clause):
            if _ASKS.search(clause[start : join.start()]) and _ASKS.search(clause[join.end() :]):
                yield clause[start : join.start()]
                start = join.end()
        yield clause[start:]


def _standing_alone(first: str, part: str) -> str:
    """A later part with what it is about: the title that the first one names, or what the first one says."""
    title = _TITLE.search(first)
    rest = _REFERS.sub("", part)
    if title is not None:
        return part if title[0] in part else f"{title[0]}{rest}"
    return f"{_ASKS.sub('', first.rstrip('？?，,'))}，{rest}"


def _side_by_side(question: str) -> list[str]:
    """One question for each of two things that are joined by 和; empty where it is not plain what they are."""
    for match in _AND.finditer(question):
        before, after = question[: match.start()], question[match.end() :]
        things = _alike(before, after) or _bounded(before, after)
        if things is not None:
            first, second = things
            head, tail = before[: len(before) - len(first)], after[len(second) :]
            tail = re.sub(r"^(?:这?两者?|各自|分别|都)+|(?<=.)(?:分别|各自)", "", tail)
            return [head + thing + tail for thing in (first, second)]
    return []


def _alike(before: str, after: str) -> tuple[str, str] | None:
    """Two things of one shape: 2022年和2023年, 出生率和死亡率, 最佳男主角和最佳女主角."""
    if not before:
        return None
    bound = _AFTER_SECOND.search(after, 1) if not after[:1].isdigit() else None
    limit = min(bound.start() if bound else len(after), _LONGEST_THING)
    for length in range(limit, 0, -1):
        second, first = after[:length], before[-length:]
        whole = not _cuts_a_run(before, len(before) - length) and not _cuts_a_run(after, length)
        alike = len(first) == length > 1 and first[-1] == second[-1] and first != second
        if whole and alike and _same_kinds(first, second):
            return first, second
    return None


def _bounded(before: str, after: str) -> tuple[str, str] | None:
    """Two things between words that are certainly part of neither: 《人世间》的导演和编剧是谁."""
    bound = _AFTER_SECOND.search(after)
    second = after[: bound.start()] if bound else ""
    first = _BEFORE_FIRST.search(before)
    if first is None or not _THING.fullmatch(second) or _ASKS.search(first[1] + second):
        return None
    # The end of what is longer by more than a character is likelier the thing: of 国葬时间和地点, 时间.
    return first[1] if len(first[1]) <= len(second) + 1 else first[1][-len(second) :], second


def _same_kinds(first: str, second: str) -> bool:
    """Whether digits stand where digits stand, and nothing in either ends a phrase or asks."""
    plain = all(a.isdigit() == b.isdigit() and a.isascii() == b.isascii() for a, b in zip(first, second, strict=True))
    return plain and not re.search(r"[的是在，,。？?]", first + second) and not _ASKS.search(first + second)


def _cuts_a_run(text: str, position: int) -> bool:
    """Whether a number or a Latin word goes on over a position."""
    around = text[max(0, position - 1) : position + 1]
    return len(around) == 2 and around.isascii() and around.isalnum()
