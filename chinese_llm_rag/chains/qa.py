"""Question -> Answer: retrieve, pack, check the evidence, generate, cite.

A plain Runnable over LangChain's interfaces: any retriever, any LLM or chat model. It streams: pieces of
the text first, then one piece with the sentences, their citations and what was dropped for space.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel, BaseLanguageModel
from langchain_core.messages import BaseMessage
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnableLambda

from chinese_llm_rag.chains.qa_prompt import PromptText, QAPromptStyle, style_for
from chinese_llm_rag.chinese_text import search_terms
from chinese_llm_rag.citations import cite
from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.evidence import MIN_COVERAGE, EvidenceCheck, check_evidence
from chinese_llm_rag.language import say
from chinese_llm_rag.packing import Order, Window, passages_of, plan
from chinese_llm_rag.prompts import REFUSAL
from chinese_llm_rag.schema import Answer, PackedContext, Passage

_REFUSAL_STEM = REFUSAL.rstrip("。")


def build_qa_chain(
    retriever: BaseRetriever,
    llm: BaseLanguageModel[Any],
    *,
    context_window: int | None = None,
    max_tokens: int | None = None,
    max_passages: int | None = None,
    min_coverage: float = MIN_COVERAGE,
    style: QAPromptStyle | None = None,
    order: Order = "rank",
) -> Runnable[str, Answer]:
    """A Runnable from a question to its Answer.

    `invoke` gives the whole answer; `stream` gives pieces that add up to it.

    Args:
        retriever: finds passages; metadata as in ChunkMetadata makes citations exact.
        llm: a chat model is asked in turns, any other LLM by few-shot completion.
        context_window: tokens of prompt and answer together; the model's own by default.
        max_tokens: room kept for the answer; the model's own by default.
        max_passages: the most passages that the model is shown.
        min_coverage: see evidence.py; 0 switches the gate off but for numbers and names.
        style: how the model is asked, if not by its kind.
        order: of the passages in the prompt: "rank", "ends" (best first and last) or "document".

    Raises:
        ConfigError: the model does not say its window or its max_tokens, and neither was given.
    """
    chain = _QAChain(
        retriever=retriever,
        llm=llm,
        window=Window(_number_of(llm, "context_window", context_window), _number_of(llm, "max_tokens", max_tokens)),
        max_passages=max_passages,
        min_coverage=min_coverage,
        style=style or style_for(llm),
        order=order,
    )
    return RunnableLambda(chain.stream, afunc=chain.astream, name="qa")


def _number_of(llm: BaseLanguageModel[Any], name: str, given: int | None) -> int:
    value = given if given is not None else getattr(llm, name, None)
    if not isinstance(value, int) or value < 1:
        raise ConfigError(
            say(f"{name} of {type(llm).__name__} is not known", f"不知道 {type(llm).__name__} 的 {name}"),
            setting=name,
            hint=f"build_qa_chain(..., {name}=...)",
        )
    return value


@dataclass(frozen=True, slots=True)
class _QAChain:
    """The two ways through the chain. LangChain hands callbacks to the parts through its own context."""

    retriever: BaseRetriever
    llm: BaseLanguageModel[Any]
    window: Window
    max_passages: int | None
    min_coverage: float
    style: QAPromptStyle
    order: Order

    def stream(self, question: str) -> Iterator[Answer]:
        """Pieces of the answer."""
        self._require_room(question)
        context, refusal = self._evidence(question, passages_of(self.retriever.invoke(question)))
        if refusal is not None:
            yield refusal
            return
        prompt = self.style.build(question, context.passages)
        collected = _Collected()
        for piece in self.llm.stream(prompt, **self._call()):
            if text := collected.take(piece):
                yield Answer(text=text)
        yield _last(question, collected, context)

    async def astream(self, question: str) -> AsyncIterator[Answer]:
        """Pieces of the answer."""
        self._require_room(question)
        context, refusal = self._evidence(question, passages_of(await self.retriever.ainvoke(question)))
        if refusal is not None:
            yield refusal
            return
        prompt = self.style.build(question, context.passages)
        collected = _Collected()
        async for piece in self.llm.astream(prompt, **self._call()):
            if text := collected.take(piece):
                yield Answer(text=text)
        yield _last(question, collected, context)

    def _call(self) -> dict[str, Any]:
        return {"stop": list(self.style.stop)} if self.style.stop else {}

    def _evidence(self, question: str, found: list[Passage]) -> tuple[PackedContext, Answer | None]:
        """What the model will read, or the refusal."""
        candidates = found[: self.max_passages] if self.max_passages else found
        context = self._pack(question, candidates)
        check = check_evidence(question, [p.text for p in context.passages], min_coverage=self.min_coverage)
        if check.sufficient:
            return context, None
        return context, Answer(
            text=REFUSAL,
            passages=context.passages,
            dropped=context.dropped,
            refused=True,
            reason=_reason(check, found=bool(context.passages)),
        )

    def _require_room(self, question: str) -> None:
        """Refuse what is no question, or one that fills the window by itself, before anything is searched."""
        _require_question(question)
        if (bare := self._count(self.style.build(question, ()))) > self.window.budget:
            raise self.window.too_long(bare)

    def _pack(self, question: str, passages: list[Passage]) -> PackedContext:
        return plan(
            self.window,
            lambda chosen, _: self._count(self.style.build(question, chosen)),
            [passages],
            order=self.order,
            question=question,
        ).context

    def _count(self, prompt: PromptText) -> int:
        if isinstance(prompt, str):
            return self.llm.get_num_tokens(prompt)
        if isinstance(self.llm, BaseChatModel):
            return self.llm.get_num_tokens_from_messages(prompt)
        return sum(self.llm.get_num_tokens(message.text) for message in prompt)


class _Collected:
    """The text of a stream so far, without white space before it, and the usage it reported."""

    def __init__(self) -> None:
        self.text = ""
        self.usage: dict[str, int] = {}

    def take(self, piece: str | BaseMessage) -> str:
        text = piece if isinstance(piece, str) else piece.text
        for key, count in (getattr(piece, "usage_metadata", None) or {}).items():
            if isinstance(count, int):
                self.usage[key] = self.usage.get(key, 0) + count
        if not self.text:
            text = text.lstrip()
        self.text += text
        return text


def _last(question: str, collected: _Collected, context: PackedContext) -> Answer:
    """The piece that closes a stream."""
    said = collected.text.strip()
    refused = not said or said.startswith(_REFUSAL_STEM) or search_terms(said) == search_terms(question)
    reason = None
    if refused:
        reason = say("the model found no answer in the passages", "模型没有在段落中找到答案")
    return Answer(
        text="" if said else REFUSAL,
        sentences=() if refused else cite(collected.text, context.passages, question),
        passages=context.passages,
        dropped=context.dropped,
        refused=refused,
        reason=reason,
        usage=collected.usage,
    )


def _reason(check: EvidenceCheck, *, found: bool) -> str:
    """Why the evidence does not suffice, for the user."""
    if not found:
        return say("no passage was found", "没有检索到任何段落")
    if not check.missing:
        return say("the question names nothing to look for", "问题中没有可供检索的内容")
    missing = "、".join(check.missing[:8])
    return say(f"the passages found do not hold: {missing}", f"检索到的段落不包含：{missing}")


def _require_question(question: str) -> None:
    if not isinstance(question, str):
        raise ConfigError(
            say(f"the question is {question!r}, expected a str", f"问题应为字符串，而不是 {question!r}"),
            setting="question",
        )
    if not question.strip():
        raise ConfigError(
            say("the question is empty", "问题为空"),
            setting="question",
            hint=say("ask something", "请输入问题"),
        )
