"""Small pieces are found, what stands around them is read: parent, neighbours, section, whole document.

Knows where chunks are in their file's text; the text and its chunks come from whoever keeps them, for example
`KnowledgeBase.pages_of`.
"""

from collections.abc import Callable, Sequence
from typing import Literal

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from pydantic import Field, PrivateAttr

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say
from chinese_llm_rag.retrievers.file_text import FileText
from chinese_llm_rag.schema import Span

Extent = Literal["parent", "neighbours", "section", "document"]
# The pages of the file of a chunk, with PageMetadata, all of them in order; or its chunks, in order.
OfFile = Callable[[Document], Sequence[Document]]

# What is tried in turn when a piece is too long.
_SMALLER: dict[Extent, Extent | None] = {
    "document": "section",
    "section": "parent",
    "parent": "neighbours",
    "neighbours": None,
}


# What holds of a chunk and not of what stands around it.
_OF_THE_CHUNK = {"headings", "table_header", "row_start", "row_end", "parent_start", "parent_end"}


class ContextExpander(BaseDocumentCompressor):
    """Replaces chunks by larger pieces of their files, each piece once, where the best of its chunks stood.

    A section is what stands under the innermost heading above the chunk that has more under it than the chunk.

    A piece keeps the `score` of that chunk, and metadata["found"] says where in the file the chunks are that it
    was taken for: [start, end] of each. What is too long is read in a smaller extent: a document by section, a
    section by parent, a parent with its neighbours, and in the end the chunk alone. metadata["extent"] says which
    it became ("chunk" for the chunk alone). A document that no splitter of ours has cut stays as it is.

    Attributes:
        extent: how far to reach.
        pages_of: the pages of a chunk's file.
        chunks_of: the chunks of a chunk's file, which "neighbours" and "section" need, for example
            `lambda chunk: splitter.split_documents(pages_of(chunk))`.
        n_neighbours: chunks before and after with "neighbours", under the same uppermost heading.
        max_length: the most that one piece may have.
        budget: the most that all pieces may have together. The chunks that are left when it is spent stay as they
            are: this decides how much is read around them, not which of them are read.
        length_function: measures a text; characters by default, or a model's `count_tokens`.
    """

    extent: Extent
    pages_of: OfFile
    chunks_of: OfFile | None = None
    n_neighbours: int = Field(default=1, ge=1)
    max_length: int | None = Field(default=None, ge=1)
    budget: int | None = Field(default=None, ge=1)
    length_function: Callable[[str], int] = len

    _extents: tuple[Extent, ...] = PrivateAttr()

    def model_post_init(self, context: object, /) -> None:
        """Check that what the extent needs is there."""
        super().model_post_init(context)
        if self.chunks_of is None and self.extent in ("neighbours", "section"):
            raise ConfigError(
                say(f"extent={self.extent!r} needs chunks_of", f"extent={self.extent!r} 需要 chunks_of"),
                setting="chunks_of",
            )
        extents: list[Extent] = [self.extent]
        while (smaller := _SMALLER[extents[-1]]) is not None:
            extents.append(smaller)
        without = {"neighbours", "section"} if self.chunks_of is None else set()
        self._extents = tuple(extent for extent in extents if extent not in without)

    def compress_documents(
        self,
        documents: Sequence[Document],
        query: str,  # noqa: ARG002
        callbacks: Callbacks | None = None,  # noqa: ARG002
    ) -> list[Document]:
        """The pieces, best first. Chunks within a piece that is already there add nothing but their place."""
        pieces: list[Document] = []
        files: dict[str, _OpenFile] = {}
        left = self.budget
        for document in documents:
            if not _is_chunk(document):
                pieces.append(document)
                continue
            holder = next((piece for piece in pieces if _holds(piece, document)), None)
            if holder is not None:
                _note(holder, document)
                continue
            key = document.metadata["content_hash"]
            file = files.setdefault(key, _OpenFile(document, self.pages_of, self.chunks_of))
            piece = self._piece(document, file, left)
            _note(piece, document)
            if left is not None:
                left = max(0, left - self.length_function(piece.page_content))
            pieces.append(piece)
        return pieces

    def _piece(self, chunk: Document, file: "_OpenFile", left: int | None) -> Document:
        limits = [limit for limit in (self.max_length, left) if limit is not None]
        for extent in self._extents:
            span = _span(extent, chunk, file, self.n_neighbours)
            if span is None:
                continue
            text = file.text.between(span)
            if not limits or self.length_function(text) <= min(limits):
                return _expanded(chunk, file, span, extent)
        return Document(chunk.page_content, id=chunk.id, metadata={**chunk.metadata, "extent": "chunk"})


