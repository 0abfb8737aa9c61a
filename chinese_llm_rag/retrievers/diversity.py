"""Maximal marginal relevance: passages that answer and do not repeat each other.

Carbonell and Goldstein, "The Use of MMR, Diversity-Based Reranking for Reordering Documents and Producing
Summaries", SIGIR 1998. langchain_core has one over embeddings alone, where relevance is the cosine to the query;
this one keeps the relevance of any retriever.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from pydantic import Field

from chinese_llm_rag.retrievers.near_duplicates import overlap, shingles
from chinese_llm_rag.retrievers.scored import VectorsOf, identity_of

Matrix = npt.NDArray[np.float64]


def marginal_relevance_order(relevance: Sequence[float], similarity: Matrix, weight: float, k: int) -> list[int]:
    """The k indices that MMR takes, in its order.

    Args:
        relevance: of each item; only the differences count, stretched to 0..1.
        similarity: shape [n, n], 0..1.
        weight: of relevance, 0..1; 1 is the order of relevance.
        k: how many at most.
    """
    given = np.asarray(relevance, dtype=np.float64)
    spread = float(np.ptp(given)) if len(given) else 0.0
    worth = weight * ((given - given.min()) / spread if spread else np.ones(len(given)))
    nearest = np.zeros(len(given))
    left = np.ones(len(given), dtype=bool)
    order: list[int] = []
    while len(order) < min(k, len(given)):
        marginal = np.where(left, worth - (1 - weight) * nearest, -np.inf)
        best = int(np.argmax(marginal))  # the first of equals
        order.append(best)
        left[best] = False
        nearest = np.maximum(nearest, similarity[best])
    return order


class DiversityReranker(BaseDocumentCompressor):
    """Orders passages by MMR and keeps the best k.

    Attributes:
        k: how many to keep; None keeps all, in the new order.
        weight: of relevance against novelty, 0..1.
        vectors_of: gives the vectors of chunks, for likeness in meaning; without it, likeness is the share of
            common runs of characters. Of a chunk without a vector nothing is like it.
    """

    k: int | None = Field(default=None, ge=1)
    weight: float = Field(default=0.7, ge=0, le=1)
    vectors_of: VectorsOf | None = None

    def compress_documents(
        self,
        documents: Sequence[Document],
        query: str,  # noqa: ARG002
        callbacks: Callbacks | None = None,  # noqa: ARG002
    ) -> list[Document]:
        """The passages in the order of their marginal relevance; `score` stays what it was."""
        if not documents:
            return []
        similarity = _by_characters(documents) if self.vectors_of is None else _by_vectors(documents, self.vectors_of)
        relevance = [float(document.metadata.get("score", -rank)) for rank, document in enumerate(documents)]
        order = marginal_relevance_order(relevance, similarity, self.weight, self.k or len(documents))
        return [documents[index] for index in order]


def _by_characters(documents: Sequence[Document]) -> Matrix:
    sets = [shingles(document.page_content) for document in documents]
    return np.array([[overlap(a, b) for b in sets] for a in sets], dtype=np.float64)


def _by_vectors(documents: Sequence[Document], vectors_of: VectorsOf) -> Matrix:
    """Cosines stretched to 0..1 over the pairs at hand, since models put all texts into a narrow cone."""
    identities = [identity_of(document) for document in documents]
    vectors = vectors_of(identities)
    known = [index for index, identity in enumerate(identities) if identity in vectors]
    similarity = np.zeros((len(documents), len(documents)))
    if len(known) > 1:
        stacked = np.asarray([vectors[identities[index]] for index in known], dtype=np.float64)
        cosines = stacked @ stacked.T
        pairs = cosines[~np.eye(len(known), dtype=bool)]
        least, spread = pairs.min(), max(float(np.ptp(pairs)), 1e-9)
        similarity[np.ix_(known, known)] = np.clip((cosines - least) / spread, 0.0, 1.0)
    return similarity
