"""What a summary is: its text, what each sentence rests on, and how much of the document that covers."""

from dataclasses import asdict, dataclass, field
from typing import Any

from chinese_llm_rag.schema import AnswerSentence

Strategy = str  # "stuff", "map-reduce", "refine" or "extractive": what was done in the end


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of the documents a summary rests on.

    Attributes:
        pages: (file, page) of every page that a sentence of the summary cites, in order.
        n_pages: all pages with text.
    """

    pages: tuple[tuple[str, int], ...] = ()
    n_pages: int = 0

    @property
    def share(self) -> float:
        """Cited pages among all, 0..1."""
        return len(self.pages) / self.n_pages if self.n_pages else 0.0


@dataclass(frozen=True, slots=True)
class Summary:
    """A summary, or a piece of one as it streams; pieces add up to the whole.

    Attributes:
        text: of the summary.
        sentences: with their citations; empty until the last piece.
        coverage: which pages they rest on.
        strategy: how it was made; "extractive" when no model wrote it.
        n_calls: of the model, the cached ones not counted.
        n_cached: steps whose result was known from an earlier run.
        usage: tokens by kind, of all calls.
    """

    text: str = ""
    sentences: tuple[AnswerSentence, ...] = ()
    coverage: Coverage = Coverage()
    strategy: Strategy = ""
    n_calls: int = 0
    n_cached: int = 0
    usage: dict[str, int] = field(default_factory=dict)

    def __add__(self, other: "Summary") -> "Summary":
        counts = {key: self.usage.get(key, 0) + other.usage.get(key, 0) for key in {**self.usage, **other.usage}}
        return Summary(
            self.text + other.text,
            self.sentences + other.sentences,
            other.coverage if other.coverage.n_pages else self.coverage,
            other.strategy or self.strategy,
            self.n_calls + other.n_calls,
            self.n_cached + other.n_cached,
            counts,
        )

    def to_dict(self) -> dict[str, Any]:
        """The form in which `summarize --json` prints it."""
        values = asdict(self)
        values["sentences"] = [
            {"text": sentence.text, "citations": [citation.to_dict() for citation in sentence.citations]}
            for sentence in self.sentences
        ]
        values["coverage"] = {
            "share": self.coverage.share,
            "n_pages": self.coverage.n_pages,
            "pages": [{"file": source, "page": page} for source, page in self.coverage.pages],
        }
        return values
