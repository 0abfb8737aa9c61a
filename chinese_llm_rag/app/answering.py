"""What the model and the indexes are asked: one fair queue before the model, another before searches.

Everything here runs in the engine's event loop.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseLanguageModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from chinese_llm_rag import model_choice, wiring
from chinese_llm_rag.app.bases import Bases
from chinese_llm_rag.app.embedders import Embedders
from chinese_llm_rag.app.failures import RefusedError
from chinese_llm_rag.app.fair_queue import FairQueue
from chinese_llm_rag.app.limits import Limits
from chinese_llm_rag.app.model_options import QUOTING
from chinese_llm_rag.app.sampling import AskOptions, Sampling
from chinese_llm_rag.app.shared_model import SharedModel
from chinese_llm_rag.app.usage import UsageCounter
from chinese_llm_rag.app.views import Understood
from chinese_llm_rag.knowledge_base import FurnitureRecord, KnowledgeBase
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.alpaca import ChatChineseAlpaca, ChineseAlpacaLLM
from chinese_llm_rag.llms.async_pieces import iterate_in_thread
from chinese_llm_rag.llms.backend import TextChunk
from chinese_llm_rag.llms.conversation import Turn
from chinese_llm_rag.llms.stopping import StopCutter
from chinese_llm_rag.schema import Answer, Passage
from chinese_llm_rag.settings import Settings

if TYPE_CHECKING:
    from chinese_llm_rag.chains.conversation import Reply

_MESSAGES: dict[str, type[BaseMessage]] = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}


class Answering:
    """Generation, questions, searches and embeddings, each in its turn.

    Attributes:
        model: the one of all.
        queue: before the model.
        searches: before the indexes and the embedding model.
    """

    def __init__(self, bases: Bases, embedders: Embedders, limits: Limits) -> None:
        self._bases = bases
        self._embedders = embedders
        self._limits = limits
        self.model = SharedModel(lambda: wiring.build_llm(bases.settings))
        self.queue = FairQueue(max_waiting=limits.max_waiting, max_waiting_of_one=limits.max_waiting_of_one)
        self.searches = FairQueue(
            n_at_once=limits.n_searches,
            max_waiting=limits.max_waiting_searches,
            max_waiting_of_one=limits.max_waiting_searches,
        )

    # --- the model ------------------------------------------------------------------------------

    async def use(self, settings: Settings) -> None:
        """Have the model of other settings in place of the present one."""
        await self.model.replace(lambda: wiring.build_llm(settings))

    @asynccontextmanager
    async def _model_turn(self, client: str) -> AsyncIterator[BaseLanguageModel[Any]]:
        """The model, for as long as one answer may take."""
        async with self.queue.turn(client, wait_s=self._limits.wait_s):
            llm = await self.model.get()
            try:
                async with asyncio.timeout(self._limits.answer_s):
                    yield llm
            except TimeoutError:
                seconds = self._limits.answer_s
                raise RefusedError(
                    "timeout",
                    say(f"the answer took longer than {seconds:g} s", f"回答用时超过 {seconds:g} 秒"),
                    hint=say("ask for fewer tokens", "请减少 max_tokens"),
                ) from None

    @property
    def has_model(self) -> bool:
        """Whether a model is wanted and there; without one, answers and summaries are quotations."""
        settings = self._bases.settings
        return settings.strategy != QUOTING and model_choice.has_model(settings)

    @asynccontextmanager
    async def _reader(self, client: str) -> AsyncIterator[BaseLanguageModel[Any] | None]:
        """The model, for as long as one answer may take; None where there is none to load."""
        if self.has_model:
            async with self._model_turn(client) as llm:
                yield llm
        else:
            async with self.searches.turn(client, wait_s=self._limits.wait_s):
                yield None

    async def chat(
        self, turns: Sequence[Turn], client: str, sampling: Sampling, stop: Sequence[str]
    ) -> AsyncGenerator[TextChunk, None]:
        """The model's next words in a conversation."""
        messages = [_MESSAGES[turn.role](turn.text) for turn in turns]
        async with self._model_turn(client) as llm:
            if not isinstance(llm, ChatChineseAlpaca):
                raise RefusedError(
                    "invalid",
                    say("this model is a base model: it has no chat template", "该模型是基座模型，没有对话模板"),
                    hint=say(
                        "ask a knowledge base (kb:NAME), or use /v1/completions",
                        "请向知识库提问（kb:名称），或使用 /v1/completions",
                    ),
                    setting="model",
                )
            given = sampling.given()
            async with aclosing(iterate_in_thread(lambda: llm.chunks(messages, list(stop), **given))) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def complete(
        self, prompt: str, client: str, sampling: Sampling, stop: Sequence[str]
    ) -> AsyncGenerator[TextChunk, None]:
        """How the model goes on with a text, whether or not it was trained to chat."""
        async with self._model_turn(client) as llm:
            plain = _plain(llm)
            given = sampling.given()
            async with aclosing(iterate_in_thread(lambda: plain.chunks(prompt, list(stop), **given))) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def ask(
        self, kb: str, question: str, client: str, sampling: Sampling, options: AskOptions
    ) -> AsyncGenerator[Answer | Understood, None]:
        """Pieces of an answer out of a knowledge base, which add up to it."""
        self._bases.require(kb)
        settings = self._settings(kb, options)
        async with self._reader(client) as llm, self.using(kb) as base:
            given = llm.model_copy(update=sampling.given()) if llm and sampling.given() else llm
            counter = UsageCounter()
            asked = {"question": question, "history": list(options.history)}
            replies = wiring.build_conversation(settings, base, given).astream(asked, {"callbacks": [counter]})
            async with aclosing(_stopped(_answers(replies), options)) as pieces:
                async for piece in pieces:
                    yield replace(piece, usage={}) if isinstance(piece, Answer) else piece
            yield Answer(usage=counter.usage)

    # --- the indexes ----------------------------------------------------------------------------

    async def search(
        self, kb: str, query: str, client: str, options: AskOptions
    ) -> tuple[list[Passage], list[FurnitureRecord]]:
        """Passages, best first, and running headers that hold the query."""
        self._bases.require(kb)
        settings = self._settings(kb, options)
        async with self.searches.turn(client, wait_s=self._limits.wait_s), self.using(kb) as base:
            return await asyncio.to_thread(
                lambda: (wiring.search_passages(settings, base, query), base.furniture(query))
            )

    async def embed(self, texts: Sequence[str], client: str, *, queries: bool) -> tuple[list[list[float]], int]:
        """One vector a text, and how many tokens were read."""
        async with self.searches.turn(client, wait_s=self._limits.wait_s):
            return await asyncio.to_thread(self._embed, list(texts), queries=queries)

    def _embed(self, texts: list[str], *, queries: bool) -> tuple[list[list[float]], int]:
        model = self._embedders.of(None)
        vectors = [model.embed_query(text) for text in texts] if queries else model.embed_documents(texts)
        count = getattr(model, "count_tokens", len)  # every model of ours counts; a stand-in may not
        return vectors, sum(count(text) for text in texts)

    def _settings(self, kb: str, options: AskOptions) -> Settings:
        given = {"k": options.k, "search_mode": options.mode}
        return self._bases.settings_of(kb).model_copy(update={k: v for k, v in given.items() if v is not None})

    @asynccontextmanager
    async def using(self, kb: str) -> AsyncIterator[KnowledgeBase]:
        """The base, open; opening it blocks a thread, and is undone where nobody waits for it any more."""
        opening = self._bases.using(kb)
        entering = asyncio.ensure_future(asyncio.to_thread(opening.__enter__))
        try:
            base = await asyncio.shield(entering)
        except asyncio.CancelledError:
            entering.add_done_callback(lambda done: done.exception() or opening.__exit__(None, None, None))
            raise
        try:
            yield base
        finally:
            opening.__exit__(None, None, None)


