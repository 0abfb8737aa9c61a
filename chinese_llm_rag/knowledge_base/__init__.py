"""index: one knowledge base of three parts on disk: manifest (SQLite), vectors (Chroma), words (tantivy)."""

from chinese_llm_rag.knowledge_base.archive.contents import CarriedModel
from chinese_llm_rag.knowledge_base.archive.export import ExportReport, ModelOnDisk, Move, export_base
from chinese_llm_rag.knowledge_base.archive.restore import ImportReport, import_base
from chinese_llm_rag.knowledge_base.base import KnowledgeBase
from chinese_llm_rag.knowledge_base.passage_filter import PassageFilter
from chinese_llm_rag.knowledge_base.records import (
    FileOutcome,
    FileRecord,
    FurnitureRecord,
    IngestProgress,
    IngestReport,
)
from chinese_llm_rag.knowledge_base.verify import Finding

__all__ = [
    "CarriedModel",
    "ExportReport",
    "FileOutcome",
    "FileRecord",
    "Finding",
    "FurnitureRecord",
    "ImportReport",
    "IngestProgress",
    "IngestReport",
    "KnowledgeBase",
    "ModelOnDisk",
    "Move",
    "PassageFilter",
    "export_base",
    "import_base",
]
