"""The values that flow from stage to stage.

All offsets are characters (Unicode code points) of the file's text, end exclusive; pages count from
1. The file's text is its pages joined by PAGE_SEPARATOR; formats without pages are one page.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NotRequired, TypedDict

PAGE_SEPARATOR = "\n"


@dataclass(frozen=True, slots=True)
class Span:
    """Characters start..end of a text, end exclusive."""

    start: int
    end: int


PlaceKind = Literal["page", "slide", "sheet", "chapter", "section"]
MarkKind = Literal["heading", "table"]


class PlaceFields(TypedDict):
    """A Place as metadata."""

    kind: PlaceKind
    name: str


class MarkFields(TypedDict):
    """A Mark as metadata."""

    kind: MarkKind
    start: int
    end: int
    level: int
    header_end: int
    first_row: int


@dataclass(frozen=True, slots=True)
class Place:
    """What a format calls a page, for example the sheet "预算" or the slide "3"."""

    kind: PlaceKind
    name: str

    def to_dict(self) -> PlaceFields:
        """The form it has in metadata."""
        return {"kind": self.kind, "name": self.name}


@dataclass(frozen=True, slots=True)
class Mark:
    """Characters start..end of a page's text that are a heading or a table.

    Of a heading, `level` 1 is the highest. A table is rows of Markdown; its header, with the line of
    dashes, is the text up to `header_end`, which is 0 where it has none. `first_row` is the number that
    the file gives the table's first row, its header included; 0 where its rows have no numbers.
    """

    kind: MarkKind
    start: int
    end: int
    level: int = 0
    header_end: int = 0
    first_row: int = 0

    def row_at(self, text: str, position: int) -> int | None:
        """Number of the row that a position of the page's text lies in; None where it has none."""
        if not self.first_row or not self.start <= position < self.end:
            return None
        lines = text.count("\n", self.start, position)
        return self.first_row + lines - (1 if self.header_end and lines else 0)

    def to_dict(self) -> MarkFields:
        """The form it has in metadata."""
        return {
            "kind": self.kind,
            "start": self.start,
            "end": self.end,
            "level": self.level,
            "header_end": self.header_end,
            "first_row": self.first_row,
        }


class PageMetadata(TypedDict):
    """Metadata of a loaded Document: one page of one file."""

    source: str
    content_hash: str  # SHA-256 of the file's bytes, hex
    page: int
    n_pages: int
    start: int  # where this page begins in the file's text
    place: NotRequired[PlaceFields]
    marks: NotRequired[list[MarkFields]]  # in order, not overlapping, in characters of this page
    furniture: NotRequired[list[str]]  # running headers, footers and page numbers, not in the text
    encoding: NotRequired[str]  # of a text file


class ChunkMetadata(TypedDict):
    """Metadata of a chunk, and of the passage that is retrieved from it."""

    source: str
    content_hash: str
    page_start: int
    page_end: int
    start: int
    end: int
    page_offsets: list[int]  # where pages page_start..page_end begin in the file's text
    headings: NotRequired[list[str]]  # above the chunk, highest first
    place: NotRequired[PlaceFields]
    table_header: NotRequired[str]  # of a table that had to be cut; shown with the piece, no part of start..end
    row_start: NotRequired[int]  # of a table whose rows the file numbers
    row_end: NotRequired[int]
    parent_start: NotRequired[int]  # the piece that the chunk was cut out of, and is read in
    parent_end: NotRequired[int]
    chunk_id: NotRequired[str]  # set by the knowledge base
    score: NotRequired[float]  # set by a retriever; higher is better


def with_context(text: str, headings: Sequence[str] = (), table_header: str = "") -> str:
    """A chunk's text below what it cannot be read without: its headings, and the header of its table.

    A heading that is in the text is not repeated.
    """
    bare = "".join(text.split())
    above = [title for title in headings if "".join(title.split()) not in bare]
    return "\n".join([*above, *([table_header] if table_header else []), text])


@dataclass(frozen=True, slots=True)
class Passage:
    """A numbered piece of evidence, as it stands in a prompt.

    `number` counts from 1 and is the [n] of the prompt; 0 when the passage is in no prompt. `headings`
    and `table_header` are read with the text (`with_context`) and are no part of start..end; `rows` are
    the first and last row of a table whose rows the file numbers.
    """

    text: str
    source: str
    page_start: int
    page_end: int
    start: int
    end: int
    page_offsets: tuple[int, ...] = ()
    score: float = 0.0
    number: int = 0
    headings: tuple[str, ...] = ()
    place: Place | None = None
    table_header: str = ""
    rows: tuple[int, int] | None = None

    @property
    def with_context(self) -> str:
        """The text as a model reads it, below its headings and its table's header."""
        return with_context(self.text, self.headings, self.table_header)

    def pages_of(self, start: int, end: int) -> tuple[int, int]:
        """First and last page that characters start..end of the file's text lie on.

        Falls back on the whole page range where the page offsets are not known.
        """
        if not self.page_offsets:
            return self.page_start, self.page_end
        pages = [self.page_start + i for i, offset in enumerate(self.page_offsets) if offset < max(end, start + 1)]
        last = pages[-1] if pages else self.page_start
        before = [self.page_start + i for i, offset in enumerate(self.page_offsets) if offset <= start]
        return (before[-1] if before else self.page_start), last

    def to_dict(self) -> dict[str, Any]:
        """The form in which `--json` prints a passage."""
        return _place(self, self.text)