def _plain(llm: BaseLanguageModel[Any]) -> ChineseAlpacaLLM:
    """The same model, going on with a text."""
    if isinstance(llm, ChineseAlpacaLLM):
        return llm
    assert isinstance(llm, ChatChineseAlpaca)
    return ChineseAlpacaLLM(
        backend=llm.backend,
        temperature=llm.temperature,
        top_k=llm.top_k,
        top_p=llm.top_p,
        repetition_penalty=llm.repetition_penalty,
        max_tokens=llm.max_tokens,
        seed=llm.seed,
    )


async def _answers(replies: "AsyncIterator[Reply]") -> AsyncGenerator[Answer | Understood, None]:
    """The pieces of the answer, after the question as it was understood, where that is not as it was asked."""
    told = False
    async for reply in replies:
        if reply.rewritten_by is not None and reply.query and not told:
            told = True
            yield Understood(reply.query)
        yield reply.answer


async def _stopped(
    pieces: AsyncIterator[Answer | Understood], options: AskOptions
) -> AsyncGenerator[Answer | Understood, None]:
    """The pieces up to a stop string."""
    if not options.stop:
        async for piece in pieces:
            yield piece
        return
    cutter = StopCutter(options.stop)
    async for piece in pieces:
        if isinstance(piece, Understood):
            yield piece
            continue
        last = bool(piece.passages or piece.refused or piece.sentences)
        text = cutter.feed(piece.text)
        if last and not cutter.stopped:
            text += cutter.flush()
        yield replace(piece, text=text)
        if cutter.stopped:
            return
