"""Answers over questions: how good they are, and both errors, refusing what stands there and answering what does not.

Knows a question answering Runnable by what it gives, an Answer; not how it is built.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable

from chinese_llm_rag.errors import ConfigError, ContextWindowExceededError
from chinese_llm_rag.evaluation.answer_scores import character_f1, exact_match, holds_answer
from chinese_llm_rag.evaluation.citing import CitedEvidence, cited_evidence
from chinese_llm_rag.evaluation.comparison import Difference, compare
from chinese_llm_rag.evaluation.holding import comparable, holds, stands_in
from chinese_llm_rag.evaluation.questions import Evidence, Question
from chinese_llm_rag.evaluation.rankings import DocumentId, source_of
from chinese_llm_rag.evaluation.statistics import Estimate, estimate, percentile
from chinese_llm_rag.language import say
from chinese_llm_rag.schema import Answer

_LEVEL = "answers"
WITHHELD = "wrong_answer_withheld"
_COMPARED = (
    *("wrong_refusal", "wrong_answer", WITHHELD, "refusal_recall", "f1", "exact_match", "holds_answer"),
    *("support", "citation_precision", "citation_recall"),
)

QuestionAnswering = Runnable[str, Answer]


@dataclass(frozen=True, slots=True)
class Answering:
    """A question answering chain under test.

    `withheld` is the same over a WithholdingRetriever, if at all; `document_of` gives the document's id in the
    question set, of a citation's source.
    """

    qa: QuestionAnswering
    withheld: QuestionAnswering | None = None
    name: str = "A"
    document_of: Callable[[str], str] = str


@dataclass(frozen=True, slots=True)
class AnswerOutcome:
    """What became of one question.

    `withheld_refused` tells whether it was refused when its evidence was taken away; None where that was not tried.
    `failed` is why there is no answer at all, for example a question that does not fit the window.
    """

    question_id: str
    text: str
    refused: bool
    n_sentences: int
    n_supported: int
    seconds: float
    withheld_refused: bool | None = None
    failed: str | None = None
    cited: CitedEvidence = field(default_factory=CitedEvidence)


@dataclass(frozen=True, slots=True)
class AnswerFigures:
    """One setting's answers: estimates by measure, "p50" and "p95" of an answer's seconds, and every outcome."""

    name: str
    estimates: Mapping[str, Estimate]
    latency_s: Mapping[str, float]
    n_failed: int
    outcomes: tuple[AnswerOutcome, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without the outcomes."""
        return {
            "name": self.name,
            "measures": {name: value.to_dict() for name, value in self.estimates.items()},
            "latency_s": {name: round(value, 3) for name, value in self.latency_s.items()},
            "n_failed": self.n_failed,
        }


@dataclass(frozen=True, slots=True)
class AnswerReport:
    """What `evaluate_answers` found; `n_asked` is less than `n_questions` where Ctrl-C cut it short."""

    figures: tuple[AnswerFigures, ...]
    differences: tuple[Difference, ...]
    n_questions: int
    n_asked: int
    interrupted: bool

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "n_questions": self.n_questions,
            "n_asked": self.n_asked,
            "interrupted": self.interrupted,
            "settings": [one.to_dict() for one in self.figures],
            "differences": [difference.to_dict() for difference in self.differences],
        }


class WithholdingRetriever(BaseRetriever):
    """A retriever that keeps back every passage with a question's evidence or answer: the right answer is a refusal.

    Attributes:
        retriever: gives more than k passages, so that others can take the place of those kept back.
        questions: by their wording.
        k: how many passages to give.
        document_id: the document of a passage.
    """

    retriever: BaseRetriever
    questions: dict[str, Question]
    k: int = 4
    document_id: DocumentId = source_of

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        found = self.retriever.invoke(query, {"callbacks": run_manager.get_child()})
        question = self.questions.get(query)
        kept = [passage for passage in found if question is None or not self._tells(passage, question)]
        return kept[: self.k]

    def _tells(self, passage: Document, question: Question) -> bool:
        doc_id = self.document_id(passage)
        text = comparable(passage.page_content)
        wordings = (*question.answers, *(wording for part in question.answer_parts for wording in part))
        return any(stands_in(wording, text) for wording in wordings) or any(
            _touches(passage, doc_id, item) for item in question.evidence
        )


def _touches(passage: Document, doc_id: str, evidence: Evidence) -> bool:
    """Whether any of the evidence is in the passage."""
    if evidence.span is None:
        return holds(passage, doc_id, evidence)
    start, end = passage.metadata.get("start"), passage.metadata.get("end")
    if start is None or end is None:
        return False
    return doc_id in evidence.doc_ids and start < evidence.span.end and evidence.span.start < end


