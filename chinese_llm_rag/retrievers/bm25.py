"""Retrieval by words: BM25 over a WordIndex."""

from collections.abc import Collection, Iterable
from typing import Self

from langchain_core.callbacks import CallbackManager
from langchain_core.documents import Document

from chinese_llm_rag.retrievers.scored import Resolve, ScoredRetriever, scored
from chinese_llm_rag.retrievers.synonyms import Synonyms
from chinese_llm_rag.retrievers.terms import WordCutter
from chinese_llm_rag.retrievers.word_index import IndexedText, WordIndex


class BM25Retriever(ScoredRetriever):
    """Documents that share words with the query; `score` is BM25.

    Attributes:
        index: the words.
        resolve: the documents of ids. Those it leaves out are passed over, and others take their place.
        synonyms: words that are looked for besides those of the query.
        sources: what the index calls the files that are searched; None searches all.
        pages: first and last page that a document lies on, at least in part.
        k: how many documents to give.
    """

    index: WordIndex
    resolve: Resolve
    synonyms: Synonyms | None = None
    sources: frozenset[str] | None = None
    pages: tuple[int, int] | None = None

    @classmethod
    def from_documents(
        cls,
        documents: Iterable[Document],
        *,
        k: int = 4,
        cut: WordCutter | None = None,
        synonyms: Synonyms | None = None,
    ) -> Self:
        """A retriever over these documents, all in memory.

        A document's chunk_id or id, where it has one, tells it from others; of two with the same, the
        later one counts.

        Args:
            documents: their texts are searched.
            k: how many to give.
            cut: gives words that are terms besides characters and pairs: jieba.lcut, or a Lexicon of names
                that shall count as a whole.
            synonyms: words that are looked for besides those of the query.
        """
        by_id = {
            str(document.metadata.get("chunk_id") or document.id or f"#{number}"): document
            for number, document in enumerate(documents)
        }
        index = WordIndex(cut=cut)
        index.add(_entry(identity, document) for identity, document in by_id.items())
        index.commit()
        index.close()
        return cls(index=index, resolve=lambda ids: {i: by_id[i] for i in ids if i in by_id}, synonyms=synonyms, k=k)

    def scores_of(self, query: str, ids: Collection[str]) -> dict[str, float]:
        """BM25 of documents that are named, whether or not they are among the best; 0 where no word is shared."""
        found = self.index.search(query, len(ids), ids=ids, synonyms=self.synonyms)
        return dict.fromkeys(ids, 0.0) | dict(found)

    def _best(self, query: str, k: int, callbacks: CallbackManager) -> list[Document]:  # noqa: ARG002
        n_asked = k
        while True:
            hits = self.index.search(query, n_asked, sources=self.sources, pages=self.pages, synonyms=self.synonyms)
            documents = self.resolve([identity for identity, _ in hits])
            visible = [scored(documents[identity], score) for identity, score in hits if identity in documents]
            if len(visible) >= k or len(hits) < n_asked:
                return visible[:k]
            n_asked *= 2


def _entry(identity: str, document: Document) -> IndexedText:
    metadata = document.metadata
    first, last = metadata.get("page_start", 0), metadata.get("page_end", 0)
    return IndexedText(identity, document.page_content, str(metadata.get("source", "")), first, last)
