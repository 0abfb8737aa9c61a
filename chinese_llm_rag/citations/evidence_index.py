"""The sentences of the passages, and where each pair of characters, word and number stands in them."""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from chinese_llm_rag.chinese_facts import Fact, date_parts, find_facts, share_of
from chinese_llm_rag.chinese_script import one_script
from chinese_llm_rag.chinese_text import is_han, iter_sentences, normalize, search_terms
from chinese_llm_rag.schema import Citation, Passage, Span

# Characters that say how words belong together, not what is said: a pair with one of them counts for nothing.
_GRAMMAR = frozenset("的了是在和与或及被把这那它他她您你我也等为于以其并将已而对从到由向所之就都还又很更最使让")
_BEFORE_FIRST = 0.5  # sources, so that the weight of what stands nowhere is finite
_ABSENT = 0.5  # what a pair that stands nowhere counts: half of all pairs are no words but where two words meet


@dataclass(frozen=True)
class Source:
    """A sentence of a passage; the span is in the passage's text."""

    number: int
    passage: Passage
    span: Span
    grams: frozenset[str]

    @property
    def quote(self) -> str:
        """Its text."""
        return self.passage.text[self.span.start : self.span.end]

    @cached_property
    def statement(self) -> frozenset[str]:
        """Its grams without the single characters."""
        return frozenset(gram for gram in self.grams if len(gram) > 1)

    @cached_property
    def facts(self) -> tuple[Fact, ...]:
        """Its numbers, dates and names."""
        return tuple(find_facts(self.quote))

    def citation(self, score: float) -> Citation:
        """The place as a citation; `score` is the share of a sentence that it covers."""
        passage = self.passage
        start, end = passage.start + self.span.start, passage.start + self.span.end
        page_start, page_end = passage.pages_of(start, end)
        return Citation(
            passage=passage.number,
            source=passage.source,
            page_start=page_start,
            page_end=page_end,
            start=start,
            end=end,
            quote=self.quote,
            score=round(min(score, 1.0), 4),
            headings=passage.headings,
            place=passage.place,
        )


@dataclass
class EvidenceIndex:
    """All sources, found by what they hold.

    A gram weighs log(1 + n / (sources that hold it + 0.5)): the rarer, the more it tells one place from another.
    """

    sources: list[Source] = field(default_factory=list)
    postings: Mapping[str, list[int]] = field(default_factory=dict)
    _weights: dict[str, float] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, passages: Iterable[Passage]) -> "EvidenceIndex":
        """The index of passages, in their order."""
        sources: list[Source] = []
        postings: defaultdict[str, list[int]] = defaultdict(list)
        for passage in passages:
            for span in _sentence_spans(passage.text):
                sentence = passage.text[span.start : span.end]
                held = grams(sentence) | frozenset(search_terms(one_script(sentence)))  # single Han characters too
                source = Source(len(sources), passage, span, held)
                sources.append(source)
                for gram in source.grams:
                    postings[gram].append(source.number)
        return cls(sources, dict(postings))

    def weight(self, gram: str) -> float:
        """How much a gram tells."""
        if (known := self._weights.get(gram)) is not None:
            return known
        n_holding = len(self.postings.get(gram, ()))
        weight = math.log(1 + len(self.sources) / (n_holding + _BEFORE_FIRST))
        if not n_holding and is_han(gram[0]):
            weight *= _ABSENT
        self._weights[gram] = weight
        return weight

    @cached_property
    def statement_weights(self) -> list[float]:
        """The weight of each source's statement."""
        return [self.weigh(source.statement) for source in self.sources]

    def weigh(self, of: Iterable[str]) -> float:
        """The weight of grams together."""
        return sum(map(self.weight, of))

    def shares(self, weights: Mapping[str, float]) -> dict[int, float]:
        """Of each source that holds any of the weighted grams: their sum, over the sum of all."""
        total = sum(weights.values())
        found: defaultdict[int, float] = defaultdict(float)
        for gram, weight in weights.items():
            for number in self.postings.get(gram, ()):
                found[number] += weight / total
        return found

    @cached_property
    def files(self) -> dict[str, frozenset[str]]:
        """The grams of each file's passages."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        for source in self.sources:
            found[source.passage.source] |= source.grams
        return {name: frozenset(held) for name, held in found.items()}

    @cached_property
    def _of_passages(self) -> dict[int, frozenset[str]]:
        found: defaultdict[int, set[str]] = defaultdict(set)
        for source in self.sources:
            found[id(source.passage)] |= source.grams
        for passage in self._passages():
            found[id(passage)] |= grams(" ".join((*passage.headings, passage.table_header)))
        return {key: frozenset(held) for key, held in found.items()}

    def grams_of(self, passage: Passage) -> frozenset[str]:
        """The grams of one of the passages, with its headings and its table's header."""
        return self._of_passages[id(passage)]

    @cached_property
    def _squeezed(self) -> str:
        return squeezed("\n".join(passage.with_context for passage in self._passages()))

    def names(self, name: str) -> bool:
        """Whether any passage, its headings included, holds a name in the form of chinese_facts."""
        return name in self._squeezed

    def _passages(self) -> Sequence[Passage]:
        return list({id(source.passage): source.passage for source in self.sources}.values())

    def at(self, passage: int, start: int) -> int:
        """The number of the source at a passage's number in the prompt and a position in the file; -1 for none."""
        return self._places.get((passage, start), -1)

    @cached_property
    def _places(self) -> dict[tuple[int, int], int]:
        return {(s.passage.number, s.passage.start + s.span.start): s.number for s in self.sources}

    def around(self, source: Source) -> Iterator[Source]:
        """The source with its neighbours in the passage."""
        for number in range(max(0, source.number - 1), min(len(self.sources), source.number + 2)):
            if self.sources[number].passage is source.passage:
                yield self.sources[number]


def grams(text: str) -> frozenset[str]:
    """What a text is compared by: pairs of Han characters that carry meaning, Latin words, values of numbers.

    All of its terms where there is nothing else.
    """
    text = one_script(text)
    terms = [term for term in search_terms(text) if not term.isdecimal()]
    telling = [term for term in terms if (_GRAMMAR.isdisjoint(term) if is_han(term[0]) else True) and _is_word(term)]
    values = [part for fact in find_facts(text) for part in _value_grams(fact)]
    return frozenset((*telling, *values)) or frozenset(search_terms(text))


def _is_word(term: str) -> bool:
    return len(term) > 1 or not is_han(term)


def _value_grams(fact: Fact) -> Iterator[str]:
    """A number as one gram, however it is written; a date as its year, month and day."""
    if fact.kind == "date":
        yield from (f"={name}{part}" for name, part in zip("ymd", date_parts(fact.value), strict=True) if part)
    elif fact.kind != "name":
        yield f"={share_of(fact)}"


def squeezed(text: str) -> str:
    """A text in the form of names: normal, without joints and white space."""
    return re.sub(r"[-_./+\s·•・‧]", "", normalize(text))


def _sentence_spans(text: str) -> Iterator[Span]:
    """The sentences without white space around them."""
    for span in iter_sentences(text):
        sentence = text[span.start : span.end]
        start = span.end - len(sentence.lstrip())
        if quote := sentence.strip():
            yield Span(start, start + len(quote))
