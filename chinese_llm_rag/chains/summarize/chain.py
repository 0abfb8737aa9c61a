"""Documents -> Summary: read whole where they fit the window, else in parts; cited, with the pages it rests on.

A plain Runnable over LangChain's interfaces. It streams: pieces of the text first, then one piece with the
sentences, their citations and the coverage.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from langchain_core.documents import Document
from langchain_core.language_models import BaseLanguageModel
from langchain_core.messages import BaseMessage
from langchain_core.runnables import Runnable, RunnableLambda, run_in_executor

from chinese_llm_rag.chains.model_room import window_of
from chinese_llm_rag.chains.summarize.cache import MemoryCache, SummaryCache, step_key
from chinese_llm_rag.chains.summarize.extractive import extract_summary
from chinese_llm_rag.chains.summarize.prompts import SummaryPrompts, Wanted
from chinese_llm_rag.chains.summarize.result import Coverage, Summary
from chinese_llm_rag.chains.summarize.steps import Count, LastStep, ModelStrategy, Progress, Summarizer, nothing_said
from chinese_llm_rag.citations import cite
from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say
from chinese_llm_rag.packing import passages_of
from chinese_llm_rag.schema import Passage
from chinese_llm_rag.text_splitters import ChineseTextSplitter

PASSAGE_CHARS = 400  # of what a citation points into


def build_summary_chain(
    llm: BaseLanguageModel[Any] | None,
    *,
    strategy: ModelStrategy = "auto",
    wanted: Wanted | None = None,
    context_window: int | None = None,
    max_tokens: int | None = None,
    cache: SummaryCache | None = None,
    model_id: str | None = None,
    max_concurrency: int = 1,
    on_progress: Progress = lambda *_: None,
) -> Runnable[Sequence[Document], Summary]:
    """A Runnable from documents (pages in order, of one file or several) to their Summary.

    Args:
        llm: a chat model is asked in turns, any other LLM by completion; None quotes the most telling sentences.
        strategy: "stuff" reads all at once; "map-reduce" each part, then the parts' summaries; "refine" part
            after part; "auto" is stuff where that fits the window, else map-reduce.
        wanted: length, form and focus; about 400 characters in one paragraph by default.
        context_window: tokens of prompt and answer together; the model's own by default.
        max_tokens: room kept for each reply; the model's own by default.
        cache: replies by prompt, for runs that resume; by default within the chain alone.
        model_id: what the cache tells models apart by; by default the model's own parameters.
        max_concurrency: parts that are asked for at once, for backends that serve several.
        on_progress: told after each step.

    Raises:
        ConfigError: a wrong argument, or the model does not say its window or its max_tokens.
    """
    if strategy not in get_args(ModelStrategy):
        expected = ", ".join(get_args(ModelStrategy))
        raise ConfigError(
            say(f"strategy={strategy!r}: expected {expected}", f"strategy={strategy!r} 无效，应为 {expected}"),
            setting="strategy",
        )
    if max_concurrency < 1:
        raise ConfigError(
            say(
                f"max_concurrency={max_concurrency!r}, expected at least 1",
                f"max_concurrency={max_concurrency!r}，应至少为 1",
            ),
            setting="max_concurrency",
        )
    summarizer = None
    if llm is not None:
        window = window_of(llm, "build_summary_chain", context_window=context_window, max_tokens=max_tokens)
        identity = model_id or f"{type(llm).__name__} {getattr(llm, '_identifying_params', '')}"
        kept = MemoryCache() if cache is None else cache
        summarizer = Summarizer(llm, window, SummaryPrompts.of(llm), kept, identity, max_concurrency, on_progress)
    chain = _SummaryChain(summarizer, strategy, wanted or Wanted())
    return RunnableLambda(chain.stream, afunc=chain.astream, name="summarize")


@dataclass(slots=True)
class _Run:
    """One run up to its last call."""

    summarizer: Summarizer
    passages: list[Passage]
    last: LastStep
    count: Count
    known: str | None
    text: str = ""

    def take(self, piece: str | BaseMessage) -> str:
        """The text of a piece of the last reply, without white space before the first word."""
        shown = self.count.add(piece)
        shown = shown if self.text else shown.lstrip()
        self.text += shown
        return shown

    def closed(self) -> Summary:
        """The piece that closes a stream."""
        text = self.text if self.known is None else self.known
        if not text.strip():
            raise nothing_said()
        count = self.count
        if self.known is None:
            count.n_calls += 1
            self.summarizer.cache.put(step_key(self.summarizer.model_id, self.last.prompt), text)
        else:
            count.n_cached += 1
        n_done = count.n_calls + count.n_cached
        self.summarizer.on_progress(n_done, n_done)
        made = Summary(strategy=self.last.strategy, n_calls=count.n_calls, n_cached=count.n_cached, usage=count.usage)
        return made + _rests_on(text, self.passages)


@dataclass(frozen=True, slots=True)
class _SummaryChain:
    """The two ways through the chain. LangChain hands callbacks to the parts through its own context."""

    summarizer: Summarizer | None
    strategy: ModelStrategy
    wanted: Wanted

    def stream(self, documents: Sequence[Document]) -> Iterator[Summary]:
        """Pieces of the summary."""
        if self.summarizer is None:
            yield self._extracted(documents)
            return
        run = self._begun(self.summarizer, documents)
        if run.known is not None:
            yield Summary(run.known)
        else:
            for piece in self.summarizer.llm.stream(run.last.prompt, **self.summarizer.call_arguments()):
                if shown := run.take(piece):
                    yield Summary(shown)
        yield run.closed()

    async def astream(self, documents: Sequence[Document]) -> AsyncIterator[Summary]:
        """Pieces of the summary."""
        if self.summarizer is None:
            yield await run_in_executor(None, self._extracted, documents)
            return
        run = await run_in_executor(None, self._begun, self.summarizer, documents)
        if run.known is not None:
            yield Summary(run.known)
        else:
            async for piece in self.summarizer.llm.astream(run.last.prompt, **self.summarizer.call_arguments()):
                if shown := run.take(piece):
                    yield Summary(shown)
        yield await run_in_executor(None, run.closed)

    def _begun(self, summarizer: Summarizer, documents: Sequence[Document]) -> _Run:
        passages, count = _passages(documents), Count()
        last = summarizer.until_last(passages, self.strategy, self.wanted, count)
        return _Run(summarizer, passages, last, count, summarizer.cache.get(step_key(summarizer.model_id, last.prompt)))

    def _extracted(self, documents: Sequence[Document]) -> Summary:
        passages = _passages(documents)
        text = extract_summary(passages, self.wanted)
        return Summary(text, strategy="extractive") + _rests_on(text, passages)


def _rests_on(text: str, passages: list[Passage]) -> Summary:
    """The sentences of a summary with their citations, and the pages cited."""
    sentences = cite(text, passages)
    cited = {
        (citation.source, page)
        for sentence in sentences
        for citation in sentence.citations
        for page in range(citation.page_start, citation.page_end + 1)
    }
    pages = {(p.source, page) for p in passages for page in range(p.page_start, p.page_end + 1)}
    return Summary("", sentences, Coverage(tuple(sorted(cited & pages)), len(pages)))


def _passages(documents: Sequence[Document]) -> list[Passage]:
    """The chunks of the documents, numbered, in order.

    Raises:
        ConfigError: they hold no text.
    """
    chunks = ChineseTextSplitter(PASSAGE_CHARS).split_documents(list(documents))
    passages = [p for p in passages_of(chunks) if p.text.strip()]
    if not passages:
        raise ConfigError(
            say("the documents hold no text", "文档中没有文字"),
            setting="documents",
            hint=say("give files with text", "请给出有文字的文件"),
        )
    return [replace(passage, number=number) for number, passage in enumerate(passages, 1)]
