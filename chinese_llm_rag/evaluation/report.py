"""What an evaluation found, as plain values. Knows nothing about how it is shown."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from chinese_llm_rag.evaluation.answers import AnswerReport
from chinese_llm_rag.evaluation.comparison import Difference
from chinese_llm_rag.evaluation.statistics import Estimate


@dataclass(frozen=True, slots=True)
class RetrievalFigures:
    """One setting's figures.

    Attributes:
        name: of the setting.
        k: passages that it shows a model.
        estimates: by level ("documents", "evidence") and measure.
        latency_ms: "p50" and "p95" of a search, the question's embedding included.
        shown_chars: characters that a model is shown for a question, on average.
        n_empty: questions for which nothing was found at all.
    """

    name: str
    k: int
    estimates: Mapping[str, Mapping[str, Estimate]]
    latency_ms: Mapping[str, float]
    shown_chars: float
    n_empty: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "name": self.name,
            "k": self.k,
            "measures": {
                level: {name: value.to_dict() for name, value in of_level.items()}
                for level, of_level in self.estimates.items()
            },
            "latency_ms": {name: round(value, 2) for name, value in self.latency_ms.items()},
            "shown_chars": round(self.shown_chars),
            "n_empty": self.n_empty,
        }


@dataclass(frozen=True, slots=True)
class Missed:
    """A question whose evidence the first setting does not show the model; `found` is its first passage."""

    id: str
    question: str
    answer: str
    documents: str
    found: str


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """Where the right things stood for one question, for each setting in turn; ranks count from 1."""

    id: str
    kind: str
    question: str
    document_ranks: tuple[int | None, ...]
    evidence_ranks: tuple[tuple[int | None, ...], ...]
    milliseconds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class RetrievalReport:
    """What `evaluate` found.

    Attributes:
        origin: where the questions come from.
        notes: what a reader must know to judge the figures.
        n_questions: of which is known what is right to find.
        n_asked: those that were asked before Ctrl-C, or all.
        interrupted: whether Ctrl-C cut it short.
        at: the cutoffs.
        figures: of the settings, one or two.
        differences: of the second setting from the first.
        missed: by the first setting.
        rows: one a question.
    """

    origin: str
    notes: tuple[str, ...]
    n_questions: int
    n_asked: int
    interrupted: bool
    at: tuple[int, ...]
    figures: tuple[RetrievalFigures, ...]
    differences: tuple[Difference, ...]
    missed: tuple[Missed, ...]
    rows: tuple[QuestionRow, ...]

    def to_dict(self) -> dict[str, Any]:
        """The form in which `eval --json` prints it; the rows are a table of their own."""
        return {
            "origin": self.origin,
            "notes": list(self.notes),
            "n_questions": self.n_questions,
            "n_asked": self.n_asked,
            "interrupted": self.interrupted,
            "at": list(self.at),
            "settings": [one.to_dict() for one in self.figures],
            "differences": [difference.to_dict() for difference in self.differences],
            "missed": [asdict(one) for one in self.missed],
        }


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """Retrieval, and answers where they were asked for."""

    retrieval: RetrievalReport
    answers: AnswerReport | None = None

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C cut any of it short."""
        return self.retrieval.interrupted or (self.answers is not None and self.answers.interrupted)

    def to_dict(self) -> dict[str, Any]:
        """The form in which `eval --json` prints it."""
        return {**self.retrieval.to_dict(), "answers": self.answers.to_dict() if self.answers else None}
