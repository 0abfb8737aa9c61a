"""Documents that are cut as one text: neighbouring pages of one file, with what their loader knows of them."""

import bisect
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from langchain_core.documents import Document

from chinese_llm_rag.schema import PAGE_SEPARATOR, ChunkMetadata, PageMetadata, Span
from chinese_llm_rag.text_splitters.spans import KnownStructure
from chinese_llm_rag.text_splitters.tables import Table

_PAGE_KEYS = {"source", "content_hash", "page", "start"}
_CHUNK_KEYS = {"source", "content_hash", "page_start", "page_offsets", "start"}
# What holds of a page or a chunk, and not of what is cut out of it.
_OWN_KEYS = {*PageMetadata.__annotations__, *ChunkMetadata.__annotations__, "start_index"}
_WITH_WALLS = {"slide", "sheet", "chapter", "section"}  # pages that no sentence goes on from
_FRESH = {"slide", "sheet"}  # pages that stand under no heading of the page before


_MARKDOWN = {"", ".md", ".markdown", ".mdx", ".txt", ".text"}


class FileRun:
    """Pages of one file that follow one another, or a chunk of ours.

    Attributes:
        text: theirs, joined as in the text of the file.
        start: where it begins in the text of the file.
        known: what their loader, or our splitter, knows of it.
    """

    def __init__(self, documents: list[Document]) -> None:
        self._documents = documents
        metadata = documents[0].metadata
        self.text = PAGE_SEPARATOR.join(document.page_content for document in documents)
        self.start: int = metadata["start"]
        if _is_page(documents[0]):
            self._first_page: int = metadata["page"]
            self._offsets: list[int] = [document.metadata["start"] for document in documents]
            self.known = _known_of_pages(documents, self.text)
        else:
            self._first_page = metadata["page_start"]
            self._offsets = metadata["page_offsets"]
            self.known = KnownStructure(
                above=tuple(metadata.get("headings", ())),
                table_header=metadata.get("table_header", ""),
                markdown=_may_be_markdown(metadata["source"]),
            )

    def metadata(self, span: Span) -> dict[str, Any]:
        """Metadata of a chunk of the text, but for what depends on how it was cut."""
        start, end = self.start + span.start, self.start + span.end
        first = bisect.bisect_right(self._offsets, start) - 1
        last = bisect.bisect_left(self._offsets, end) - 1
        origin = self._documents[min(first, len(self._documents) - 1)].metadata
        fields = ChunkMetadata(
            source=origin["source"],
            content_hash=origin["content_hash"],
            page_start=self._first_page + first,
            page_end=self._first_page + last,
            start=start,
            end=end,
            page_offsets=self._offsets[first : last + 1],
        )
        if "place" in origin:
            fields["place"] = origin["place"]
        return {**{key: value for key, value in origin.items() if key not in _OWN_KEYS}, **fields}


def file_runs(documents: Iterable[Document]) -> Iterator[FileRun | Document]:
    """Runs of pages, chunks of ours, and any other document by itself."""
    run: list[Document] = []
    for document in documents:
        if run and not _follows(run[-1], document):
            yield _run(run)
            run = []
        run.append(document)
    if run:
        yield _run(run)


def _run(documents: list[Document]) -> FileRun | Document:
    ours = _is_page(documents[0]) or documents[0].metadata.keys() >= _CHUNK_KEYS
    return FileRun(documents) if ours else documents[0]


def _is_page(document: Document) -> bool:
    return document.metadata.keys() >= _PAGE_KEYS


def _follows(page: Document, other: Document) -> bool:
    before, after = page.metadata, other.metadata
    return (
        _is_page(page)
        and _is_page(other)
        and (before["source"], before["content_hash"]) == (after["source"], after["content_hash"])
        and after["page"] == before["page"] + 1
        and after["start"] == before["start"] + len(page.page_content) + len(PAGE_SEPARATOR)
    )


def _known_of_pages(pages: list[Document], text: str) -> KnownStructure:
    headings: list[tuple[Span, int]] = []
    tables: list[Table] = []
    walls: list[int] = []
    fresh: list[int] = []
    before = ""
    for page in pages:
        base = page.metadata["start"] - pages[0].metadata["start"]
        kind = page.metadata.get("place", {}).get("kind", "page")
        if base and {before, kind} & _WITH_WALLS:
            walls.append(base)
            if {before, kind} & _FRESH:
                fresh.append(base)
        before = kind
        for mark in page.metadata.get("marks", ()):
            start, end = base + mark["start"], base + mark["end"]
            if mark["kind"] == "heading":
                headings.append((Span(start, end), mark["level"]))
            else:
                tables.append(_table(text, base, start, end, mark))
    markdown = _may_be_markdown(pages[0].metadata["source"])
    return KnownStructure(tuple(headings), tuple(tables), tuple(walls), tuple(fresh), markdown=markdown)


def _may_be_markdown(source: object) -> bool:
    """Whether a line of the file that begins with # may be a heading: not in a PDF, nor an office file."""
    return Path(str(source)).suffix.lower() in _MARKDOWN


def _table(text: str, base: int, start: int, end: int, mark: Mapping[str, Any]) -> Table:
    header_end = base + mark["header_end"] if mark.get("header_end") else start
    return Table(start, end, header_end, text[start:header_end].rstrip(), mark.get("first_row", 0))