@dataclass(frozen=True, slots=True)
class PackedContext:
    """Passages [1]..[n] that fit a token budget, best evidence first, and what had to stay out."""

    passages: tuple[Passage, ...]
    dropped: tuple[Passage, ...] = ()
    n_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Citation:
    """Where in a file a sentence of the answer stands.

    `quote` is the file's text from `start` to `end`; `score` is the share of the sentence that the
    quote covers, 0..1.
    """

    passage: int  # number of the passage in the prompt
    source: str
    page_start: int
    page_end: int
    start: int
    end: int
    quote: str
    score: float
    headings: tuple[str, ...] = ()
    place: Place | None = None

    def to_dict(self) -> dict[str, Any]:
        """The form of a passage, and the number of the passage cited."""
        return {"passage": self.passage, **_place(self, self.quote)}


def _place(where: Passage | Citation, text: str) -> dict[str, Any]:
    """The one form in which passages and citations are printed."""
    return {
        "file": where.source,
        "page_start": where.page_start,
        "page_end": where.page_end,
        "start": where.start,
        "end": where.end,
        "place": where.place.to_dict() if where.place else None,
        "headings": list(where.headings),
        "score": where.score,
        "text": text,
    }


@dataclass(frozen=True, slots=True)
class AnswerSentence:
    """One sentence of an answer (offsets in the answer's text) and what it rests on.

    `unfound` are its numbers, dates and names that do not stand where its words stand; `contradicted_by` are
    the places that say otherwise, which a supported sentence has too where the sources disagree. `coverage`
    is the share of its words that the evidence holds, 0..1.
    """

    start: int
    end: int
    text: str
    citations: tuple[Citation, ...] = ()
    unfound: tuple[str, ...] = ()
    contradicted_by: tuple[Citation, ...] = ()
    coverage: float = 0.0

    @property
    def supported(self) -> bool:
        """Whether the sentence rests on any passage."""
        return bool(self.citations)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, or a piece of one while it streams.

    Pieces add up: `a + b` joins their texts, and everything else comes from the piece that has it
    (the last of a stream). `refused` is True when the documents do not say, or do not bear out what the model
    said; `reason` then tells why, and `withheld` is what it said. `removed` are the sentences that a strict
    chain took out; their offsets are in what the model said. `strategy` is how the answer was made: "stuff",
    "refine", "map-rerank", or "extractive" where no model was asked. `turns_dropped` counts the turns of the
    conversation that did not fit.
    """

    text: str = ""
    sentences: tuple[AnswerSentence, ...] = ()
    passages: tuple[Passage, ...] = ()
    dropped: tuple[Passage, ...] = ()
    refused: bool = False
    reason: str | None = None
    usage: dict[str, int] = field(default_factory=dict)
    strategy: str = ""
    withheld: str = ""
    removed: tuple[AnswerSentence, ...] = ()
    turns_dropped: int = 0

    def __add__(self, other: "Answer") -> "Answer":
        return Answer(
            text=self.text + other.text,
            sentences=self.sentences + other.sentences,
            passages=self.passages + other.passages,
            dropped=self.dropped + other.dropped,
            refused=self.refused or other.refused,
            reason=other.reason or self.reason,
            usage={**self.usage, **other.usage},
            strategy=other.strategy or self.strategy,
            withheld=self.withheld + other.withheld,
            removed=self.removed + other.removed,
            turns_dropped=max(self.turns_dropped, other.turns_dropped),
        )

    @property
    def citations(self) -> tuple[Citation, ...]:
        """All citations, in the order of the sentences."""
        return tuple(citation for sentence in self.sentences for citation in sentence.citations)

    def to_dict(self) -> dict[str, Any]:
        """The form in which `ask --json` prints an answer."""
        citations = [
            {"sentence": index, **citation.to_dict()}
            for index, sentence in enumerate(self.sentences)
            for citation in sentence.citations
        ]
        return {
            "text": self.text,
            "refused": self.refused,
            "reason": self.reason,
            "strategy": self.strategy,
            "sentences": [_sentence(sentence) for sentence in self.sentences],
            "removed": [_sentence(sentence) for sentence in self.removed],
            "withheld": self.withheld,
            "citations": citations,
            "passages": [{"passage": p.number, **p.to_dict()} for p in self.passages],
            "dropped": [p.to_dict() for p in self.dropped],
            "turns_dropped": self.turns_dropped,
            "usage": self.usage,
        }


def _sentence(sentence: AnswerSentence) -> dict[str, Any]:
    return {
        "start": sentence.start,
        "end": sentence.end,
        "text": sentence.text,
        "supported": sentence.supported,
        "coverage": sentence.coverage,
        "unfound": list(sentence.unfound),
        "contradicted_by": [citation.to_dict() for citation in sentence.contradicted_by],
    }
