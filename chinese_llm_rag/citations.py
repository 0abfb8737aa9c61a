"""cite: answer text + the passages it was made from -> what each sentence rests on.

Deterministic, after generation; the model is not asked where it found something. A sentence is
supported when up to three sentences of the passages hold most of its words and all of its numbers. Where
several hold as much, the one that also shares most with the question is cited: a short answer such as a
year stands in many places, and the question tells which of them was meant.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from chinese_llm_rag.chinese_text import HAN, is_han, iter_sentences, normalize, search_terms
from chinese_llm_rag.schema import AnswerSentence, Citation, Passage, Span

MIN_COVERAGE = 0.6  # share of an answer sentence's words that its citations must hold together
_MOST_CITATIONS = 3  # for one sentence
_SHORT = 4  # an answer of so few pairs, such as a year, is cited only near words of the question

# Passage numbers that the model wrote itself: they are not looked at.
_MARKER = re.compile(r"[\[［【]\s*\d+(?:\s*[-,，、–]\s*\d+)*\s*[\]］】]")
# A number with the Han character it counts in, where one follows: 10元 is not the 10 of 10页.
_NUMBER = re.compile(rf"(\d+(?:\.\d+)?)\s*({HAN}?)")

_Number = tuple[str, str]  # its digits and its unit, which may be empty


@dataclass(frozen=True, slots=True)
class _Source:
    """A sentence of a passage; the span is in the passage's text, `near` are its neighbours' grams with its own."""

    passage: Passage
    span: Span
    grams: frozenset[str]
    numbers: frozenset[_Number]
    near: frozenset[str] = frozenset()


def cite(text: str, passages: Sequence[Passage], question: str = "") -> tuple[AnswerSentence, ...]:
    """The sentences of an answer, each with its citations; none where nothing supports it.

    A sentence without a word, such as a row of dashes or a passage number, is left out.

    Args:
        text: the answer.
        passages: what the model read, best first.
        question: decides between places that support a sentence equally well.
    """
    sources = [source for passage in passages for source in _sources(passage)]
    asked = _grams(question)
    sentences = []
    for span in iter_sentences(text):
        sentence = text[span.start : span.end].rstrip()
        if _words(sentence):
            citations = tuple(_citations(sentence, sources, asked))
            sentences.append(AnswerSentence(span.start, span.start + len(sentence), sentence, citations))
    return tuple(sentences)


def _citations(sentence: str, sources: Sequence[_Source], asked: frozenset[str]) -> Iterator[Citation]:
    words = _words(sentence)
    grams, numbers = _grams(words), _numbers(words)
    if asked and len(grams) <= _SHORT:
        sources = [source for source in sources if asked & source.near]
    chosen: list[_Source] = []
    held: frozenset[str] = frozenset()
    stated: frozenset[_Number] = frozenset()
    while len(held) < MIN_COVERAGE * len(grams) or _unstated(numbers, stated):
        source = _best(grams - held, _unstated(numbers, stated), sources, asked)
        if source is None or len(chosen) == _MOST_CITATIONS:
            return
        chosen.append(source)
        held |= grams & source.grams
        stated |= source.numbers
    for source in chosen:
        yield _citation(source, len(grams & source.grams) / len(grams))


def _words(sentence: str) -> str:
    """The sentence without the model's own passage numbers; empty when no letter or digit is left."""
    words = _MARKER.sub("", sentence)
    return words if search_terms(words) else ""


def _best(
    grams: frozenset[str], numbers: frozenset[_Number], sources: Sequence[_Source], asked: frozenset[str]
) -> _Source | None:
    """The source that holds most of what is wanted, then most of the question; the first of equals."""

    def held(source: _Source) -> int:
        return len(grams & source.grams) + len(numbers) - len(_unstated(numbers, source.numbers))

    return max(filter(held, sources), key=lambda source: (held(source), len(asked & source.grams)), default=None)


def _citation(source: _Source, score: float) -> Citation:
    passage = source.passage
    start, end = passage.start + source.span.start, passage.start + source.span.end
    page_start, page_end = passage.pages_of(start, end)
    return Citation(
        passage=passage.number,
        source=passage.source,
        page_start=page_start,
        page_end=page_end,
        start=start,
        end=end,
        quote=passage.text[source.span.start : source.span.end],
        score=round(score, 4),
        headings=passage.headings,
        place=passage.place,
    )


def _grams(text: str) -> frozenset[str]:
    """Pairs of Han characters, Latin words, numbers with and without their unit.

    Single Han characters where there is nothing else.
    """
    terms = search_terms(text)
    grams = [term for term in terms if len(term) > 1 or not is_han(term)]
    return frozenset([*grams, *(number + unit for number, unit in _numbers(text) if unit)]) or frozenset(terms)


def _numbers(text: str) -> frozenset[_Number]:
    """Numbers, each with the character it counts in or an empty string."""
    return frozenset(_NUMBER.findall(normalize(text)))


def _unstated(numbers: frozenset[_Number], stated: frozenset[_Number]) -> frozenset[_Number]:
    """The numbers that are not among those stated; one without a unit agrees with any unit."""
    return frozenset(
        (number, unit)
        for number, unit in numbers
        if not any(
            number == other and (unit == other_unit or not unit or not other_unit) for other, other_unit in stated
        )
    )


def _sources(passage: Passage) -> Iterator[_Source]:
    plain = list(_plain_sources(passage))
    for i, source in enumerate(plain):
        near = frozenset[str]().union(*(neighbour.grams for neighbour in plain[max(0, i - 1) : i + 2]))
        yield replace(source, near=near)


def _plain_sources(passage: Passage) -> Iterator[_Source]:
    for span in iter_sentences(passage.text):
        sentence = passage.text[span.start : span.end]
        start = span.end - len(sentence.lstrip())
        quote = sentence.strip()
        if quote:
            grams = _grams(quote) | frozenset(search_terms(quote))  # single Han characters too
            yield _Source(passage, Span(start, start + len(quote)), grams, _numbers(quote))
