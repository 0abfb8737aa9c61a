"""What every retriever of this package gives back: copies of documents that carry their score."""

from collections.abc import Callable

from langchain_core.documents import Document

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say

# From chunk ids to documents; an id that is left out is not (or no longer) to be seen.
Resolve = Callable[[list[str]], dict[str, Document]]


def scored(document: Document, score: float) -> Document:
    """A copy with metadata["score"], higher is better, and its chunk_id, where it has one, as its id."""
    return Document(
        document.page_content,
        id=document.metadata.get("chunk_id", document.id),
        metadata={**document.metadata, "score": float(score)},
    )


def identity_of(document: Document) -> str:
    """What tells documents apart: the id, or else the text."""
    return str(document.metadata.get("chunk_id") or document.id or document.page_content)


def checked_k(k: int | None, default: int) -> int:
    """The number of results a call asked for, or the retriever's own.

    Raises:
        ConfigError: it is below 1.
    """
    if k is None:
        return default
    if k < 1:
        raise ConfigError(say(f"k={k!r}, expected at least 1", f"k={k!r}，应至少为 1"), setting="k")
    return k
