"""What a knowledge base holds, as evaluation needs it: its documents' texts, and which document a passage is of."""

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING

from langchain_core.documents import Document

from chinese_llm_rag.evaluation.locate import SourceText
from chinese_llm_rag.schema import PAGE_SEPARATOR

if TYPE_CHECKING:
    from chinese_llm_rag.knowledge_base import KnowledgeBase


def document_of(passage: Document) -> str:
    """The document of a base's passage: its content, so that copies under other names are the same."""
    return str(passage.metadata["content_hash"])


def source_texts(base: "KnowledgeBase", names: Mapping[str, str] | None = None) -> list[SourceText]:
    """All documents of a base, in the order of their names.

    Args:
        base: a knowledge base.
        names: what questions call files, by path, where that is not their path or file name.
    """
    paths: dict[str, list[str]] = {}
    for record in base.files():
        if record.status == "indexed" and record.content_hash:
            paths.setdefault(record.content_hash, []).append(record.path)
    return [
        SourceText(
            doc_id=content_hash,
            names=tuple((names or {}).get(path, path) for path in own),
            text=PAGE_SEPARATOR.join(
                page.page_content for page in base.pages_of(Document("", metadata={"content_hash": content_hash}))
            ),
        )
        for content_hash, own in paths.items()
    ]


def drawn_chunks(base: "KnowledgeBase", n_chunks: int, *, seed: int = 0) -> list[Document]:
    """Chunks of a base by chance, the same for the same seed."""
    ids = sorted(base.chunk_ids())
    chosen = random.Random(seed).sample(ids, min(n_chunks, len(ids)))  # noqa: S311  (no secret)
    chunks = base.chunks(chosen)
    return [chunks[identity] for identity in chosen if identity in chunks]
