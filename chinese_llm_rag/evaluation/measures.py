"""Rankings -> one value a question of each measure, by trec_eval through ir-measures.

Two levels. Of the documents: a document stands where its first passage stands. Of the evidence: each piece is
looked for by itself and stands where the first passage that holds it stands; a question's value is the mean
over its pieces.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from chinese_llm_rag._optional import optional_import
from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.evaluation.questions import Question
from chinese_llm_rag.evaluation.rankings import Ranking
from chinese_llm_rag.language import say

Level = Literal["documents", "evidence"]
LEVELS: tuple[Level, ...] = ("evidence", "documents")

# What is relevant to a topic, and what was found for it, best first.
Topic = tuple[Sequence[str], Sequence[str]]
# Values by measure and question id.
Values = Mapping[str, Mapping[str, float]]

_NOT_FOUND = "not found"


def check_cutoffs(at: Iterable[int]) -> tuple[int, ...]:
    """The ranks to measure at, in order, each once."""
    cutoffs = tuple(sorted(set(at)))
    if not cutoffs or cutoffs[0] < 1:
        raise ConfigError(
            say(f"at={cutoffs!r}, expected ranks from 1 on", f"at={cutoffs!r}，应为不小于 1 的名次"), setting="at"
        )
    return cutoffs


def measure(questions: Sequence[Question], rankings: Mapping[str, Ranking], at: Sequence[int]) -> dict[Level, Values]:
    """Values of each level that any question has something to say on; questions without a ranking are left out.

    The measures are named "hit@1" (something right stands first; for documents this is R@1), "hit@k" and
    "recall@k" at each cutoff, "mrr" (reciprocal rank of the first right one) and "ndcg@k" at the last cutoff.
    """
    asked = [question for question in questions if question.answerable and question.id in rankings]
    return {level: values for level in LEVELS if (values := _level(level, asked, rankings, check_cutoffs(at)))}


def measure_names(at: Sequence[int]) -> list[str]:
    """What `measure` measures at these cutoffs, in the order of a report."""
    return ["hit@1", *(f"recall@{k}" for k in at), *(f"hit@{k}" for k in at if k > 1), "mrr", f"ndcg@{at[-1]}"]


def _level(
    level: Level, questions: Sequence[Question], rankings: Mapping[str, Ranking], at: Sequence[int]
) -> dict[str, dict[str, float]]:
    """Every measure's values; empty where no question has anything relevant."""
    topics: list[Topic] = []
    owners: list[str] = []
    for question in questions:
        own = _topics(level, question, rankings[question.id])
        topics += own
        owners += [question.id] * len(own)
    sums: dict[str, dict[str, list[float]]] = {}
    for topic, name, value in _calculated(topics, at):
        sums.setdefault(name, {}).setdefault(owners[topic], []).append(value)
    return {
        name: {question: sum(values) / len(values) for question, values in sums[name].items()}
        for name in measure_names(at)
        if name in sums
    }


def _topics(level: Level, question: Question, ranking: Ranking) -> list[Topic]:
    if level == "documents":
        return [(question.doc_ids, list(dict.fromkeys(ranking.doc_ids)))] if question.doc_ids else []
    places = [str(rank) for rank in range(1, len(ranking.doc_ids) + 1)]
    return [([_NOT_FOUND if rank is None else str(rank)], places) for rank in ranking.evidence_ranks]


def _calculated(topics: Sequence[Topic], at: Sequence[int]) -> Iterable[tuple[int, str, float]]:
    """Topic number, name of the measure, value."""
    ir: Any = optional_import("ir_measures", extra="eval")
    named = {
        **{str(ir.Success @ k): f"hit@{k}" for k in (1, *at)},
        **{str(ir.R @ k): f"recall@{k}" for k in at},
        str(ir.RR): "mrr",
        str(ir.nDCG @ at[-1]): f"ndcg@{at[-1]}",
    }
    judged = [ir.Qrel(str(i), doc, 1) for i, (relevant, _) in enumerate(topics) for doc in relevant]
    # trec_eval sorts by score, so the score is the place.
    run = [ir.ScoredDoc(str(i), doc, -place) for i, (_, found) in enumerate(topics) for place, doc in enumerate(found)]
    measures = [ir.parse_measure(name) for name in named]
    for metric in ir.iter_calc(measures, judged, run):
        yield int(metric.query_id), named[str(metric.measure)], float(metric.value)
