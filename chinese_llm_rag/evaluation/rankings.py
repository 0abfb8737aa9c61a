"""Ask a retriever each question, and keep what the measures need of the passages it gives."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from chinese_llm_rag.evaluation.holding import first_rank
from chinese_llm_rag.evaluation.questions import Question

DocumentId = Callable[[Document], str]

_EXCERPT_CHARS = 60


@dataclass(frozen=True, slots=True)
class Ranking:
    """What one question brought, best first.

    Attributes:
        doc_ids: the document of each passage.
        evidence_ranks: for each piece of the question's evidence the rank, from 1, of the first passage that
            holds it; None where none does.
        n_chars: length of each passage.
        seconds: from the question to the passages, the question's embedding included.
        first: how the first passage begins, with its source; empty where nothing was found.
    """

    doc_ids: tuple[str, ...]
    evidence_ranks: tuple[int | None, ...]
    n_chars: tuple[int, ...]
    seconds: float
    first: str


def source_of(passage: Document) -> str:
    """The document of a passage by its metadata's `source`, or else by its own id."""
    return str(passage.metadata.get("source") or passage.id or passage.page_content)


def rank(retriever: BaseRetriever, question: Question, document_id: DocumentId = source_of) -> Ranking:
    """Ask one question."""
    began = time.perf_counter()
    passages = retriever.invoke(question.question)
    seconds = time.perf_counter() - began
    placed = [(document_id(passage), passage) for passage in passages]
    return Ranking(
        doc_ids=tuple(doc_id for doc_id, _ in placed),
        evidence_ranks=tuple(first_rank(placed, item) for item in question.evidence),
        n_chars=tuple(len(passage.page_content) for passage in passages),
        seconds=seconds,
        first=_excerpt(passages[0]) if passages else "",
    )


def _excerpt(passage: Document) -> str:
    text = " ".join(passage.page_content.split())
    shortened = text if len(text) <= _EXCERPT_CHARS else f"{text[: _EXCERPT_CHARS - 1]}…"
    return f"{passage.metadata.get('source', '')}: {shortened}"
