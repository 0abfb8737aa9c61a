"""Retrieval by words and by meaning together."""

from typing import Annotated, Literal

from langchain_core.callbacks import CallbackManager
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import Field

from chinese_llm_rag.retrievers.fusion import min_max_blend, reciprocal_rank_fusion
from chinese_llm_rag.retrievers.scored import ScoredRetriever, identity_of, scored

_FUSE = {"blend": min_max_blend, "rrf": reciprocal_rank_fusion}

Weight = Annotated[float, Field(gt=0)]


class HybridRetriever(ScoredRetriever):
    """The candidates of a BM25 and a dense retriever in one ranking.

    `score` is 0..1 with "blend", where 1 is the best of both rankings; it says where a document
    stands among the candidates, not how well it answers.

    Attributes:
        bm25: a retriever by words; it sets metadata["score"] and takes `k` when invoked.
        dense: a retriever by meaning; the same.
        k: how many documents to give.
        fetch_k: how many candidates to take from each.
        method: "blend" (min_max_blend) or "rrf" (reciprocal_rank_fusion).
        weights: of bm25 and of dense.
    """

    bm25: BaseRetriever
    dense: BaseRetriever
    fetch_k: int = Field(default=50, ge=1)
    method: Literal["blend", "rrf"] = "blend"
    weights: tuple[Weight, Weight] = (0.7, 0.3)

    def _best(self, query: str, k: int, callbacks: CallbackManager) -> list[Document]:
        documents: dict[str, Document] = {}
        rankings: list[dict[str, float]] = []
        for retriever in (self.bm25, self.dense):
            found = retriever.invoke(query, {"callbacks": callbacks}, k=max(k, self.fetch_k))
            documents.update((identity_of(document), document) for document in found)
            rankings.append({identity_of(document): document.metadata["score"] for document in found})
        fused = _FUSE[self.method](rankings, self.weights)
        return [scored(documents[identity], score) for identity, score in fused[:k]]
