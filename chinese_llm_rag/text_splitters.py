"""split: documents -> chunks whose spans point into the file's text.

`text[start:end] == chunk`, always: spans are computed while cutting, never searched for afterwards.
"""

import bisect
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import regex
from langchain_core.documents import Document
from langchain_text_splitters import TextSplitter

from chinese_llm_rag.chinese_text import GRAPHEME_TAIL, HAN, after_space, iter_paragraphs, iter_sentences
from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say
from chinese_llm_rag.schema import PAGE_SEPARATOR, ChunkMetadata, PageMetadata, Span

_CLAUSE_END = regex.compile(r"[，、,：:；;]|[）)】》」』](?=\w)|\s+")
_GRAPHEME = r"\X"
_WORD = rf"(?:(?!{HAN})[\p{{L}}\p{{N}}]{GRAPHEME_TAIL}*)+"  # a run of letters and digits without Han
# Where a sentence that is too long may be cut: around addresses, dates, numbers and Latin words; inside one
# of them only when it alone exceeds the size, then at what joins its parts, and at last between graphemes.
_JOINERS = (r"-.,:/_%@'’?=&#~+", r".,'’", r".'’")
_CUT_AROUND = (
    *(regex.compile(rf"{_WORD}(?:[{joiners}]+{_WORD})*(?:%(?!{GRAPHEME_TAIL}))?|{_GRAPHEME}") for joiners in _JOINERS),
    regex.compile(rf"{_WORD}|{_GRAPHEME}"),
    regex.compile(_GRAPHEME),
)
_PAGE_KEYS = {"source", "content_hash", "page", "start"}
_CHUNK_KEYS = {"source", "content_hash", "page_start", "page_offsets", "start"}
_OWN_KEYS = PageMetadata.__annotations__.keys() | ChunkMetadata.__annotations__.keys()


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
        units: list[Span] = []
        sentence_starts: set[int] = set()  # indices in units
        for sentence in iter_sentences(text):
            sentence_starts.add(len(units))
            units.extend(self._pieces(text, sentence))
        paragraph_starts = {span.start for span in iter_paragraphs(text)}
        spans: list[Span] = []
        first = stop = 0
        while stop < len(units):
            stop = self._chunk_stop(text, units, first, stop + 1, paragraph_starts)
            spans.append(Span(units[first].start, units[stop - 1].end))
            first = self._next_first(text, units, first, stop, sentence_starts)
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
        page break stays whole; such a chunk carries its page range (ChunkMetadata). A chunk of ours is
        cut further. Any other document is cut by itself. Metadata of other keys is kept.
        """
        chunks: list[Document] = []
        for run in _runs(documents):
            metadata = run[0].metadata
            if metadata.keys() >= _PAGE_KEYS:
                chunks.extend(self._cut_file(run, [page.metadata["start"] for page in run], metadata["page"]))
            elif metadata.keys() >= _CHUNK_KEYS:
                chunks.extend(self._cut_file(run, metadata["page_offsets"], metadata["page_start"]))
            else:
                chunks.extend(self.create_documents([run[0].page_content], [metadata]))
        return chunks

    def _cut_file(self, run: list[Document], offsets: list[int], first_page: int) -> Iterator[Document]:
        """Chunks of documents that follow one another; offsets are where first_page and the next ones begin."""
        text = PAGE_SEPARATOR.join(document.page_content for document in run)
        base = run[0].metadata["start"]
        for span in self.split_spans(text):
            start, end = base + span.start, base + span.end
            first = bisect.bisect_right(offsets, start) - 1
            last = bisect.bisect_left(offsets, end) - 1
            origin = run[min(first, len(run) - 1)].metadata
            metadata = ChunkMetadata(
                source=origin["source"],
                content_hash=origin["content_hash"],
                page_start=first_page + first,
                page_end=first_page + last,
                start=start,
                end=end,
                page_offsets=offsets[first : last + 1],
            )
            extra = {key: value for key, value in origin.items() if key not in _OWN_KEYS}
            if self._add_start_index:
                extra["start_index"] = start
            yield Document(text[span.start : span.end], metadata={**extra, **metadata})

    def _fits(self, text: str, start: int, end: int) -> bool:
        return self._length_function(text[start:end]) <= self._chunk_size

    def _chunk_stop(self, text: str, units: list[Span], first: int, least: int, paragraph_starts: set[int]) -> int:
        """Index after the last unit of the chunk that begins with unit `first`; at least `least`."""
        stop = least
        while stop < len(units) and self._fits(text, units[first].start, units[stop].end):
            stop += 1
        if stop == len(units):
            return stop
        # A paragraph's end in the second half is a better place than a fuller chunk.
        half = (units[first].start + units[stop - 1].end) / 2
        for candidate in range(stop, least - 1, -1):
            start = units[candidate].start
            if start < half:
                break
            end = units[candidate - 1].end
            at_paragraph = any(position in paragraph_starts for position in range(end, start + 1))
            if at_paragraph and self._fits(text, units[first].start, end):
                return candidate
        return stop

    def _next_first(self, text: str, units: list[Span], first: int, stop: int, sentence_starts: set[int]) -> int:
        """Index of the unit that begins the next chunk: `stop`, or before it by whole sentences of overlap."""
        if stop >= len(units) or self._chunk_overlap == 0 or stop not in sentence_starts:
            return stop
        begin = stop
        for candidate in range(stop - 1, first, -1):
            overlap = self._length_function(text[units[candidate].start : units[stop - 1].end])
            if overlap > self._chunk_overlap or not self._fits(text, units[candidate].start, units[stop].end):
                break
            if candidate in sentence_starts:
                begin = candidate
        return begin

    def _pieces(self, text: str, sentence: Span) -> Iterator[Span]:
        """The sentence without white space at its ends, in pieces that fit the size."""
        rest = _trimmed(text, sentence)
        if rest is None:
            return
        if self._fits(text, rest.start, rest.end):
            yield rest
            return
        edges = list(self._edges(text, rest))
        clause_ends = {match.end() for match in _CLAUSE_END.finditer(text, rest.start, rest.end)}
        first = 0
        while rest is not None:
            cut = self._cut(text, rest.start, edges, first, clause_ends)
            piece = _trimmed(text, Span(rest.start, cut))
            if piece is not None:
                yield piece
            rest = _trimmed(text, Span(cut, rest.end))
            if rest is not None:
                first = bisect.bisect_right(edges, rest.start)

    def _edges(self, text: str, span: Span, fineness: int = 0) -> Iterator[int]:
        """Where a span may be cut, ascending, its end included."""
        for match in _CUT_AROUND[fineness].finditer(text, span.start, span.end):
            start, end = match.span()
            if end - start > 1 and fineness + 1 < len(_CUT_AROUND) and not self._fits(text, start, end):
                yield from self._edges(text, Span(start, end), fineness + 1)
            else:
                yield end

    def _cut(self, text: str, start: int, edges: list[int], first: int, clause_ends: set[int]) -> int:
        """The last clause end that fits, else the last edge that does, else edges[first]."""
        stop = self._most_that_fit(text, start, edges, first)
        if stop == len(edges):
            return edges[-1]
        last = max(stop - 1, first)
        least = start + (edges[last] - start) // 3
        for index in range(last, first, -1):
            if edges[index] <= least:
                break
            if edges[index] in clause_ends and self._fits(text, start, edges[index]):
                return edges[index]
        return edges[last]

    def _most_that_fit(self, text: str, start: int, edges: list[int], first: int) -> int:
        """Index after the last edge, from `first` on, up to which the text fits (lengths grow with the text).

        The reach is doubled before it is halved, so that a long rest is not measured for every piece.
        """
        high = first + 1
        while high < len(edges) and self._fits(text, start, edges[high - 1]):
            high = min(len(edges), first + 2 * (high - first))
        return bisect.bisect_left(edges, 1, first, high, key=lambda edge: int(not self._fits(text, start, edge)))


def _trimmed(text: str, span: Span) -> Span | None:
    start, end = after_space(text, span.start, span.end), span.end
    while end > start and text[end - 1].isspace():
        end -= 1
    return Span(start, end) if end > start else None


def _runs(documents: Iterable[Document]) -> Iterator[list[Document]]:
    """Documents that are cut as one text: pages of one file that follow one another, else each by itself."""
    run: list[Document] = []
    for document in documents:
        if run and not _follows(run[-1], document):
            yield run
            run = []
        run.append(document)
    if run:
        yield run


def _follows(page: Document, other: Document) -> bool:
    before, after = page.metadata, other.metadata
    return (
        before.keys() >= _PAGE_KEYS
        and after.keys() >= _PAGE_KEYS
        and (before["source"], before["content_hash"]) == (after["source"], after["content_hash"])
        and after["page"] == before["page"] + 1
        and after["start"] == before["start"] + len(page.page_content) + len(PAGE_SEPARATOR)
    )
