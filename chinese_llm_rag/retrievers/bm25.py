"""Retrieval by words: BM25 over a WordIndex."""

from collections.abc import Iterable
from typing import Self

from langchain_core.callbacks import CallbackManager
from langchain_core.documents import Document

from chinese_llm_rag.retrievers.scored import Resolve, ScoredRetriever, scored
from chinese_llm_rag.retrievers.word_index import WordIndex


class BM25Retriever(ScoredRetriever):
    """Documents that share words with the query; `score` is BM25.

    Attributes:
        index: the words.
        resolve: the documents of ids. Those it leaves out are passed over, and others take their place.
        k: how many documents to give.
    """

    index: WordIndex
    resolve: Resolve

    @classmethod
    def from_documents(cls, documents: Iterable[Document], *, k: int = 4) -> Self:
        """A retriever over these documents, all in memory.

        A document's chunk_id or id, where it has one, tells it from others; of two with the same, the
        later one counts.
        """
        by_id = {
            str(document.metadata.get("chunk_id") or document.id or f"#{number}"): document
            for number, document in enumerate(documents)
        }
        index = WordIndex()
        index.add(
            (identity, document.page_content, str(document.metadata.get("source", "")))
            for identity, document in by_id.items()
        )
        index.commit()
        index.close()
        return cls(index=index, resolve=lambda ids: {i: by_id[i] for i in ids if i in by_id}, k=k)

    def _best(self, query: str, k: int, callbacks: CallbackManager) -> list[Document]:  # noqa: ARG002
        n_asked = k
        while True:
            hits = self.index.search(query, n_asked)
            documents = self.resolve([identity for identity, _ in hits])
            visible = [scored(documents[identity], score) for identity, score in hits if identity in documents]
            if len(visible) >= k or len(hits) < n_asked:
                return visible[:k]
            n_asked *= 2
