"""The ways of finding a passage that are compared: ours as a knowledge base builds it, and what others recommend.

`EnsembleRetriever` of LangChain is reciprocal rank fusion with the constant 60 and, in the recipes, equal weights.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import jieba
import numpy as np
from langchain_core.documents import Document
from okapi import Okapi
from retrieval_sets import QuestionSet, iter_chunks
from vector_cache import VectorCache

from chinese_llm_rag.chinese_text import search_terms
from chinese_llm_rag.knowledge_base.searching import Scope, SearchParts, build_retriever
from chinese_llm_rag.retrievers.dense import CHROMA_CONFIGURATION
from chinese_llm_rag.retrievers.fusion import reciprocal_rank_fusion
from chinese_llm_rag.retrievers.word_index import IndexedText, WordIndex
from chinese_llm_rag.text_splitters import text_with_context

if TYPE_CHECKING:
    from langchain_chroma import Chroma

N_CANDIDATES = 50  # of each list that is fused, and of each result
OURS = "ours"
BASELINES = ("BM25", "dense", "RRF", "RRF jieba")
METHODS = (*BASELINES, "words", "blend", OURS)


@dataclass
class Index:
    """The documents of a set in all indexes that the methods need."""

    chunks: dict[str, Document] = field(default_factory=dict)
    words: WordIndex = field(default_factory=WordIndex)
    okapi: dict[str, Okapi] = field(default_factory=dict)
    vectors: dict[str, np.ndarray] = field(default_factory=dict)
    store: "Chroma | None" = None

    @classmethod
    def of(cls, one: QuestionSet, cache: VectorCache) -> "Index":
        """The set's documents, cut and embedded; its questions are embedded too."""
        chunks = {str(chunk.id): chunk for chunk in iter_chunks(one.documents)}
        texts = [text_with_context(chunk) for chunk in chunks.values()]
        cache.fill("query", (question.text for question in one.questions))
        vectors = dict(zip(chunks, cache.array("passage", texts), strict=True))
        index = cls(chunks, vectors=vectors, store=_store(one.name, chunks, vectors, cache))
        index.words.add(
            IndexedText(identity, text, chunk.metadata["source"], 1, 1)
            for (identity, chunk), text in zip(chunks.items(), texts, strict=True)
        )
        index.words.commit()
        jieba.setLogLevel(60)
        index.okapi = {
            "BM25": Okapi([search_terms(text) for text in texts]),
            "jieba": Okapi([jieba_words(text) for text in texts]),
        }
        return index

    def method(self, name: str) -> Callable[[str], list[str]]:
        """From a question to the documents found, best first."""
        if name in ("BM25", "dense"):
            return lambda query: self._documents(self._ranked(name, query))
        if name.startswith("RRF"):
            of_words = "jieba" if name.endswith("jieba") else "BM25"
            return lambda query: self._documents(
                dict(reciprocal_rank_fusion([self._ranked(of_words, query), self._ranked("dense", query)]))
            )
        mode, reranker = {"words": ("bm25", None), "blend": ("hybrid", None), OURS: ("hybrid", "builtin")}[name]
        retriever = build_retriever(self.parts, Scope(), k=N_CANDIDATES, mode=mode, synonyms=None, reranker=reranker)
        return lambda query: list(dict.fromkeys(found.metadata["source"] for found in retriever.invoke(query)))

    @property
    def parts(self) -> SearchParts:
        """As a knowledge base hands them on."""
        return SearchParts(
            self.words,
            lambda: self.store,
            lambda ids: {identity: self.chunks[identity] for identity in ids},
            lambda ids: {identity: self.vectors[identity] for identity in ids},
        )

    def _ranked(self, name: str, query: str) -> dict[str, float]:
        if name == "dense":
            found = self.store.similarity_search_with_score(query, k=N_CANDIDATES)
            return {str(document.id): -distance for document, distance in found}
        terms = search_terms(query) if name == "BM25" else jieba_words(query)
        ids = list(self.chunks)
        return {ids[place]: score for place, score in self.okapi[name].best(terms, N_CANDIDATES)}

    def _documents(self, ranked: dict[str, float]) -> list[str]:
        best = sorted(ranked, key=lambda identity: -ranked[identity])
        return list(dict.fromkeys(self.chunks[identity].metadata["source"] for identity in best))


def jieba_words(text: str) -> list[str]:
    """As Langchain-Chatchat cuts texts for its BM25."""
    return [word for word in jieba.lcut_for_search(text) if word.strip()]


def _store(name: str, chunks: dict[str, Document], vectors: dict[str, np.ndarray], cache: VectorCache) -> "Chroma":
    import chromadb
    from langchain_chroma import Chroma

    client = chromadb.EphemeralClient(settings=chromadb.Settings(anonymized_telemetry=False))
    store = Chroma(
        f"set-{name}", embedding_function=cache, client=client, collection_configuration=CHROMA_CONFIGURATION
    )
    ids = list(chunks)
    for start in range(0, len(ids), 1000):
        portion = ids[start : start + 1000]
        store._collection.add(  # noqa: SLF001  (with vectors that are known)
            ids=portion,
            embeddings=[vectors[identity] for identity in portion],
            documents=[chunks[identity].page_content for identity in portion],
            metadatas=[{"chunk_id": identity} for identity in portion],
        )
    return store
