"""The text of a file as its pages give it, and what page each of its characters is on."""

import bisect
from collections.abc import Sequence
from typing import Any

from langchain_core.documents import Document

from chinese_llm_rag.schema import PAGE_SEPARATOR, Span


class FileText:
    """The pages of one file, joined.

    Args:
        pages: with PageMetadata, neighbouring, in order, at least one.
    """

    def __init__(self, pages: Sequence[Document]) -> None:
        self._text = PAGE_SEPARATOR.join(page.page_content for page in pages)
        self._offsets: list[int] = [page.metadata["start"] for page in pages]
        self._first_page: int = pages[0].metadata["page"]

    @property
    def span(self) -> Span:
        """All of it, in characters of the file's text."""
        return Span(self._offsets[0], self._offsets[0] + len(self._text))

    def between(self, span: Span) -> str:
        """The characters of a span of the file's text."""
        return self._text[span.start - self._offsets[0] : span.end - self._offsets[0]]

    def place_of(self, span: Span) -> dict[str, Any]:
        """Those fields of ChunkMetadata that say where a span is."""
        first = bisect.bisect_right(self._offsets, span.start) - 1
        last = max(first, bisect.bisect_left(self._offsets, span.end) - 1)
        return {
            "page_start": self._first_page + first,
            "page_end": self._first_page + last,
            "page_offsets": self._offsets[first : last + 1],
            "start": span.start,
            "end": span.end,
        }
