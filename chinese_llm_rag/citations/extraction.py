"""An answer without a model: the sentences of the passages that speak most of what was asked."""

from collections.abc import Sequence

from chinese_llm_rag.chinese_text import ends_sentence, is_han
from chinese_llm_rag.citations.evidence_index import EvidenceIndex, Source
from chinese_llm_rag.citations.topic import asked_grams, on_topic
from chinese_llm_rag.schema import Passage

_AS_GOOD = 0.8  # of the best sentence's share of the question: what is below it is left out
_OWN = 0.5  # and of the words of the question, a sentence must hold so much of the best one's itself


def extract(question: str, passages: Sequence[Passage], *, most: int = 2) -> str:
    """The sentences that hold most of the question, in the order of the passages, at most so many.

    Args:
        question: what was asked.
        passages: best first.
        most: sentences.
    """
    index = EvidenceIndex.of(passages)
    asked = asked_grams(question)
    topics = on_topic(index, asked)
    own = {number: index.weigh(index.sources[number].grams & asked) for number in topics}
    ranked = sorted(topics, key=lambda number: (-round(own[number] + topics[number], 6), number))
    chosen: list[Source] = []
    for number in ranked:
        source = index.sources[number]
        if chosen and (topics[number] < _AS_GOOD * topics[chosen[0].number] or own[number] < _OWN * own[ranked[0]]):
            continue
        if not any(source.quote in other.quote or other.quote in source.quote for other in chosen):
            chosen.append(source)
        if len(chosen) == most:
            break
    return "".join(map(_closed, sorted(chosen, key=lambda source: source.number)))


def _closed(source: Source) -> str:
    """A sentence that can stand before another."""
    quote = " ".join(source.quote.split())
    if ends_sentence(quote):
        return quote
    return f"{quote}。" if any(map(is_han, quote)) else f"{quote}. "
