"""Question in a conversation -> Reply: understand, search in both forms, trim what was said, answer, remember.

A plain Runnable over build_qa_chain, so that everything a single question can have, a question in a conversation
has too. Its stages show by name in callbacks: recall, rewrite, history, qa (with search in it), remember.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from langchain_core.language_models import BaseLanguageModel
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnableLambda

from chinese_llm_rag.chains.conversation.both_forms import BothFormsRetriever
from chinese_llm_rag.chains.conversation.exchange import Exchange, exchanges
from chinese_llm_rag.chains.conversation.history import n_tokens, trimmed, with_history
from chinese_llm_rag.chains.conversation.leaning import leaning
from chinese_llm_rag.chains.conversation.llm_rewriting import Rewrite, llm_rewrite
from chinese_llm_rag.chains.conversation.reply import Reply
from chinese_llm_rag.chains.conversation.sessions import SessionStore
from chinese_llm_rag.chains.conversation.standalone import standalone, with_queries
from chinese_llm_rag.chains.qa import build_qa_chain
from chinese_llm_rag.chains.qa_prompt import QAPromptStyle, style_for
from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say
from chinese_llm_rag.packing import Window
from chinese_llm_rag.schema import Answer

Asking = str | Mapping[str, Any]

_KEYS = ("question", "history", "session")


def build_conversation_chain(
    retriever: BaseRetriever,
    llm: BaseLanguageModel[Any] | None,
    *,
    sessions: SessionStore | None = None,
    rewrite_llm: BaseLanguageModel[Any] | None = None,
    context_window: int | None = None,
    max_tokens: int | None = None,
    style: QAPromptStyle | None = None,
    **qa_options: Any,  # noqa: ANN401  # build_qa_chain's own
) -> Runnable[Asking, Reply]:
    """A Runnable from a question and what was said before it to a Reply.

    It is asked a str, or a mapping: `question`; `history`, which is exchanges, (question, answer) pairs or LangChain's
    messages, oldest first; or `session`, a name by which `sessions` keeps what was said. `stream` gives pieces that
    add up to the reply; the first tells how the question was understood. What is broken off is not remembered.

    Args:
        retriever: finds passages; a follow-up is searched as it stands by itself and as it was asked.
        llm: answers; a chat model reads the earlier turns, a base model only the question as it stands by itself.
            None: the best supported sentences of the passages are the answers.
        sessions: keeps conversations by name.
        rewrite_llm: makes follow-ups stand by themselves; by default, and where it says nothing, rules do. It is
            asked only where a question leans on history.
        context_window: tokens of prompt and answer together; the model's own by default.
        max_tokens: room kept for the answer; the model's own by default.
        style: how the model is asked, if not by its kind.
        **qa_options: more for build_qa_chain, for example `max_passages`.

    Raises:
        ConfigError: the model does not say its window or its max_tokens, and neither was given.
    """
    sizes: dict[str, Any] = {"context_window": context_window, "max_tokens": max_tokens}
    build_qa_chain(retriever, llm, **sizes, style=style, **qa_options)  # what is wrong with these is said at once
    reading = None if llm is None else _Reading(llm, _window(llm, **sizes), style or style_for(llm))
    rewrite = None
    if rewrite_llm is not None:
        rewrite = llm_rewrite(rewrite_llm, reading.window if reading and rewrite_llm is llm else _window(rewrite_llm))
    chain = _ConversationChain(
        retriever=retriever,
        reading=reading,
        sessions=sessions,
        rewrite=rewrite,
        qa_options={**sizes, **qa_options},
    )
    return RunnableLambda(chain.stream, afunc=chain.astream, name="conversation")


def _window(llm: BaseLanguageModel[Any], **given: int | None) -> Window:
    values = {name: given.get(name) or getattr(llm, name, None) for name in ("context_window", "max_tokens")}
    for name, value in values.items():
        if not isinstance(value, int) or value < 1:
            raise ConfigError(
                say(f"{name} of {type(llm).__name__} is not known", f"不知道 {type(llm).__name__} 的 {name}"),
                setting=name,
                hint=f"build_conversation_chain(..., {name}=...)",
            )
    return Window(**values)  # type: ignore[arg-type]  # checked above


@dataclass(frozen=True, slots=True)
class _Reading:
    """The model that reads, its window, and the style it is asked in."""

    llm: BaseLanguageModel[Any]
    window: Window
    style: QAPromptStyle


@dataclass(frozen=True, slots=True)
class _Asked:
    question: str
    history: tuple[Exchange, ...]
    session: str | None


@dataclass(frozen=True, slots=True)
class _Understood:
    """A question with its query, and the exchanges that the model will read."""

    reply: Reply
    history: tuple[Exchange, ...]


class _ConversationChain:
    """The two ways through the chain. LangChain hands callbacks to the stages through its own context."""

    def __init__(
        self,
        *,
        retriever: BaseRetriever,
        reading: _Reading | None,
        sessions: SessionStore | None,
        rewrite: Rewrite | None,
        qa_options: dict[str, Any],
    ) -> None:
        self._retriever = retriever
        self._reading = reading
        self._sessions = sessions
        self._rewrite = rewrite
        self._qa_options = qa_options
        self._recall = RunnableLambda(self._recalled, name="recall")
        self._understand = RunnableLambda(self._understood, name="rewrite") | RunnableLambda(self._read, name="history")
        self._remember = RunnableLambda(self._remembered, name="remember")

    def stream(self, given: Asking) -> Iterator[Reply]:
        """Pieces of the reply."""
        asked = self._recall.invoke(given)
        understood = self._understand.invoke(asked)
        yield understood.reply
        whole = understood.reply
        for answer in self._qa(understood).stream(understood.reply.query):
            piece = Reply(answer=answer)
            whole += piece
            yield piece
        if asked.session is not None:
            self._remember.invoke((asked.session, whole))

    async def astream(self, given: Asking) -> AsyncIterator[Reply]:
        """Pieces of the reply."""
        asked = await self._recall.ainvoke(given)
        understood = await self._understand.ainvoke(asked)
        yield understood.reply
        whole = understood.reply
        async for answer in self._qa(understood).astream(understood.reply.query):
            piece = Reply(answer=answer)
            whole += piece
            yield piece
        if asked.session is not None:
            await self._remember.ainvoke((asked.session, whole))

    # --- stages -----------------------------------------------------------------------------------

    def _recalled(self, given: Asking) -> _Asked:
        """The question with what was said before it."""
        fields: Mapping[str, Any] = given if isinstance(given, Mapping) else {"question": given}
        if unknown := sorted(map(str, set(fields) - set(_KEYS))):
            expected = ", ".join(_KEYS)
            raise ConfigError(
                say(f"unknown key {unknown[0]!r}: expected {expected}", f"未知的键 {unknown[0]!r}，可用：{expected}"),
                setting=unknown[0],
            )
        question, session = fields.get("question"), fields.get("session")
        if not isinstance(question, str) or not question.strip():
            raise ConfigError(
                say(f"the question is {question!r}, expected a text", f"问题应为文字，而不是 {question!r}"),
                setting="question",
                hint=say("ask something", "请输入问题"),
            )
        if session is None:
            return _Asked(question, exchanges(fields.get("history") or ()), None)
        if self._sessions is None or fields.get("history"):
            raise ConfigError(
                say(
                    f"session={session!r} needs a chain with sessions, and no history beside it",
                    f"session={session!r} 需要带有 sessions 的链，且不能同时给出 history",
                ),
                setting="session",
                hint="build_conversation_chain(..., sessions=SessionStore(path))",
            )
        return _Asked(question, self._sessions.exchanges(session), session)

    def _understood(self, asked: _Asked) -> _Understood:
        """The question as it stands by itself, and how it was made so."""
        history = tuple(with_queries(asked.history))
        how = leaning(asked.question) if history else None
        if how is None:
            reply = Reply(asked.question, asked.question, (asked.question,))
            return _Understood(reply, asked.history)
        by_model = self._rewrite(asked.question, history) if self._rewrite else ""
        query = by_model or standalone(asked.question, history)
        queries = tuple(dict.fromkeys((query, asked.question)))
        reply = Reply(asked.question, query, queries, how, "model" if by_model else "rules")
        return _Understood(reply, asked.history)

    def _read(self, understood: _Understood) -> _Understood:
        """The exchanges that fit beside the question; a refusal is none, since a model would repeat it."""
        query, reading = understood.reply.query, self._reading
        if reading is None or isinstance(reading.style.build(query, ()), str):
            return replace(understood, history=())
        history = tuple(exchange for exchange in understood.history if not exchange.refused)
        kept = trimmed(
            reading.window,
            lambda turns: n_tokens(reading.llm, with_history(reading.style, turns).build(query, ())),
            history,
        )
        reply = replace(understood.reply, n_turns_read=len(kept), n_turns_dropped=len(history) - len(kept))
        return _Understood(reply, kept)

    def _qa(self, understood: _Understood) -> Runnable[str, Answer]:
        reply = understood.reply
        retriever = self._retriever
        if len(reply.queries) > 1:
            retriever = BothFormsRetriever(retriever=retriever, asked=reply.question, name="search")
        if self._reading is None:
            return build_qa_chain(retriever, None, **self._qa_options)
        style = with_history(self._reading.style, understood.history)
        return build_qa_chain(retriever, self._reading.llm, style=style, **self._qa_options)

    def _remembered(self, said: tuple[str, Reply]) -> None:
        assert self._sessions is not None
        self._sessions.add(*said)
