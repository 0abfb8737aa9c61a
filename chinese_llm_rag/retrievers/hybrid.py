"""Retrieval by words and by meaning together."""

from collections.abc import Callable, Collection
from typing import Annotated, Literal, TypeVar

from langchain_core.callbacks import CallbackManager
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables.config import ContextThreadPoolExecutor
from pydantic import Field

from chinese_llm_rag.retrievers.fusion import fitted_weights, min_max_blend, reciprocal_rank_fusion
from chinese_llm_rag.retrievers.scored import ScoredRetriever, ScoresAny, identity_of, scored

T = TypeVar("T")
Weight = Annotated[float, Field(gt=0)]


class HybridRetriever(ScoredRetriever):
    """The candidates of a BM25 and a dense retriever in one ranking.

    `score` is 0..1 with "blend", where 1 is the best of both rankings; it says where a document
    stands among the candidates, not how well it answers.

    With "blend", a candidate of one retriever is scored by the other one too, where that can score any
    document (BM25Retriever can, and DenseRetriever with `vectors_of`); else it counts there as the last.

    Attributes:
        bm25: a retriever by words; it sets metadata["score"] and takes `k` when invoked.
        dense: a retriever by meaning; the same.
        k: how many documents to give.
        fetch_k: how many candidates to take from each.
        method: "blend" (min_max_blend) or "rrf" (reciprocal_rank_fusion).
        weights: of bm25 and of dense; None is, for "blend", by the query (fusion.fitted_weights), and for
            "rrf" the same for both.
    """

    bm25: BaseRetriever
    dense: BaseRetriever
    fetch_k: int = Field(default=50, ge=1)
    method: Literal["blend", "rrf"] = "blend"
    weights: tuple[Weight, Weight] | None = None

    def _best(self, query: str, k: int, callbacks: CallbackManager) -> list[Document]:
        n_wanted = max(k, self.fetch_k)
        found = self._of_both(lambda retriever, _: retriever.invoke(query, {"callbacks": callbacks}, k=n_wanted))
        documents = {identity_of(document): document for one in found for document in one}
        rankings = [{identity_of(document): document.metadata["score"] for document in one} for one in found]
        fused = self._fused(query, rankings, documents)
        return [scored(documents[identity], score) for identity, score in fused[:k]]

    def _fused(
        self, query: str, rankings: list[dict[str, float]], documents: Collection[str]
    ) -> list[tuple[str, float]]:
        if self.method == "rrf":
            return reciprocal_rank_fusion(rankings, self.weights)

        def scores(retriever: BaseRetriever, number: int) -> dict[str, float]:
            missing = [identity for identity in documents if identity not in rankings[number]]
            return retriever.scores_of(query, missing) if missing and isinstance(retriever, ScoresAny) else {}

        whole = [ranking | more for ranking, more in zip(rankings, self._of_both(scores), strict=True)]
        return min_max_blend(whole, self.weights or fitted_weights(query, *whole))

    def _of_both(self, ask: Callable[[BaseRetriever, int], T]) -> tuple[T, T]:
        """What each retriever gives, asked at the same time: both indexes are searched outside of Python."""
        with ContextThreadPoolExecutor(max_workers=1) as pool:
            by_words = pool.submit(ask, self.bm25, 0)
            by_meaning = ask(self.dense, 1)
            return by_words.result(), by_meaning
