"""Which sentences of the passages a sentence of an answer was made from.

A sentence is taken clause by clause, since an answer joins in one sentence what a document says in several.
Each clause goes to the source that holds most of it; what stands around the clause, the question and the file
that the answer is speaking of decide between places that say much the same.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from chinese_llm_rag.chinese_text import search_terms
from chinese_llm_rag.citations.evidence_index import EvidenceIndex, Source, grams
from chinese_llm_rag.citations.topic import asked_grams

MIN_CLAUSE = 0.5  # share of a clause's weight that its source must hold
_GIVEN = 0.25  # weight of what the question said already
_NAMES_FILE = 0.05  # and of the words by which the file is known
_FIGURE = 1.5  # weight of numbers and dates: they tell one statement from another that is worded alike
_NEAR, _REST, _ASKED, _ALIKE = 0.25, 0.12, 0.15, 0.3  # weights of: next clauses, others, question, likeness
_SECOND = 0.5  # share of a clause that a second source must add
_OF_A_FILE = 0.1  # share of a clause by which a file must be ahead to be the one spoken of
_SHORT = 4  # grams: a clause of fewer goes with the next one

_CLAUSE = re.compile(r"(?:[^，,；;。！？!?：:\n]|(?<=\d)[,:：](?=\d))+[，,；;。！？!?：:\n]*")
_CONNECTIVE = re.compile(
    r"^(?:首先|其次|再次|然后|随后|此外|另外|同时|最后|最终|总之|总的来说|总体来看|综上所述|因此|所以|但是|然而|"
    r"不过|而且|并且|例如|比如|其中|第[一二三四五六七八九十]|根据[^，,]*)[，,]"
)
# A short clause that begins so says when, where or of whom the next one speaks.
_LEADS = re.compile(r"\s*(?:在|于|当|自|从|到|截至|而|但|以及|\d+年|\d+月)")


@dataclass(frozen=True, slots=True)
class AlignedClause:
    """A clause with the sources it rests on, best first; `share` of its weight they hold, `weight` in all."""

    text: str
    weight: float
    share: float
    sources: tuple[Source, ...]
    nearest: Source | None  # the best source, whether or not it holds enough

    @property
    def held(self) -> bool:
        """Whether the sources hold enough of the clause."""
        return self.share >= MIN_CLAUSE


class Aligner:
    """Aligns the sentences of one answer, in order: it remembers which file was spoken of last.

    Args:
        index: of the passages.
        question: what was asked.
    """

    def __init__(self, index: EvidenceIndex, question: str = "") -> None:
        self._index = index
        self._asked = asked_grams(question)
        self._file: str | None = None

    def align(self, sentence: str) -> list[AlignedClause]:
        """The clauses of a sentence with their sources; empty where it has no word."""
        clauses = clauses_of(sentence)
        whole = grams(sentence)
        found = []
        for number, clause in enumerate(clauses):
            own = grams(clause)
            near = grams("".join(clauses[max(0, number - 1) : number + 2])) - own
            self._follow(own)
            found.append(self._aligned(clause, own, near, whole - near - own))
        return found

    def _follow(self, own: frozenset[str]) -> None:
        """Note which file a clause speaks of, where its words tell files apart."""
        files = self._index.files
        if len(files) < 2:
            return
        common = frozenset.intersection(*files.values())
        told = {name: self._index.weigh((own & held) - common) for name, held in files.items()}
        best, second = sorted(told, key=lambda name: -told[name])[:2]
        if told[best] - told[second] > _OF_A_FILE * self._index.weigh(own):
            self._file = best

    def _aligned(self, clause: str, own: frozenset[str], near: frozenset[str], rest: frozenset[str]) -> AlignedClause:
        weights = {gram: self._index.weight(gram) * self._factor(gram) for gram in own}
        total = sum(weights.values())
        shares = self._of_file(self._index.shares(weights))
        if not shares:
            return AlignedClause(clause, total, 0.0, (), None)
        scores = self._scores(shares, own, near, rest)
        best = self._index.sources[max(scores, key=lambda number: (scores[number], -number))]
        sources, share = [best], shares[best.number]
        left = {gram: weight for gram, weight in weights.items() if gram not in best.grams}
        if sum(left.values()) > _SECOND * total:
            more = self._of_file(self._index.shares(left))
            second = max(more, key=lambda number: (more[number], -number), default=None)
            if second is not None and more[second] * sum(left.values()) > _SECOND * total:
                sources.append(self._index.sources[second])
                share += more[second] * sum(left.values()) / total
        return AlignedClause(clause, total, share, tuple(sources), best)

    def _factor(self, gram: str) -> float:
        if gram in self._asked:
            return _NAMES_FILE if gram in self._naming else _GIVEN
        return _FIGURE if gram.startswith("=") else 1.0

    @cached_property
    def _naming(self) -> frozenset[str]:
        """What stands in some of the files and not in others; empty where there is one."""
        files = self._index.files.values()
        return frozenset[str]().union(*files) - frozenset.intersection(*files) if len(files) > 1 else frozenset()

    def _scores(
        self, shares: Mapping[int, float], own: frozenset[str], near: frozenset[str], rest: frozenset[str]
    ) -> dict[int, float]:
        scores = defaultdict(float, shares)
        for others, factor in ((near, _NEAR), (rest, _REST), (self._asked, _ASKED)):
            for number, share in self._index.shares(self._weights(others)).items():
                if number in shares:
                    scores[number] += factor * share
        whole = own | near | rest
        for number in shares:
            shared = self._index.weigh(whole & self._index.sources[number].statement)
            scores[number] += _ALIKE * shared / (self._index.statement_weights[number] + 1)
        return scores

    def _weights(self, of: Iterable[str]) -> dict[str, float]:
        return {gram: self._index.weight(gram) for gram in of}

    def _of_file(self, shares: Mapping[int, float]) -> dict[int, float]:
        """Those of the file that the answer speaks of, if any is there."""
        if self._file is None:
            return dict(shares)
        return {
            number: share
            for number, share in shares.items()
            if self._index.sources[number].passage.source == self._file
        }


def lead_of(sentence: str) -> str:
    """The words that lead a sentence in and are part of no clause: 首先，, 根据2021年的报告，."""
    match = _CONNECTIVE.match(sentence.strip())
    return match.group() if match else ""


def clauses_of(sentence: str) -> list[str]:
    """The clauses of a sentence that say something.

    A short one goes with the clause before it (净利润更高，为38亿元), one that only says when or where with the next.
    """
    clauses: list[str] = []
    pending = ""
    body = _CONNECTIVE.sub("", sentence.strip()) or sentence
    for match in _CLAUSE.finditer(body):
        clause = pending + match.group()
        pending = ""
        short = len(grams(clause)) < _SHORT if search_terms(clause) else True
        if not short:
            clauses.append(clause)
        elif clauses and not _LEADS.match(clause):
            clauses[-1] += clause
        else:
            pending = clause
    if clauses and pending:
        clauses[-1] += pending
    elif search_terms(pending):
        clauses.append(pending)
    return clauses
