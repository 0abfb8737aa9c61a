"""split: documents -> chunks whose spans point into the file's text.

`text[start:end] == chunk`, always: spans are computed while cutting, never searched for afterwards.
"""

import bisect
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any

import regex
from langchain_core.documents import Document
from langchain_text_splitters import TextSplitter

from chinese_llm_rag.chinese_text import iter_paragraphs, iter_sentences
from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say
from chinese_llm_rag.schema import PAGE_SEPARATOR, ChunkMetadata, Span

_CLAUSE_END = regex.compile(r"[，、,：:；;]|[）)】》」』](?=\w)|\s+")
# Runs that are cut only when one alone exceeds the size: numbers, dates, Latin words and addresses.
_ATOM = regex.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.,:/_%@-]*[A-Za-z0-9%])?|\X")


class ChineseTextSplitter(TextSplitter):
    """Cuts text into chunks at sentence ends, preferring the ends of paragraphs.

    A sentence is cut only when it alone exceeds `chunk_size`: then at clause ends, else between
    graphemes. Every character that is not white space is in some chunk; chunks come in order.

    Args:
        chunk_size: the most that `length_function` may give for a chunk.
        chunk_overlap: up to this much of the end of a chunk, in whole sentences, begins the next one.
        length_function: size of a text; characters by default, or a model's `count_tokens`.

    Raises:
        ConfigError: chunk_size is not positive, or the overlap is not below the size.
    """

    def __init__(
        self,
        chunk_size: int = 400,
        chunk_overlap: int = 0,
        length_function: Callable[[str], int] = len,
        *,
        add_start_index: bool = False,
    ) -> None:
        if chunk_size < 1:
            raise ConfigError(
                say(f"chunk_size={chunk_size!r}, expected at least 1", f"chunk_size={chunk_size!r}，应至少为 1"),
                setting="chunk_size",
            )
        if not 0 <= chunk_overlap < chunk_size:
            raise ConfigError(
                say(
                    f"chunk_overlap={chunk_overlap!r}, expected from 0 to below chunk_size={chunk_size}",
                    f"chunk_overlap={chunk_overlap!r}，应不小于 0 且小于 chunk_size={chunk_size}",
                ),
                setting="chunk_overlap",
            )
        super().__init__(
            chunk_size=chunk_size,
            chunk_overlap=chunk_overlap,
            length_function=length_function,
            add_start_index=add_start_index,
        )

    @property
    def identity(self) -> dict[str, str | int]:
        """What decides where this splitter cuts, for the knowledge base's record."""
        function = self._length_function
        return {
            "splitter": "chinese-1",
            "chunk_size": self._chunk_size,
            "chunk_overlap": self._chunk_overlap,
            "length": "characters" if function is len else getattr(function, "__qualname__", type(function).__name__),
        }

    def split_text(self, text: str) -> list[str]:
        """The chunks of a text, in order."""
        return [text[span.start : span.end] for span in self.split_spans(text)]

    def split_spans(self, text: str) -> list[Span]:
        """The spans of the chunks of a text, in order, without white space at their ends."""
        units = [piece for sentence in iter_sentences(text) for piece in self._pieces(text, sentence)]
        paragraph_starts = {span.start for span in iter_paragraphs(text)}
        spans: list[Span] = []
        first = 0
        while first < len(units):
            stop = self._chunk_stop(text, units, first, paragraph_starts)
            span = Span(units[first].start, units[stop - 1].end)
            if not spans or span.end > spans[-1].end:
                spans.append(span)
            first = self._next_first(text, units, first, stop)
        return spans

    def create_documents(self, texts: list[str], metadatas: list[dict[Any, Any]] | None = None) -> list[Document]:
        """Chunks of several texts; each carries `start` and `end` in its own text."""
        metadata_of = metadatas or [{} for _ in texts]
        chunks: list[Document] = []
        for text, metadata in zip(texts, metadata_of, strict=True):
            for span in self.split_spans(text):
                extra = {"start": span.start, "end": span.end}
                if self._add_start_index:
                    extra["start_index"] = span.start
                chunks.append(Document(text[span.start : span.end], metadata={**metadata, **extra}))
        return chunks

    def split_documents(self, documents: Iterable[Document]) -> list[Document]:
        """Chunks of documents, spans in the text of the file they come from.

        Neighbouring pages of one file (PageMetadata) are cut as one text, so that a sentence over a
        page break stays whole; such a chunk carries its page range (ChunkMetadata). Any other document
        is cut by itself and its metadata is kept.
        """
        chunks: list[Document] = []
        for is_page, group in groupby(documents, key=_page_group):
            if is_page is None:
                for document in group:
                    chunks.extend(self.create_documents([document.page_content], [document.metadata]))
            else:
                chunks.extend(self._split_pages(list(group)))
        return chunks

    def _split_pages(self, pages: list[Document]) -> list[Document]:
        text = PAGE_SEPARATOR.join(page.page_content for page in pages)
        base = pages[0].metadata["start"]
        offsets = [page.metadata["start"] for page in pages]
        numbers = [page.metadata["page"] for page in pages]
        chunks = []
        for span in self.split_spans(text):
            start, end = base + span.start, base + span.end
            first = bisect.bisect_right(offsets, start) - 1
            last = bisect.bisect_left(offsets, end) - 1
            metadata = ChunkMetadata(
                source=pages[0].metadata["source"],
                content_hash=pages[0].metadata["content_hash"],
                page_start=numbers[first],
                page_end=numbers[last],
                start=start,
                end=end,
                page_offsets=offsets[first : last + 1],
            )
            chunks.append(Document(text[span.start : span.end], metadata=dict(metadata)))
        return chunks

    def _fits(self, text: str, start: int, end: int) -> bool:
        return self._length_function(text[start:end]) <= self._chunk_size

    def _chunk_stop(self, text: str, units: list[Span], first: int, paragraph_starts: set[int]) -> int:
        """Index after the last unit of the chunk that begins with unit `first`."""
        stop = first + 1
        while stop < len(units) and self._fits(text, units[first].start, units[stop].end):
            stop += 1
        if stop == len(units):
            return stop
        # A paragraph's end in the second half is a better place than a fuller chunk.
        half = (units[first].start + units[stop - 1].end) / 2
        for candidate in range(stop, first, -1):
            start = units[candidate].start
            if start < half:
                break
            if any(position in paragraph_starts for position in range(units[candidate - 1].end, start + 1)):
                return candidate
        return stop

    def _next_first(self, text: str, units: list[Span], first: int, stop: int) -> int:
        if stop >= len(units) or self._chunk_overlap == 0:
            return stop
        start = stop
        while start - 1 > first and (
            self._length_function(text[units[start - 1].start : units[stop - 1].end]) <= self._chunk_overlap
            and self._fits(text, units[start - 1].start, units[stop].end)
        ):
            start -= 1
        return start

    def _pieces(self, text: str, sentence: Span) -> Iterator[Span]:
        """The sentence without white space at its ends, in pieces that fit the size."""
        span = _trimmed(text, sentence)
        while span is not None:
            if self._fits(text, span.start, span.end):
                yield span
                return
            cut = self._cut(text, span)
            piece = _trimmed(text, Span(span.start, cut))
            if piece is not None:
                yield piece
            span = _trimmed(text, Span(cut, span.end))

    def _cut(self, text: str, span: Span) -> int:
        """Where to cut a span that is too long: the last clause end that fits, else the last atom's end."""
        atoms = list(_ATOM.finditer(text, span.start, span.end))
        n = self._most_that_fit(text, span.start, [atom.end() for atom in atoms])
        if n == 0:  # one atom alone is too long
            graphemes = [m.end() for m in regex.finditer(r"\X", text, pos=span.start, endpos=atoms[0].end())]
            return graphemes[max(0, self._most_that_fit(text, span.start, graphemes) - 1)]
        limit = atoms[n - 1].end()
        edges = {atom.end() for atom in atoms[:n]}
        for match in reversed(list(_CLAUSE_END.finditer(text, span.start, limit))):
            if match.end() in edges and match.end() > span.start + (limit - span.start) // 3:
                return match.end()
        return limit

    def _most_that_fit(self, text: str, start: int, ends: list[int]) -> int:
        """How many of the ascending ends may be taken from start (lengths grow with the text)."""
        return bisect.bisect_left(ends, 1, key=lambda end: int(not self._fits(text, start, end)))


def _trimmed(text: str, span: Span) -> Span | None:
    start, end = span.start, span.end
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return Span(start, end) if end > start else None


def _page_group(document: Document) -> tuple[str, str] | None:
    metadata = document.metadata
    if {"source", "content_hash", "page", "start"} <= metadata.keys():
        return metadata["source"], metadata["content_hash"]
    return None
