"""Question in a conversation -> Reply: understand, search in both forms, read what was said, answer, remember.

A plain Runnable over build_qa_chain, so that everything a single question can have, a question in a conversation
has too; also how much of what was said is read beside the evidence is its planner's to say. Its stages show by name
in callbacks: recall, rewrite, qa (with its own), remember.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseLanguageModel
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnableLambda

from chinese_llm_rag.chains.conversation.leaning import leaning
from chinese_llm_rag.chains.conversation.llm_rewriting import Rewrite, llm_rewrite
from chinese_llm_rag.chains.conversation.reply import Reply
from chinese_llm_rag.chains.conversation.sessions import SessionStore
from chinese_llm_rag.chains.conversation.standalone import standalone, with_queries
from chinese_llm_rag.chains.exchange import Exchange, exchanges
from chinese_llm_rag.chains.qa import QAChain, build_qa_chain
from chinese_llm_rag.chains.qa_model import ModelSource
from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say

Asking = str | Mapping[str, Any]

_KEYS = ("question", "history", "session")


def build_conversation_chain(
    retriever: BaseRetriever,
    llm: BaseLanguageModel[Any] | Callable[[], BaseLanguageModel[Any]] | None,
    *,
    sessions: SessionStore | None = None,
    rewrite_llm: BaseLanguageModel[Any] | Callable[[], BaseLanguageModel[Any]] | None = None,
    context_window: int | None = None,
    max_tokens: int | None = None,
    **qa_options: Any,  # noqa: ANN401  # build_qa_chain's own
) -> Runnable[Asking, Reply]:
    """A Runnable from a question and what was said before it to a Reply.

    It is asked a str, or a mapping: `question`; `history`, which is exchanges, (question, answer) pairs or LangChain's
    messages, oldest first; or `session`, a name by which `sessions` keeps what was said. `stream` gives pieces that
    add up to the reply; the first tells how the question was understood. What is broken off is not remembered.

    Args:
        retriever: finds passages; a follow-up is searched as it stands by itself and as it was asked.
        llm: answers, as build_qa_chain takes it; a chat model reads the earlier turns, a base model only the question
            as it stands by itself. None: the best supported sentences of the passages are the answers.
        sessions: keeps conversations by name.
        rewrite_llm: makes follow-ups stand by themselves; by default, and where it says nothing, rules do. It is
            asked only where a question leans on history.
        context_window: tokens of prompt and answer together; the model's own by default.
        max_tokens: room kept for the answer; the model's own by default.
        **qa_options: more for build_qa_chain, for example `max_passages`.

    Raises:
        ConfigError: the model does not say its window or its max_tokens, and neither was given.
    """
    sizes: dict[str, Any] = {"context_window": context_window, "max_tokens": max_tokens}
    rewrite = None
    if rewrite_llm is not None:
        of_same = sizes if rewrite_llm is llm else {}
        rewrite = llm_rewrite(ModelSource(rewrite_llm, **of_same, builder="build_conversation_chain"))
    chain = _ConversationChain(build_qa_chain(retriever, llm, **sizes, **qa_options), sessions, rewrite)
    return RunnableLambda(chain.stream, afunc=chain.astream, name="conversation")


@dataclass(frozen=True, slots=True)
class _Asked:
    question: str
    history: tuple[Exchange, ...]
    session: str | None


class _ConversationChain:
    """The two ways through the chain. LangChain hands callbacks to the stages through its own context."""

    def __init__(self, qa: QAChain, sessions: SessionStore | None, rewrite: Rewrite | None) -> None:
        self._qa = qa
        self._sessions = sessions
        self._rewrite = rewrite
        self._recall = RunnableLambda(self._recalled, name="recall")
        self._understand = RunnableLambda(self._understood, name="rewrite")
        self._remember = RunnableLambda(self._remembered, name="remember")

    def stream(self, given: Asking) -> Iterator[Reply]:
        """Pieces of the reply."""
        asked = self._recall.invoke(given)
        understood = self._understand.invoke(asked)
        yield understood
        whole = understood
        for answer in self._qa.stream(_to_qa(understood, asked)):
            piece = Reply(answer=answer)
            whole += piece
            yield piece
        if asked.session is not None:
            self._remember.invoke((asked.session, whole))

    async def astream(self, given: Asking) -> AsyncIterator[Reply]:
        """Pieces of the reply."""
        asked = await self._recall.ainvoke(given)
        understood = await self._understand.ainvoke(asked)
        yield understood
        whole = understood
        async for answer in self._qa.astream(_to_qa(understood, asked)):
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

    def _understood(self, asked: _Asked) -> Reply:
        """The question as it stands by itself, and how it was made so."""
        history = tuple(with_queries(asked.history))
        how = leaning(asked.question) if history else None
        if how is None:
            return Reply(asked.question, asked.question, (asked.question,))
        by_model = self._rewrite(asked.question, history) if self._rewrite else ""
        query = by_model or standalone(asked.question, history)
        queries = tuple(dict.fromkeys((query, asked.question)))
        return Reply(asked.question, query, queries, how, "model" if by_model else "rules")

    def _remembered(self, said: tuple[str, Reply]) -> None:
        assert self._sessions is not None
        self._sessions.add(*said)


def _to_qa(understood: Reply, asked: _Asked) -> dict[str, Any]:
    """The question for question answering; a refusal is no turn that a model reads, since it would repeat it."""
    history = [exchange for exchange in asked.history if not exchange.refused]
    return {"question": understood.query, "queries": understood.queries, "history": history}
