"""Retrieval by meaning: the nearest vectors of a LangChain vector store."""

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
from langchain_core.callbacks import CallbackManager
from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore

from chinese_llm_rag.retrievers.scored import Resolve, ScoredRetriever, VectorsOf, identity_of, scored

# For a Chroma collection. Embedding models pack all texts into a narrow cone, where a thin graph leaves some
# vectors out of reach: with Chroma's defaults (16, 100, 100) a search over 4,400 passages missed the nearest one
# for 5 questions in 1,000, others after each build; with these it missed none and 1 in 10,000 of the first fifty.
CHROMA_CONFIGURATION: dict[str, Any] = {
    "hnsw": {"space": "cosine", "max_neighbors": 32, "ef_construction": 400, "ef_search": 400}
}


# From a query's vector, how many are wanted, and a condition or None: ids with the store's figures, nearest first.
Nearest = Callable[[list[float], int, Any], list[tuple[str, float]]]


def cosine_similarity(distance: float) -> float:
    """Cosine similarity, -1..1, from the cosine distance that Chroma gives."""
    return 1.0 - distance


class DenseRetriever(ScoredRetriever):
    """Documents whose vectors are nearest to the query's.

    Attributes:
        vector_store: any LangChain vector store with similarity_search_with_score.
        resolve: the documents of ids, when the store's own copies are not to be trusted. Those it
            leaves out are passed over, and others take their place.
        to_score: from the store's figure to a score where higher is better. The default fits a Chroma
            collection with CHROMA_CONFIGURATION; for a store that gives similarities pass `float`.
        vectors_of: gives the vectors of ids, of unit length; with it any document can be scored (`scores_of`).
        nearest: asks the store for ids alone, which takes Chroma half the time; used where `resolve` is given.
        condition: what the store calls `filter` in its searches, in the form that it takes.
        k: how many documents to give.
    """

    vector_store: VectorStore
    resolve: Resolve | None = None
    to_score: Callable[[float], float] = cosine_similarity
    condition: Any = None
    vectors_of: VectorsOf | None = None
    nearest: Nearest | None = None

    def _best(self, query: str, k: int, callbacks: CallbackManager) -> list[Document]:  # noqa: ARG002
        n_asked = k
        while True:
            visible, n_hits = self._nearest(query, n_asked)
            if len(visible) >= k or n_hits < n_asked:
                visible.sort(key=lambda document: (-document.metadata["score"], identity_of(document)))
                return visible[:k]
            n_asked *= 2

    def scores_of(self, query: str, ids: Collection[str]) -> dict[str, float]:
        """Cosine similarity of documents that are named, whether or not they are near; without those of no vector."""
        embeddings = self.vector_store.embeddings
        if self.vectors_of is None or embeddings is None or not ids:
            return {}
        vectors = self.vectors_of(list(ids))
        asked = np.asarray(embeddings.embed_query(query), dtype=np.float32)
        asked /= max(float(np.linalg.norm(asked)), 1e-12)
        return {identity: float(np.asarray(vector, dtype=np.float32) @ asked) for identity, vector in vectors.items()}

    def _nearest(self, query: str, k: int) -> tuple[list[Document], int]:
        """Those of the k nearest that are to be seen, and how many there were."""
        embeddings = self.vector_store.embeddings
        if self.nearest is not None and self.resolve is not None and embeddings is not None:
            hits = self.nearest(embeddings.embed_query(query), k, self.condition)
        else:
            held_to = {} if self.condition is None else {"filter": self.condition}
            found = self.vector_store.similarity_search_with_score(query, k=k, **held_to)
            if self.resolve is None:
                return [scored(document, self.to_score(figure)) for document, figure in found], len(found)
            hits = [(identity_of(document), figure) for document, figure in found]
        documents = self.resolve([identity for identity, _ in hits])
        visible = [scored(documents[i], self.to_score(figure)) for i, figure in hits if i in documents]
        return visible, len(hits)
