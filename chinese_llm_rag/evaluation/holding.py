"""Whether a passage holds a piece of evidence.

Texts are compared in one form: NFKC, lower case, no white space but between Latin letters or digits. A text that
begins or ends with a digit or Latin letter must not go on there: 70 does not stand in 1970.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from langchain_core.documents import Document

from chinese_llm_rag.chinese_text import normalize
from chinese_llm_rag.evaluation.questions import Evidence
from chinese_llm_rag.schema import with_context

_LATIN = "a-z0-9"
_LOOSE_SPACE = re.compile(rf"(?<![{_LATIN}])\s+|\s+(?![{_LATIN}])")
_SPACE = re.compile(r"\s+")
_EDGES = re.compile(r"^[\W_]+|[\W_]+$")


def comparable(text: str) -> str:
    """The one form in which evidence and passages are compared."""
    return _SPACE.sub(" ", _LOOSE_SPACE.sub("", normalize(text)))


_comparable_passage = lru_cache(maxsize=20_000)(comparable)  # the same passages come again and again


@lru_cache(maxsize=20_000)
def _sought(text: str) -> tuple[str, re.Pattern[str] | None]:
    """What to look for, and a pattern where it begins or ends with what must not go on."""
    bare = _EDGES.sub("", comparable(text))
    before = rf"(?<![{_LATIN}])(?<!\d[.,])" if re.match(f"[{_LATIN}]", bare) else ""
    after = rf"(?![{_LATIN}])(?![.,]\d)" if re.search(f"[{_LATIN}]$", bare) else ""
    return bare, re.compile(before + re.escape(bare) + after) if before or after else None


def stands_in(text: str, comparable_text: str) -> bool:
    """Whether a text stands verbatim in another that is in the comparable form; one without a letter never does."""
    bare, pattern = _sought(text)
    if not bare or bare not in comparable_text:
        return False
    return pattern is None or pattern.search(comparable_text) is not None


def holds(passage: Document, doc_id: str, evidence: Evidence) -> bool:
    """Whether the evidence stands whole in the passage, read below its headings and its table's header.

    Args:
        passage: as retrieved; a span needs `start` and `end` in its metadata.
        doc_id: of the document that the passage comes from.
        evidence: what has to be there.
    """
    if evidence.doc_ids and doc_id not in evidence.doc_ids:
        return False
    metadata = passage.metadata
    if evidence.span is not None:
        start, end = metadata.get("start"), metadata.get("end")
        return start is not None and end is not None and start <= evidence.span.start and evidence.span.end <= end
    text = with_context(passage.page_content, metadata.get("headings", ()), metadata.get("table_header", ""))
    return any(stands_in(piece, _comparable_passage(text)) for piece in evidence.texts)


def first_rank(passages: Iterable[tuple[str, Document]], evidence: Evidence) -> int | None:
    """Rank, from 1, of the first of these passages (with their documents' ids) that holds the evidence."""
    for rank, (doc_id, passage) in enumerate(passages, start=1):
        if holds(passage, doc_id, evidence):
            return rank
    return None
