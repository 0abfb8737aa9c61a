"""Requests and replies of the routes of knowledge bases."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from chinese_llm_rag.app.failures import Failure
from chinese_llm_rag.app.jobs import JobKind, JobState, JobView
from chinese_llm_rag.app.sampling import AskOptions, SummaryWish
from chinese_llm_rag.app.server.openai_requests import SamplingFields, Strict
from chinese_llm_rag.app.server.replies import ErrorBody, error_dict
from chinese_llm_rag.app.views import DocumentStatus

_Query = Annotated[str, Field(min_length=1, max_length=100_000)]
_K = Annotated[int, Field(ge=1, le=100)]
_Mode = Literal["hybrid", "bm25", "dense"]


class NewBase(Strict):
    """POST /v1/kb."""

    name: str = Field(min_length=1, max_length=64)


class SearchRequest(Strict):
    """POST /v1/kb/{kb}/search."""

    query: _Query
    k: _K | None = Field(None, description="how many passages")
    mode: _Mode | None = None


class EarlierExchange(Strict):
    """A question that was asked before, and its answer."""

    question: _Query
    answer: str = Field(max_length=100_000)


class AskRequest(SamplingFields):
    """POST /v1/kb/{kb}/ask."""

    question: _Query
    k: _K | None = Field(None, description="how many passages to find")
    mode: _Mode | None = None
    stream: bool = False
    history: list[EarlierExchange] = Field(
        [], max_length=100, description="what the question may lean on, oldest first"
    )

    def options(self) -> AskOptions:
        """How the knowledge base is asked."""
        history = tuple((exchange.question, exchange.answer) for exchange in self.history)
        return AskOptions(self.k, self.mode, self.stops(), history)


class SummaryRequest(Strict):
    """POST /v1/kb/{kb}/documents/{id}/summaries."""

    length: int = Field(400, ge=20, le=20_000, description="characters, about")
    form: Literal["paragraph", "bullets"] = "paragraph"
    focus: str = Field("", max_length=1000, description="what it is to be about most")
    extractive: bool = Field(default=False, description="quote the most telling sentences, without the model")

    def wish(self) -> SummaryWish:
        """The same, as the controller takes it."""
        return SummaryWish(self.length, self.form, self.focus, self.extractive)


class BaseName(BaseModel):
    """A knowledge base by name."""

    name: str


class BaseList(BaseModel):
    """The knowledge bases."""

    data: list[BaseName]


class BaseReply(BaseModel):
    """A knowledge base in counts."""

    name: str
    n_files: int
    n_failed: int
    n_chunks: int
    size_bytes: int
    n_waiting: int


class DocumentReply(BaseModel):
    """A document of a knowledge base."""

    id: str
    name: str
    status: DocumentStatus
    size_bytes: int
    n_pages: int
    n_chunks: int
    problems: list[str]
    tags: list[str]
    uploaded: bool = Field(description="whether its file is kept by the server, and goes with it")
    job: str | None = Field(description="that it waits for")


class DocumentList(BaseModel):
    """Documents by name."""

    data: list[DocumentReply]


class JobReply(BaseModel):
    """Work in the background."""

    id: str
    kind: JobKind
    kb: str
    items: list[str]
    state: JobState
    done: float = Field(description="its share that is done, 0..1")
    now: str
    n_pages: int
    seconds_left: float | None
    result: dict[str, Any] | None
    error: ErrorBody | None


class JobList(BaseModel):
    """Jobs, oldest first."""

    data: list[JobReply]


class UploadReply(BaseModel):
    """A document that has come, and the job that takes it in."""

    document: DocumentReply
    job: JobReply


class PassageReply(BaseModel):
    """A passage; start and end are characters of the document's text."""

    document: str
    name: str
    page_start: int
    page_end: int
    start: int
    end: int
    place: dict[str, Any] | None
    headings: list[str]
    score: float
    text: str


class HeaderReply(BaseModel):
    """A running header or footer that holds the query."""

    name: str
    page_start: int
    page_end: int
    text: str


class SearchReply(BaseModel):
    """Passages, best first."""

    data: list[PassageReply]
    headers: list[HeaderReply] = Field(description="running headers and footers, which are in no passage")


class CitedPassage(PassageReply):
    """A passage with its number."""

    passage: int


class CitationReply(CitedPassage):
    """What a sentence rests on; `text` is the quote, `passage` the number of the passage it is in."""

    sentence: int


class SentenceReply(BaseModel):
    """A sentence of the answer; start and end are characters of the answer's text.

    `coverage` is the share of its words that the evidence holds, `unfound` are its numbers, dates and names that do
    not stand where its words stand, `contradicted_by` the places that say otherwise.
    """

    start: int
    end: int
    text: str
    supported: bool
    coverage: float = Field(description="share of its words that the evidence holds, 0..1")
    unfound: list[str] = Field(description="its numbers, dates and names that do not stand where its words stand")
    contradicted_by: list[CitedPassage] = Field(description="places that say otherwise")


class AnswerReply(BaseModel):
    """An answer; `refused` where the documents do not say, `query` as the question was understood by its history."""

    query: str | None
    text: str
    refused: bool
    reason: str | None
    strategy: str = Field(description="how the answer was made")
    sentences: list[SentenceReply]
    removed: list[SentenceReply] = Field(description="sentences that were taken out; offsets in what the model said")
    withheld: str = Field(description="what the model said, where that is not borne out")
    citations: list[CitationReply]
    passages: list[CitedPassage]
    dropped: list[PassageReply]
    turns_dropped: int = Field(description="turns of the history that did not fit")
    usage: dict[str, int]


class MarkReply(BaseModel):
    """A box on a page, in shares of its width and height from the upper left corner."""

    left: float
    top: float
    width: float
    height: float


class PageReply(BaseModel):
    """A page of a document with the words start..end of its text marked."""

    page: int
    n_pages: int
    text: str
    start: int
    end: int
    has_picture: bool
    marks: list[MarkReply]


class HealthReply(BaseModel):
    """How the server is."""

    status: Literal["ok"] = "ok"
    model: str
    model_state: Literal["absent", "loading", "ready", "failed"]
    model_error: str | None
    n_running: int
    n_waiting: int
    n_searching: int


def job_reply(view: JobView) -> JobReply:
    """A job as a reply."""
    return JobReply(
        **{name: getattr(view, name) for name in JobReply.model_fields if name not in ("error", "items")},
        items=list(view.items),
        error=_error(view.failure),
    )


def _error(failure: Failure | None) -> ErrorBody | None:
    return None if failure is None else ErrorBody(**error_dict(failure)["error"])
