"""evaluate: a retriever, or two of them, over questions -> a RetrievalReport."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from langchain_core.retrievers import BaseRetriever

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.evaluation.comparison import compare
from chinese_llm_rag.evaluation.measures import Level, Values, check_cutoffs, measure
from chinese_llm_rag.evaluation.questions import Question, QuestionSet
from chinese_llm_rag.evaluation.rankings import DocumentId, Ranking, rank, source_of
from chinese_llm_rag.evaluation.report import Missed, QuestionRow, RetrievalFigures, RetrievalReport
from chinese_llm_rag.evaluation.statistics import estimate, percentile
from chinese_llm_rag.language import say

# Measured at the number of passages that a setting shows the model, which may differ between two settings.
SHOWN = "recall@shown"
_COMPARED = ("hit@1", SHOWN, "mrr", "ndcg")

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A retriever under test.

    Attributes:
        retriever: gives more passages than are shown, at least as many as the last cutoff.
        name: as the report calls it.
        k: how many of its passages a model would be shown.
    """

    retriever: BaseRetriever
    name: str = "A"
    k: int = 4


def evaluate(
    candidate: Candidate | BaseRetriever,
    questions: QuestionSet | Iterable[Question],
    *,
    against: Candidate | BaseRetriever | None = None,
    at: Sequence[int] = (1, 5, 10),
    document_id: DocumentId = source_of,
    document_names: Mapping[str, str] | None = None,
    on_progress: OnProgress = lambda done, total: None,  # noqa: ARG005
) -> RetrievalReport:
    """How often the right documents and passages are found, how early, and how fast.

    Two retrievers are asked each question in turn, so that a busy machine slows both. Ctrl-C ends the asking; the
    report then covers what was asked, and says so. The first question is asked once more before the others, so
    that loading is not in the latency.

    Args:
        candidate: the retriever.
        questions: with their documents' ids as `document_id` gives them; see `locate`.
        against: another one to compare with.
        at: ranks to measure at.
        document_id: the document of a passage; by default its metadata's `source`.
        document_names: what a reader knows documents by, by their ids.
        on_progress: told the number of questions asked, and of all.

    Raises:
        ConfigError: there is no question, or none of which is known what is right to find.
        MissingDependencyError: the extra `eval` is not installed.
    """
    given = questions if isinstance(questions, QuestionSet) else QuestionSet(tuple(questions), "")
    candidates = [_candidate(candidate, "A")] + ([_candidate(against, "B")] if against is not None else [])
    asked = [
        question for question in given.questions if question.answerable and (question.doc_ids or question.evidence)
    ]
    if not asked:
        raise ConfigError(
            say("no question says which document or passage is right", "没有问题给出应找到的文件或段落"),
            setting="questions",
            hint=say("give questions with answers, doc_ids or evidence", "请提供带答案、文件或依据的问题"),
        )
    cutoffs = check_cutoffs([*at, *(one.k for one in candidates)])
    rankings, interrupted = _ask(candidates, asked, document_id, on_progress)
    done = [question for question in asked if question.id in rankings[-1]]
    values = [_values(done, of_one, cutoffs, one.k) for one, of_one in zip(candidates, rankings, strict=True)]
    return RetrievalReport(
        origin=given.origin,
        notes=given.notes,
        n_questions=len(asked),
        n_asked=len(done),
        interrupted=interrupted,
        at=cutoffs,
        figures=tuple(
            _figures(one, done, of_one, own) for one, of_one, own in zip(candidates, rankings, values, strict=True)
        ),
        differences=compare(values[0], values[1], _COMPARED) if len(values) == 2 and done else (),
        missed=_missed(candidates[0], done, rankings[0], document_names or {}),
        rows=tuple(_row(question, rankings) for question in done),
    )


def _candidate(given: Candidate | BaseRetriever, name: str) -> Candidate:
    return given if isinstance(given, Candidate) else Candidate(given, name)


