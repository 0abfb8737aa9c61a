"""Whether an answer's citations are a question's evidence."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chinese_llm_rag.evaluation.holding import comparable, stands_in
from chinese_llm_rag.evaluation.questions import Evidence
from chinese_llm_rag.schema import Citation


@dataclass(frozen=True, slots=True)
class CitedEvidence:
    """Of each cited place whether it lies in evidence, and of each piece of evidence whether it is cited."""

    right: tuple[bool, ...] = ()
    found: tuple[bool, ...] = ()


def cited_evidence(
    citations: Sequence[Citation], evidence: Sequence[Evidence], document_of: Callable[[str], str]
) -> CitedEvidence:
    """Compare what is cited with what should be; a place that is cited twice counts once.

    Args:
        citations: of one answer.
        evidence: of its question.
        document_of: the document's id in the question set, of a citation's source.
    """
    places = list({(citation.source, citation.start, citation.end): citation for citation in citations}.values())
    meets = [[_meets(place, item, document_of(place.source)) for item in evidence] for place in places]
    return CitedEvidence(tuple(map(any, meets)), tuple(any(row[i] for row in meets) for i in range(len(evidence))))


def _meets(citation: Citation, evidence: Evidence, doc_id: str) -> bool:
    """Whether the place overlaps a span, or one of the quote and a wording of the evidence stands in the other."""
    if evidence.doc_ids and doc_id not in evidence.doc_ids:
        return False
    if evidence.span is not None:
        return citation.start < evidence.span.end and evidence.span.start < citation.end
    quote = comparable(citation.quote)
    return any(stands_in(piece, quote) or stands_in(citation.quote, comparable(piece)) for piece in evidence.texts)
