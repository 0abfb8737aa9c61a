"""Settings -> how a knowledge base is searched: by words or meaning, with which synonyms, in whose order.

Imports of parts happen inside the functions: a command loads what it uses.
"""

from functools import lru_cache
from typing import TYPE_CHECKING

from chinese_llm_rag.offline import forbid_calling_home
from chinese_llm_rag.settings import Settings

if TYPE_CHECKING:
    from langchain_core.documents import BaseDocumentCompressor
    from langchain_core.retrievers import BaseRetriever

    from chinese_llm_rag.knowledge_base import KnowledgeBase, PassageFilter
    from chinese_llm_rag.retrievers.rerank import PairScorer


def build_retriever(
    settings: Settings,
    base: "KnowledgeBase",
    k: int | None = None,
    passage_filter: "PassageFilter | None" = None,
) -> "BaseRetriever":
    """The retriever that the settings ask for, over a knowledge base.

    Args:
        settings: how is searched.
        base: open, with its embedding model.
        k: how many passages; by default as the settings say.
        passage_filter: what a passage must meet.
    """
    from chinese_llm_rag.retrievers.synonyms import Synonyms  # noqa: PLC0415

    return base.retriever(
        k or settings.k,
        mode=settings.search_mode,
        filter=passage_filter,
        synonyms=None if settings.synonyms is None else Synonyms.load(settings.synonyms),
        reranker=build_reranker(settings) if settings.search_mode == "hybrid" else None,
    )


def build_reranker(settings: Settings) -> "BaseDocumentCompressor | None":
    """What orders the passages that were found; a cross-encoder is loaded."""
    if settings.reranker == "none":
        return None
    if settings.reranker == "builtin":
        from chinese_llm_rag.retrievers.evidence_reranker import EvidenceReranker  # noqa: PLC0415

        return EvidenceReranker()
    from chinese_llm_rag.retrievers.rerank import CrossEncoderReranker  # noqa: PLC0415

    return CrossEncoderReranker(scorer=_cross_encoder(settings.reranker, settings.n_threads))


@lru_cache(maxsize=1)
def _cross_encoder(model: str, n_threads: int | None) -> "PairScorer":
    """Loaded once, however many retrievers are built."""
    forbid_calling_home()
    if model.lower().endswith(".gguf"):
        from chinese_llm_rag.retrievers.llamacpp_reranker import LlamaCppScorer  # noqa: PLC0415

        return LlamaCppScorer(model, n_threads=n_threads)
    from chinese_llm_rag.retrievers.cross_encoder import SentenceTransformerScorer  # noqa: PLC0415

    return SentenceTransformerScorer(model, n_threads=n_threads)