def _ask(
    candidates: Sequence[Candidate], questions: Sequence[Question], document_id: DocumentId, on_progress: OnProgress
) -> tuple[list[dict[str, Ranking]], bool]:
    """Rankings of each candidate by question id, and whether Ctrl-C cut them short."""
    rankings: list[dict[str, Ranking]] = [{} for _ in candidates]
    try:
        for one in candidates:
            one.retriever.invoke(questions[0].question)
        for n_done, question in enumerate(questions, 1):
            for one, own in zip(candidates, rankings, strict=True):
                own[question.id] = rank(one.retriever, question, document_id)
            on_progress(n_done, len(questions))
    except KeyboardInterrupt:
        return rankings, True
    return rankings, False


def _values(
    questions: Sequence[Question], rankings: Mapping[str, Ranking], at: Sequence[int], k: int
) -> dict[Level, Values]:
    """The measures, with what each setting shows a model under one name for all settings."""
    by_id = {question.id: question for question in questions}
    return {
        level: {
            "hit@1": values["hit@1"],
            SHOWN: {
                name: recall if level == "evidence" else _documents_shown(by_id[name], rankings[name], k)
                for name, recall in values[f"recall@{k}"].items()
            },
            **values,
            "ndcg": values[f"ndcg@{at[-1]}"],
        }
        for level, values in measure(questions, rankings, at).items()
    }


def _documents_shown(question: Question, ranking: Ranking, k: int) -> float:
    """Share of the right documents that the first k passages come from, which may be fewer than k documents."""
    return len(set(question.doc_ids) & set(ranking.doc_ids[:k])) / len(question.doc_ids)


def _figures(
    candidate: Candidate, questions: Sequence[Question], rankings: Mapping[str, Ranking], values: Mapping[Level, Values]
) -> RetrievalFigures:
    own = [rankings[question.id] for question in questions]
    milliseconds = [1000 * ranking.seconds for ranking in own]
    return RetrievalFigures(
        name=candidate.name,
        k=candidate.k,
        estimates={
            level: {name: estimate(list(by_question.values())) for name, by_question in of_level.items()}
            for level, of_level in values.items()
        },
        latency_ms={f"p{p}": percentile(milliseconds, p) for p in (50, 95)} if own else {},
        shown_chars=sum(sum(ranking.n_chars[: candidate.k]) for ranking in own) / max(1, len(own)),
        n_empty=sum(not ranking.doc_ids for ranking in own),
    )


def _missed(
    candidate: Candidate, questions: Sequence[Question], rankings: Mapping[str, Ranking], names: Mapping[str, str]
) -> tuple[Missed, ...]:
    """The questions whose evidence is not among what a model is shown, all of it."""
    missed = []
    for question in questions:
        ranking = rankings[question.id]
        if _all_shown(question, ranking, candidate.k):
            continue
        expected = "; ".join(names.get(doc_id, doc_id) for doc_id in question.doc_ids)
        answer = " / ".join(question.answers or [text for item in question.evidence for text in item.texts[:1]])
        missed.append(Missed(question.id, question.question, answer, expected, ranking.first))
    return tuple(missed)


def _all_shown(question: Question, ranking: Ranking, k: int) -> bool:
    if question.evidence:
        return all(place is not None and place <= k for place in ranking.evidence_ranks)
    return bool(set(question.doc_ids) & set(ranking.doc_ids[:k]))


def _row(question: Question, rankings: Sequence[Mapping[str, Ranking]]) -> QuestionRow:
    """Where everything stood, for the table of questions."""
    own = [of_one[question.id] for of_one in rankings]
    return QuestionRow(
        id=question.id,
        kind=question.kind,
        question=question.question,
        document_ranks=tuple(_document_rank(question, ranking) for ranking in own),
        evidence_ranks=tuple(ranking.evidence_ranks for ranking in own),
        milliseconds=tuple(round(1000 * ranking.seconds, 2) for ranking in own),
    )


def _document_rank(question: Question, ranking: Ranking) -> int | None:
    for place, doc_id in enumerate(dict.fromkeys(ranking.doc_ids), 1):
        if doc_id in question.doc_ids:
            return place
    return None
