"""Retrievers over the indexes of a base, held to the passages that a filter lets through."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.retrievers import BaseRetriever

from chinese_llm_rag.knowledge_base.passage_filter import PassageFilter
from chinese_llm_rag.knowledge_base.records import FileRecord

if TYPE_CHECKING:
    from chinese_llm_rag.retrievers.dense import Nearest
    from chinese_llm_rag.retrievers.scored import Resolve, VectorsOf
    from chinese_llm_rag.retrievers.synonyms import Synonyms
    from chinese_llm_rag.retrievers.word_index import WordIndex

SearchMode = Literal["hybrid", "bm25", "dense"]
# SQLite, which Chroma asks, takes some 32,000 values in a condition.
_MOST_IN_CONDITION = 10_000


@dataclass(frozen=True, slots=True)
class Scope:
    """What a search is held to.

    Attributes:
        names: documents by content hash, each with the name that its passages are shown under; None for all.
        others: the documents that are left out.
        pages: first and last.
    """

    names: Mapping[str, str] | None = None
    others: frozenset[str] = frozenset()
    pages: tuple[int, int] | None = None

    @classmethod
    def of(cls, asked: PassageFilter | None, records: Sequence[FileRecord]) -> "Scope":
        """What a filter lets through of the files as they are now."""
        if not asked:
            return cls()
        present = [(record.content_hash, record) for record in records if record.content_hash is not None]
        names: dict[str, str] = {}
        for identity, record in present:
            if asked.takes(record):
                names.setdefault(identity, record.path)
        others = frozenset(identity for identity, _ in present if identity not in names)
        return cls(names, others, asked.pages)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is let through."""
        return self.names is not None and not self.names

    def resolve(self, chunks: "Resolve") -> "Resolve":
        """From ids to the chunks that are let through."""
        return chunks if self.names is None else lambda ids: self._let_through(chunks(ids))

    def condition(self) -> dict[str, Any] | None:
        """Chroma's for what is let through; None where `resolve` alone has to tell."""
        conditions: list[dict[str, Any]] = []
        if self.names is not None and self.others:
            if len(self.names) <= _MOST_IN_CONDITION:
                conditions.append({"content_hash": {"$in": sorted(self.names)}})
            elif len(self.others) <= _MOST_IN_CONDITION:
                conditions.append({"content_hash": {"$nin": sorted(self.others)}})
        if self.pages is not None:
            conditions += [{"page_start": {"$lte": self.pages[1]}}, {"page_end": {"$gte": self.pages[0]}}]
        return {"$and": conditions} if len(conditions) > 1 else next(iter(conditions), None)

    def _let_through(self, found: Mapping[str, Document]) -> dict[str, Document]:
        kept = {}
        for identity, document in found.items():
            name = (self.names or {}).get(document.metadata["content_hash"])
            if name is not None and self._on_pages(document):
                metadata = {**document.metadata, "source": name}
                kept[identity] = Document(document.page_content, id=document.id, metadata=metadata)
        return kept

    def _on_pages(self, document: Document) -> bool:
        first, last = self.pages or (None, None)
        return first is None or (document.metadata["page_start"] <= last and document.metadata["page_end"] >= first)


@dataclass(frozen=True, slots=True)
class SearchParts:
    """What a base is searched by.

    Attributes:
        words: the word index.
        vector_store: gives LangChain's store over the vectors.
        chunks: the visible chunks of ids.
        vectors: the vectors of ids.
        nearest: the ids nearest to a vector; None asks the store.
    """

    words: "WordIndex"
    vector_store: Callable[[], Any]
    chunks: "Resolve"
    vectors: "VectorsOf"
    nearest: "Nearest | None" = None


def build_retriever(
    parts: SearchParts,
    scope: Scope,
    *,
    k: int,
    mode: SearchMode,
    synonyms: "Synonyms | None",
    reranker: BaseDocumentCompressor | Literal["builtin"] | None,
) -> BaseRetriever:
    """The retriever of a mode over words and vectors.

    Args:
        parts: of the base.
        scope: what the search is held to.
        k: how many passages it gives.
        mode: by words, by meaning, or both.
        synonyms: words that are looked for besides those of a query.
        reranker: what orders the finds of both.
    """
    from chinese_llm_rag.retrievers.bm25 import BM25Retriever  # noqa: PLC0415  (loads LangChain)

    resolve = scope.resolve(parts.chunks)
    sources = None if scope.names is None else frozenset(scope.names)
    bm25 = BM25Retriever(index=parts.words, resolve=resolve, synonyms=synonyms, sources=sources, pages=scope.pages, k=k)
    if mode == "bm25" or scope.is_empty:
        return bm25
    from chinese_llm_rag.retrievers.dense import DenseRetriever  # noqa: PLC0415
    from chinese_llm_rag.retrievers.hybrid import HybridRetriever  # noqa: PLC0415

    dense = DenseRetriever(
        vector_store=parts.vector_store(),
        resolve=resolve,
        condition=scope.condition(),
        vectors_of=parts.vectors,
        nearest=parts.nearest,
        k=k,
    )
    if mode == "dense":
        return dense
    hybrid = HybridRetriever(bm25=bm25, dense=dense, k=k)
    if reranker is None:
        return hybrid
    from chinese_llm_rag.retrievers.evidence_reranker import EvidenceReranker  # noqa: PLC0415
    from chinese_llm_rag.retrievers.refining import RefiningRetriever  # noqa: PLC0415

    step = EvidenceReranker() if reranker == "builtin" else reranker
    return RefiningRetriever(retriever=hybrid, steps=[step], k=k)
