"""Passages that say the same in almost the same words, as one.

Compares characters alone: news agencies, copied clauses and two versions of a file repeat each other nearly
word for word, while passages that mean the same in other words are all wanted.
"""

import unicodedata
from collections.abc import Sequence

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from pydantic import Field

from chinese_llm_rag.retrievers.scored import identity_of

_SHINGLE_CHARS = 4


def shingles(text: str) -> frozenset[str]:
    """All runs of four letters or digits of a text, signs and white space left out; the text itself where shorter."""
    bare = "".join(c for c in unicodedata.normalize("NFKC", text).lower() if c.isalnum())
    if len(bare) <= _SHINGLE_CHARS:
        return frozenset([bare] if bare else [])
    return frozenset(bare[i : i + _SHINGLE_CHARS] for i in range(len(bare) - _SHINGLE_CHARS + 1))


def overlap(a: frozenset[str], b: frozenset[str]) -> float:
    """Share of what either holds that both hold (Jaccard), 0..1; 0 where both are empty."""
    common = len(a & b)
    return common / (len(a) + len(b) - common) if common else 0.0


def groups_of_near_duplicates(texts: Sequence[str], threshold: float) -> list[list[int]]:
    """Indices of texts that are near-duplicates of the first of their group, groups in the order of their first."""
    groups: list[list[int]] = []
    firsts: list[frozenset[str]] = []
    for index, text in enumerate(texts):
        own = shingles(text)
        for group, first in zip(groups, firsts, strict=True):
            # No more than the smaller set can be common, so most pairs need no intersection.
            possible = min(len(own), len(first)) / max(len(own), len(first), 1)
            if possible >= threshold and overlap(own, first) >= threshold:
                group.append(index)
                break
        else:
            groups.append([index])
            firsts.append(own)
    return groups


class NearDuplicateFilter(BaseDocumentCompressor):
    """Keeps the best of passages that are nearly the same, and notes where the others stand.

    A passage that stands for others has metadata["duplicates"]: of each other one its `source`, `chunk_id`,
    `page_start` and `page_end`, as far as it has them.

    Attributes:
        threshold: share of common runs of characters from which two passages are one, 0..1.
    """

    threshold: float = Field(default=0.8, gt=0, le=1)

    def compress_documents(
        self,
        documents: Sequence[Document],
        query: str,  # noqa: ARG002
        callbacks: Callbacks | None = None,  # noqa: ARG002
    ) -> list[Document]:
        """The passages, best first, without those that repeat a better one."""
        kept = []
        for first, *others in groups_of_near_duplicates([d.page_content for d in documents], self.threshold):
            document = documents[first]
            if others:
                places = [_place(documents[other]) for other in others]
                metadata = {**document.metadata, "duplicates": [*document.metadata.get("duplicates", ()), *places]}
                document = Document(document.page_content, id=document.id, metadata=metadata)
            kept.append(document)
        return kept


def _place(document: Document) -> dict[str, object]:
    named = {key: document.metadata[key] for key in ("source", "page_start", "page_end") if key in document.metadata}
    return {"chunk_id": identity_of(document), **named}