def evaluate_answers(
    candidates: Answering | Sequence[Answering],
    questions: Sequence[Question],
    *,
    on_progress: Callable[[int, int], None] = lambda done, total: None,  # noqa: ARG005
) -> AnswerReport:
    """Ask every question and compare with what is known of its answer.

    Measures, each over the questions it applies to: "wrong_refusal" (an answer is there, and none was given),
    "wrong_answer" (answered although the documents do not say), "wrong_answer_withheld" (answered although its
    evidence was withheld), "refusal_recall" (of the questions, withheld ones too, that should be refused, those that
    were) and "refusal_precision" (of those that were refused, those that should be), "f1", "exact_match" and
    "holds_answer" (a refusal counts 0 for these); over what was answered, "support" (of an answer's sentences, those
    with a citation), "citation_precision" (of the places cited, those in the evidence) and "citation_recall" (of the
    pieces of evidence, those cited). Ctrl-C ends the asking.

    Args:
        candidates: one setting or two, which are then compared.
        questions: those with answers, or of which it is known that there is none.
        on_progress: told the number of questions asked, and of all.

    Raises:
        ConfigError: no question has an answer to compare with.
    """
    settings = [candidates] if isinstance(candidates, Answering) else list(candidates)
    asked = [q for q in questions if not q.answerable or q.answers or q.answer_parts]
    if not asked:
        raise ConfigError(
            say("no question has an answer to compare with", "没有带答案的问题，无法评测回答"),
            setting="questions",
            hint=say("give questions with the field 'answers'", "请提供带 answers（答案）字段的问题"),
        )
    outcomes: list[list[AnswerOutcome]] = [[] for _ in settings]
    interrupted = False
    try:
        for n_done, question in enumerate(asked, 1):
            for setting, own in zip(settings, outcomes, strict=True):
                own.append(_ask(setting, question))
            on_progress(n_done, len(asked))
    except KeyboardInterrupt:
        interrupted = True
    n_asked = len(outcomes[-1])
    values = [{_LEVEL: _values(asked[:n_asked], own)} for own in outcomes]
    return AnswerReport(
        figures=tuple(
            _figures(setting.name, own[:n_asked], value[_LEVEL])
            for setting, own, value in zip(settings, outcomes, values, strict=True)
        ),
        differences=compare(values[0], values[1], _COMPARED) if len(values) == 2 and n_asked else (),
        n_questions=len(asked),
        n_asked=n_asked,
        interrupted=interrupted,
    )


def _ask(setting: Answering, question: Question) -> AnswerOutcome:
    began = time.perf_counter()
    try:
        answer = setting.qa.invoke(question.question)
        seconds = time.perf_counter() - began
        withheld = None
        if setting.withheld is not None and question.answerable:
            withheld = setting.withheld.invoke(question.question).refused
    except ContextWindowExceededError as error:
        return AnswerOutcome(question.id, "", False, 0, 0, time.perf_counter() - began, failed=str(error))  # noqa: FBT003
    n_supported = sum(sentence.supported for sentence in answer.sentences)
    return AnswerOutcome(
        question.id,
        answer.text.strip(),
        answer.refused,
        len(answer.sentences),
        n_supported,
        seconds,
        withheld,
        cited=cited_evidence(answer.citations, question.evidence, setting.document_of),
    )


def _values(questions: Sequence[Question], outcomes: Sequence[AnswerOutcome]) -> dict[str, dict[str, float]]:
    """Values by measure and question id."""
    values: dict[str, dict[str, float]] = {}
    for question, outcome in zip(questions, outcomes, strict=False):
        if outcome.failed is None:
            for name, value in _scores(question, outcome).items():
                values.setdefault(name, {})[question.id] = value
            for case, should_refuse, refused in _cases(question, outcome):
                if should_refuse:
                    values.setdefault("refusal_recall", {})[case] = float(refused)
                if refused:
                    values.setdefault("refusal_precision", {})[case] = float(should_refuse)
    return values


def _cases(question: Question, outcome: AnswerOutcome) -> list[tuple[str, bool, bool]]:
    """Each asking of a question: an id, whether it should be refused, whether it was."""
    cases = [(question.id, not question.answerable, outcome.refused)]
    if outcome.withheld_refused is not None:
        cases.append((f"{question.id} withheld", True, outcome.withheld_refused))
    return cases


def _scores(question: Question, outcome: AnswerOutcome) -> dict[str, float]:
    scores: dict[str, float] = {}
    if not outcome.refused and outcome.n_sentences:
        scores["support"] = outcome.n_supported / outcome.n_sentences
        for name, of in (("citation_precision", outcome.cited.right), ("citation_recall", outcome.cited.found)):
            if question.evidence and of:
                scores[name] = sum(of) / len(of)
    if not question.answerable:
        return {**scores, "wrong_answer": float(not outcome.refused)}
    scores["wrong_refusal"] = float(outcome.refused)
    if outcome.withheld_refused is not None:
        scores[WITHHELD] = float(not outcome.withheld_refused)
    said = "" if outcome.refused else outcome.text
    parts = question.answer_parts or (question.answers,)
    scores["holds_answer"] = holds_answer(said, parts)
    if question.answers:
        scores["f1"] = character_f1(said, question.answers)
        scores["exact_match"] = exact_match(said, question.answers)
    return scores


def _figures(name: str, outcomes: Sequence[AnswerOutcome], values: Mapping[str, Mapping[str, float]]) -> AnswerFigures:
    seconds = [outcome.seconds for outcome in outcomes if outcome.failed is None]
    return AnswerFigures(
        name=name,
        estimates={measure: estimate(list(by_question.values())) for measure, by_question in values.items()},
        latency_s={f"p{p}": percentile(seconds, p) for p in (50, 95)} if seconds else {},
        n_failed=sum(outcome.failed is not None for outcome in outcomes),
        outcomes=tuple(outcomes),
    )
