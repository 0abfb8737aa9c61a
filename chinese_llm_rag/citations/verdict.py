"""Does the evidence bear a sentence out? Its words, then each number, date and name, then what speaks against it.

A fact of a clause must stand where the clause's words stand: in the sources the clause rests on, or beside
them. That a number stands somewhere in the passages proves nothing: a report has a figure for every month.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property

from chinese_llm_rag.chinese_facts import Fact, agree, alike, date_parts, find_facts, is_among
from chinese_llm_rag.chinese_questions import asks_for_one, asks_for_time, speaks_of_two
from chinese_llm_rag.citations.alignment import AlignedClause, Aligner, lead_of
from chinese_llm_rag.citations.evidence_index import EvidenceIndex, Source, grams
from chinese_llm_rag.citations.topic import asked_grams, on_topic
from chinese_llm_rag.schema import AnswerSentence, Citation, Span

MIN_SUPPORT = 0.4  # share of a sentence's weight that its sources must hold
_ANSWERS = 0.5  # share of the question that a source must hold to be an answer to it
_AS_GOOD = 0.6  # of the best such share: a source below it speaks of something else
_AS_MUCH = 0.9  # of the topic of the source of a brief answer: another one answers the same
_SHORT = 6  # grams: an answer of so few is nothing but the answer
_HELD = 0.34  # share of an answer's own words below which a source does not say it
_ALIKE = 0.5  # share of a statement's words in another statement of the same thing
_TWO = "两家，两个，两种，两项，两款，两份"  # how an answer counts what a question has joined
_SAME_SUBJECT = 0.78  # share of who and what was spoken of that the file of another statement must know


class Examiner:
    """Examines the sentences of one answer, in order.

    Args:
        index: of the passages.
        question: what was asked; its facts count as given.
    """

    def __init__(self, index: EvidenceIndex, question: str = "") -> None:
        self._index = index
        self._aligner = Aligner(index, question)
        self._asked = asked_grams(question)
        self._asks_for_one = asks_for_one(question)
        # Facts that tell one case from another: 2020年 from 2021年, 第三条 from 第四条.
        self._telling = frozenset({"name", "ordinal"} | (set() if asks_for_time(question) else {"date"}))
        self._given = find_facts(question) + (find_facts(_TWO) if speaks_of_two(question) else [])
        self._n_examined = 0

    def examine(self, sentence: str, span: Span) -> AnswerSentence:
        """The sentence with its citations, or with what it lacks and what speaks against it."""
        self._n_examined += 1
        whole = grams(sentence)
        own = whole - self._asked
        if self._asked and len(whole) <= _SHORT and len(whole & self._asked) <= len(own):
            return self._short(sentence, span, own)
        clauses = self._aligner.align(sentence)
        lacking = [(clause.text, fact) for clause in clauses for fact in self._lacking(clause, clauses)]
        lacking += [(lead, fact) for lead in (lead_of(sentence),) for fact in self._nowhere(lead)]
        citations = _citations([(clause, (*clause.sources, *self._beside(clause))) for clause in clauses])
        total = sum(clause.weight for clause in clauses) or 1.0
        share = sum(clause.weight * clause.share for clause in clauses if clause.held) / total
        supported = share >= MIN_SUPPORT and not lacking
        against = [source for clause in clauses for source in self._against(clause, [f for _, f in lacking])]
        if not supported and not lacking:
            against += self._otherwise(sentence, own)
        if supported:
            against += self._disagreeing(sentence, [s for c in clauses if c.held for s in c.sources])
        coverage = sum(clause.weight * clause.share for clause in clauses) / total
        return _result(sentence, span, citations if supported else (), lacking, against, coverage)

    # --- an answer that is nothing but a figure or a name ---------------------------------------

    def _short(self, sentence: str, span: Span, own: frozenset[str]) -> AnswerSentence:
        facts = [fact for fact in find_facts(sentence) if not is_among(fact, self._given)]
        weights = {gram: self._index.weight(gram) for gram in own}
        shares = self._index.shares(weights)
        topics = {number: self._on_topic.get(number, 0.0) for number in shares}
        best = max(self._on_topic.values(), default=0.0)
        fit = [
            number
            for number, share in shares.items()
            if share >= MIN_SUPPORT
            and topics[number] >= _AS_GOOD * best
            and topics[number] > 0
            and not _missing(facts, self._index.sources[number].facts, self._index)
        ]
        if fit:
            source = self._index.sources[max(fit, key=lambda n: (round(shares[n], 2), topics[n], -n))]
            against = self._answered_otherwise(sentence, source)
            share = shares[source.number]
            return _result(sentence, span, (source.citation(share),), [], against, share)
        lacking = [(sentence, f) for f in facts if f.kind != "name" or not self._index.names(f.value)]
        coverage = max(shares.values(), default=0.0)
        return _result(sentence, span, (), lacking, self._otherwise(sentence, own), coverage)

    @cached_property
    def _on_topic(self) -> dict[int, float]:
        return on_topic(self._index, self._asked)

    def relevance(self, citation: Citation) -> float:
        """How much of the question stands at a cited place, 0..1."""
        at = self._index.at(citation.passage, citation.start)
        return self._on_topic.get(at, 0.0)

    # --- facts ----------------------------------------------------------------------------------

    def _lacking(self, clause: AlignedClause, clauses: Sequence[AlignedClause]) -> list[Fact]:
        """The facts of a clause that do not stand where the clause was found."""
        facts = [fact for fact in find_facts(clause.text) if not is_among(fact, self._given)]
        if not facts:
            return []
        at = clauses.index(clause)
        beside = [source for other in clauses[max(0, at - 1) : at + 2] if other.held for source in other.sources]
        places = {source.number: source for source in clause.sources}
        if clause.nearest is not None:
            places |= {near.number: near for near in self._index.around(clause.nearest)}
            file = clause.nearest.passage.source
            places |= {source.number: source for source in beside if source.passage.source == file}
        held = [fact for source in places.values() for fact in source.facts]
        files = {source.passage.source for source in places.values()}
        wide = [f for source in self._index.sources if source.passage.source in files for f in source.facts]
        return [fact for fact in _missing(facts, held, self._index) if not _dated(fact, held, wide)]

    def _nowhere(self, lead: str) -> list[Fact]:
        """The facts of the words that lead a sentence in (根据2021年的报告，) that stand in no passage.

        An ordinal there (第二，) counts the answer's own sentences.
        """
        said = [f for f in find_facts(lead) if f.kind != "ordinal" and not is_among(f, self._given)]
        return (
            _missing(said, [fact for source in self._index.sources for fact in source.facts], self._index)
            if said
            else []
        )

    def _beside(self, clause: AlignedClause) -> list[Source]:
        """The neighbours of the nearest source that have a fact of the clause which its sources have not."""
        if clause.nearest is None:
            return []
        held = [fact for source in clause.sources for fact in source.facts]
        said = [f for f in find_facts(clause.text) if not is_among(f, held) and not is_among(f, self._given)]
        return [
            near
            for near in self._index.around(clause.nearest)
            if near not in clause.sources and any(is_among(fact, near.facts) for fact in said)
        ]

    def _against(self, clause: AlignedClause, lacking: Sequence[Fact]) -> list[Source]:
        """The nearest source, where it has another figure in place of one that is lacking."""
        wrong = [fact for fact in find_facts(clause.text) if any(fact.value == other.value for other in lacking)]
        source = clause.nearest
        if source is None or not wrong:
            return []
        said = find_facts(clause.text)
        others = [fact for fact in source.facts if not is_among(fact, said)]
        return [source] if any(alike(one, other) for one in wrong for other in others) else []

    # --- what speaks against --------------------------------------------------------------------

    def _otherwise(self, sentence: str, own: frozenset[str]) -> list[Source]:
        """The source that answers the question best, where the answer's first sentence is brief and says otherwise.

        A longer sentence, or a later one, may well tell more than the source, and not otherwise; so may any where
        the question does not ask for one thing.
        """
        if self._n_examined > 1 or not self._asks_for_one or not self._on_topic or not 0 < len(own) <= _SHORT:
            return []
        best = self._index.sources[max(self._on_topic, key=lambda number: (self._on_topic[number], -number))]
        if self._on_topic[best.number] < _ANSWERS:
            return []
        least = _AS_GOOD * self._on_topic[best.number]
        said = frozenset[str]().union(*(self._index.sources[n].grams for n, t in self._on_topic.items() if t >= least))
        held = self._index.weigh(own & said) / (self._index.weigh(own) or 1.0)
        facts = [fact for fact in find_facts(sentence) if not is_among(fact, self._given) and fact.kind != "name"]
        others = [fact for fact in best.facts if not is_among(fact, self._given)]
        if facts:
            return [best] if any(alike(one, other) for one in facts for other in others) else self._figure(facts)
        return [best] if held < _HELD else []

    def _figure(self, facts: Sequence[Fact]) -> list[Source]:
        """The source most on the topic that has a figure of the kind that was said."""
        best = max(self._on_topic.values(), default=0.0)
        fit = [
            source
            for number, share in self._on_topic.items()
            if (source := self._index.sources[number]) and share >= _AS_GOOD * best
            if any(alike(one, other) for one in facts for other in source.facts if not is_among(other, self._given))
        ]
        return sorted(fit, key=lambda source: (-self._on_topic[source.number], source.number))[:1]

    def _answered_otherwise(self, sentence: str, source: Source) -> list[Source]:
        """Sources elsewhere that speak of the question as much as the one of a brief answer, with another figure."""
        said = [f for f in find_facts(sentence) if f.kind not in ("name", "ordinal")]
        least = _AS_MUCH * self._on_topic.get(source.number, 0.0)
        others = [
            self._index.sources[number]
            for number, topic in self._on_topic.items()
            if topic >= least > 0 and self._index.sources[number].passage is not source.passage
        ]
        return [other for other in others if self._same_case(source, other) and _differs(said, source, other)]

    def _same_case(self, one: Source, other: Source) -> bool:
        """Whether nothing that tells cases apart says that two sources speak of different ones."""
        for kind in self._telling:
            mine, theirs = ([fact for fact in source.facts if fact.kind == kind] for source in (one, other))
            common = any(is_among(fact, theirs) for fact in mine) or any(is_among(fact, mine) for fact in theirs)
            if mine and theirs and not common:
                return False
        return True

    def _disagreeing(self, sentence: str, supporting: Sequence[Source]) -> list[Source]:
        """Sources elsewhere that make the statement of a supporting one with another figure."""
        said = [f for f in find_facts(sentence) if f.kind not in ("name", "ordinal") and not is_among(f, self._given)]
        if not said or not supporting:
            return []
        found = []
        for source in supporting:
            words = frozenset(gram for gram in source.grams if not gram.startswith("=") and len(gram) > 1)
            known = self._index.files[source.passage.source]
            subject = {gram for gram in grams(sentence) | self._asked if gram in known and not gram.startswith("=")}
            for number, share in self._index.shares({gram: self._index.weight(gram) for gram in words}).items():
                other = self._index.sources[number]
                if share < _ALIKE or other.passage is source.passage:
                    continue
                if not self._same_case(source, other) or not _differs(said, source, other):
                    continue
                of_same = self._index.weigh(subject & self._index.files[other.passage.source])
                if of_same >= _SAME_SUBJECT * self._index.weigh(subject):
                    found.append(other)
        return found


def _differs(said: Iterable[Fact], source: Source, other: Source) -> bool:
    """Whether a figure that was said and stands in `source` stands otherwise in `other`."""
    mine = [fact for fact in said if is_among(fact, source.facts) and not is_among(fact, other.facts)]
    theirs = [fact for fact in other.facts if not is_among(fact, source.facts)]
    return any(alike(one, another) for one in mine for another in theirs)


def _missing(facts: Iterable[Fact], held: Sequence[Fact], index: EvidenceIndex) -> list[Fact]:
    return [fact for fact in facts if not (index.names(fact.value) if fact.kind == "name" else is_among(fact, held))]


def _dated(fact: Fact, held: Sequence[Fact], wide: Sequence[Fact]) -> bool:
    """Whether a date is borne out in two places: its year in the file, its month and day beside the words."""
    if fact.kind != "date":
        return False
    year, *rest = date_parts(fact.value)
    if year is None or not any(date_parts(other.value)[0] == year for other in wide if other.kind == "date"):
        return False
    if not any(rest):
        return True
    without = Fact(fact.span, "date", "--" + "-".join(part for part in rest if part))
    return any(agree(without, other) and date_parts(other.value)[0] is None for other in held if other.kind == "date")


def _citations(clauses: Sequence[tuple[AlignedClause, Sequence[Source]]]) -> tuple[Citation, ...]:
    total = sum(clause.weight for clause, _ in clauses) or 1.0
    shares: dict[int, float] = {}
    sources: dict[int, Source] = {}
    for clause, places in clauses:
        for source in places if clause.held else ():
            sources[source.number] = source
            shares[source.number] = shares.get(source.number, 0.0) + clause.weight * clause.share / total
    return tuple(source.citation(shares[number]) for number, source in sources.items())


def _result(  # noqa: PLR0917  # the fields of the result, in order
    sentence: str,
    span: Span,
    citations: tuple[Citation, ...],
    lacking: Iterable[tuple[str, Fact]],
    against: Iterable[Source],
    coverage: float,
) -> AnswerSentence:
    unfound = tuple(dict.fromkeys(text[fact.span.start : fact.span.end] for text, fact in lacking))
    places = {source.number: source for source in against}
    return AnswerSentence(
        span.start,
        span.end,
        sentence,
        citations,
        unfound=unfound,
        contradicted_by=tuple(source.citation(0.0) for source in places.values()),
        coverage=round(min(coverage, 1.0), 4),
    )
