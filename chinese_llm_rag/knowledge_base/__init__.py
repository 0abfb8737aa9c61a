"""index: one knowledge base of three parts on disk: manifest (SQLite), vectors (Chroma), words (tantivy).

The names of `__all__` load their module when they are first used: what only lists bases needs no LangChain.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_HOMES = {
    "CarriedModel": "archive.contents",
    "ExportReport": "archive.export",
    "FileOutcome": "records",
    "FileRecord": "records",
    "Finding": "verify",
    "FurnitureRecord": "records",
    "ImportReport": "archive.restore",
    "IngestProgress": "records",
    "IngestReport": "records",
    "KnowledgeBase": "base",
    "ModelOnDisk": "archive.export",
    "Move": "archive.export",
    "PassageFilter": "passage_filter",
    "export_base": "archive.export",
    "import_base": "archive.restore",
}

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


def __getattr__(name: str) -> Any:  # noqa: ANN401  (PEP 562)
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
