"""Small pieces are searched, their surroundings are read: from found chunks to what stands around them."""

from collections.abc import Callable, Iterable, Sequence

from langchain_core.documents import Document

from chinese_llm_rag.schema import Span, with_context
from chinese_llm_rag.text_splitters.file_runs import FileRun


def read_parents(chunks: Iterable[Document], pages_of: Callable[[Document], Sequence[Document]]) -> list[Document]:
    """The parents of chunks that were found, each once, where the first of its chunks stands.

    A chunk without a parent stands for itself. A parent has the metadata of a chunk, and the `score` of the
    first of its chunks.

    Args:
        chunks: found chunks, best first, with ChunkMetadata.
        pages_of: the pages of the file that a chunk comes from, with PageMetadata, all of them in order.
    """
    parents: dict[tuple[str, int, int], Document] = {}
    for chunk in chunks:
        metadata = chunk.metadata
        if "parent_start" in metadata:
            key = (metadata["content_hash"], metadata["parent_start"], metadata["parent_end"])
            if key not in parents:
                parents[key] = _parent(chunk, pages_of(chunk))
        else:
            parents.setdefault((metadata["content_hash"], metadata["start"], metadata["end"]), chunk)
    return list(parents.values())


def text_with_context(chunk: Document) -> str:
    """The text of a chunk below what it cannot be read without: its headings, and the header of its table.

    This is what to embed and to show; a heading that is in the chunk is not repeated.
    """
    metadata = chunk.metadata
    return with_context(chunk.page_content, metadata.get("headings", ()), metadata.get("table_header", ""))


def _parent(chunk: Document, pages: Sequence[Document]) -> Document:
    run = FileRun(list(pages))
    start, end = chunk.metadata["parent_start"], chunk.metadata["parent_end"]
    span = Span(start - run.start, end - run.start)
    kept = {key: chunk.metadata[key] for key in ("score",) if key in chunk.metadata}
    return Document(run.text[span.start : span.end], metadata={**run.metadata(span), **kept})
