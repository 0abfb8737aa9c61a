"""A retriever whose finds go through steps: reranking, collapsing, spreading out, expanding."""

from collections.abc import Sequence

from langchain_core.callbacks import CallbackManager
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.retrievers import BaseRetriever
from pydantic import Field

from chinese_llm_rag.retrievers.scored import ScoredRetriever


class RefiningRetriever(ScoredRetriever):
    """The best k of what is left after the steps.

    LangChain's own (ContextualCompressionRetriever) is in langchain_classic, takes one step, and cannot ask for
    more candidates than it gives.

    Attributes:
        retriever: gives the candidates; takes `k` when invoked.
        steps: document compressors, in order; each gets what the one before gave.
        fetch_k: how many candidates to ask for; k when that is more.
        k: how many documents to give.
    """

    retriever: BaseRetriever
    steps: Sequence[BaseDocumentCompressor]
    fetch_k: int = Field(default=50, ge=1)

    def _best(self, query: str, k: int, callbacks: CallbackManager) -> list[Document]:
        found: Sequence[Document]
        found = self.retriever.invoke(query, {"callbacks": callbacks}, k=max(k, self.fetch_k))
        for step in self.steps:
            found = step.compress_documents(found, query, callbacks=callbacks)
        return list(found[:k])
