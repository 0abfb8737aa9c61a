"""A question and what finding its answer means: documents, and evidence that the passages must hold.

Knows nothing about files that questions are read from, nor about retrievers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chinese_llm_rag.schema import Span


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that has to stand whole in one passage.

    With a span it is these characters of the text of `doc_ids[0]`; otherwise any of `texts`, verbatim up to
    white space and width, in one of `doc_ids` (in any document where that is empty).
    """

    texts: tuple[str, ...] = ()
    doc_ids: tuple[str, ...] = ()
    span: Span | None = None

    def to_dict(self) -> dict[str, Any]:
        """The form of a question set's JSON."""
        place = {"start": self.span.start, "end": self.span.end} if self.span else {}
        return {"texts": list(self.texts), "doc_ids": list(self.doc_ids), **place}


@dataclass(frozen=True, slots=True)
class Question:
    """A question with what is known of its answer.

    Attributes:
        id: tells it from the others.
        question: as a user would ask it.
        answers: any of them is right.
        answer_parts: all of them are needed, each with its alternatives; empty where `answers` says it all.
        doc_ids: the documents that are right to find.
        evidence: all of it is needed.
        answerable: False where the right answer is that the documents do not say.
        kind: what sort of question it is, for tables by kind.
    """

    id: str
    question: str
    answers: tuple[str, ...] = ()
    answer_parts: tuple[tuple[str, ...], ...] = ()
    doc_ids: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    answerable: bool = True
    kind: str = ""

    def to_dict(self) -> dict[str, Any]:
        """One line of a JSONL question set; `parse_questions` reads it back."""
        return {
            "id": self.id,
            "question": self.question,
            "answers": list(self.answers),
            **({"answer_parts": [list(part) for part in self.answer_parts]} if self.answer_parts else {}),
            "doc_ids": list(self.doc_ids),
            "evidence": [item.to_dict() for item in self.evidence],
            "answerable": self.answerable,
            "type": self.kind,
        }


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Questions from one source.

    Attributes:
        questions: in the order of the source.
        origin: a file, or how they were made, for the reader of a report.
        notes: what the reader must know to judge the figures, in sentences.
        documents: texts by id, where the source brings them along.
    """

    questions: tuple[Question, ...]
    origin: str
    notes: tuple[str, ...] = ()
    documents: Mapping[str, str] = field(default_factory=dict)


def texts_of(values: Sequence[str]) -> tuple[str, ...]:
    """The values that hold anything, without white space around them, each once."""
    return tuple(dict.fromkeys(stripped for value in values if (stripped := value.strip())))
