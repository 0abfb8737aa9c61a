"""index: one knowledge base of three parts on disk: manifest (SQLite), vectors (Chroma), words (tantivy)."""

from chinese_llm_rag.knowledge_base.base import KnowledgeBase
from chinese_llm_rag.knowledge_base.records import (
    FileOutcome,
    FileRecord,
    FurnitureRecord,
    IngestProgress,
    IngestReport,
)
from chinese_llm_rag.knowledge_base.verify import Finding

__all__ = ["FileOutcome", "FileRecord", "Finding", "FurnitureRecord", "IngestProgress", "IngestReport", "KnowledgeBase"]