class _OpenFile:
    """The text of a chunk's file, and its chunks, each fetched when asked for."""

    def __init__(self, chunk: Document, pages_of: OfFile, chunks_of: OfFile | None) -> None:
        self._chunk = chunk
        self._pages_of = pages_of
        self._chunks_of = chunks_of
        self._text: FileText | None = None
        self._chunks: Sequence[Document] | None = None

    @property
    def text(self) -> FileText:
        if self._text is None:
            self._text = FileText(self._pages_of(self._chunk))
        return self._text

    @property
    def chunks(self) -> Sequence[Document]:
        if self._chunks is None:
            assert self._chunks_of is not None
            self._chunks = self._chunks_of(self._chunk)
        return self._chunks


def _span(extent: Extent, chunk: Document, file: _OpenFile, n_neighbours: int) -> Span | None:
    """What an extent takes in; None where the chunk has no such."""
    metadata = chunk.metadata
    if extent == "document":
        return file.text.span
    if extent == "parent":
        if "parent_start" not in metadata:
            return None
        return Span(metadata["parent_start"], metadata["parent_end"])
    chunks = file.chunks
    place = next((i for i, other in enumerate(chunks) if other.metadata["start"] == metadata["start"]), None)
    if place is None:
        return None
    path = _path(chunk)
    if extent == "neighbours":
        return _run(chunks, place, path[:1], n_neighbours)
    runs = (_run(chunks, place, path[:depth], len(chunks)) for depth in range(len(path), -1, -1))
    return next((run for run in runs if run.end - run.start > metadata["end"] - metadata["start"]), None)


def _run(chunks: Sequence[Document], place: int, path: Sequence[str], reach: int) -> Span:
    """The chunks around one that stand under the same headings, up to `reach` of them on either side."""
    first = last = place
    while first > 0 and place - first < reach and _path(chunks[first - 1])[: len(path)] == path:
        first -= 1
    while last + 1 < len(chunks) and last - place < reach and _path(chunks[last + 1])[: len(path)] == path:
        last += 1
    return Span(chunks[first].metadata["start"], chunks[last].metadata["end"])


def _path(chunk: Document) -> list[str]:
    return list(chunk.metadata.get("headings", ()))


def _expanded(chunk: Document, file: _OpenFile, span: Span, extent: Extent) -> Document:
    metadata = {key: value for key, value in chunk.metadata.items() if key not in _OF_THE_CHUNK}
    if extent != "document" and "headings" in chunk.metadata:
        metadata["headings"] = list(chunk.metadata["headings"])
    if extent in ("neighbours", "section"):
        first = next(other for other in file.chunks if other.metadata["start"] == span.start)
        if "table_header" in first.metadata:
            metadata["table_header"] = first.metadata["table_header"]
    return Document(
        file.text.between(span), id=chunk.id, metadata={**metadata, **file.text.place_of(span), "extent": extent}
    )


def _is_chunk(document: Document) -> bool:
    return document.metadata.keys() >= {"content_hash", "start", "end"}


def _note(piece: Document, chunk: Document) -> None:
    piece.metadata.setdefault("found", []).append([chunk.metadata["start"], chunk.metadata["end"]])


def _holds(piece: Document, chunk: Document) -> bool:
    return _is_chunk(piece) and (
        piece.metadata["content_hash"] == chunk.metadata["content_hash"]
        and piece.metadata["start"] <= chunk.metadata["start"]
        and chunk.metadata["end"] <= piece.metadata["end"]
    )
