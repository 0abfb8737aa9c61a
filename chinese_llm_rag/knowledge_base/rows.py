"""From documents to the rows of the manifest's tables, and the identities that the rows have."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from langchain_core.documents import Document

from chinese_llm_rag.chinese_text import normalize
from chinese_llm_rag.schema import PAGE_SEPARATOR
from chinese_llm_rag.text_splitters import text_with_context

_CHUNK_DETAILS = ("headings", "place", "table_header", "row_start", "row_end", "parent_start", "parent_end")
_PAGE_DETAILS = ("place", "marks", "furniture", "encoding")

Row = tuple[Any, ...]


def text_hash(text: str) -> str:
    """Identity of a text, under which its embedding is stored; that of a chunk is of the text with its context."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def pages_hash(texts: Iterable[str]) -> str:
    """Identity of a document's stored text."""
    return text_hash(PAGE_SEPARATOR.join(texts))


def with_ids(content_hash: str, chunks: Iterable[Document]) -> list[Document]:
    """Chunks with their identity: of the file's content, of where they are cut, and of the context they are read in."""
    named = []
    for chunk in chunks:
        place = f"{content_hash}:{chunk.metadata['start']}:{chunk.metadata['end']}"
        identity = hashlib.sha256(f"{place}:{text_hash(text_with_context(chunk))}".encode()).hexdigest()[:32]
        named.append(Document(chunk.page_content, id=identity, metadata={**chunk.metadata, "chunk_id": identity}))
    return named


def document_row(content_hash: str, loader: str, pages: Sequence[Document]) -> Row:
    """Of the table `documents`."""
    texts = [page.page_content for page in pages]
    return (content_hash, len(pages), sum(map(len, texts)), loader, pages_hash(texts))


def page_rows(content_hash: str, pages: Iterable[Document]) -> list[Row]:
    """Of the table `pages`."""
    return [
        (
            content_hash,
            page.metadata["page"],
            page.metadata["start"],
            page.page_content,
            _details(page, _PAGE_DETAILS),
        )
        for page in pages
    ]


def furniture_rows(content_hash: str, pages: Iterable[Document]) -> list[Row]:
    """Of the table `furniture`: each text once, with its first and its last page; no bare numbers."""
    numbers: dict[str, list[int]] = {}
    for page in pages:
        for text in page.metadata.get("furniture", ()):
            numbers.setdefault(text, []).append(page.metadata["page"])
    return [
        (content_hash, text, "".join(normalize(text).split()), on[0], on[-1])
        for text, on in numbers.items()
        if any(map(str.isalpha, text))
    ]


def chunk_rows(content_hash: str, chunks: Iterable[Document]) -> list[Row]:
    """Of the table `chunks`; the chunks have their ids."""
    return [
        (
            chunk.id,
            content_hash,
            ordinal,
            chunk.metadata["start"],
            chunk.metadata["end"],
            chunk.metadata["page_start"],
            chunk.metadata["page_end"],
            json.dumps(chunk.metadata["page_offsets"]),
            text_hash(text_with_context(chunk)),
            chunk.page_content,
            _details(chunk, _CHUNK_DETAILS),
        )
        for ordinal, chunk in enumerate(chunks)
    ]


def _details(document: Document, keys: Iterable[str]) -> str:
    metadata = document.metadata
    return json.dumps({key: metadata[key] for key in keys if metadata.get(key)}, ensure_ascii=False)
