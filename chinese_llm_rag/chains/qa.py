"""Question -> Answer: retrieve, check the evidence, pack, generate, check the answer.

A plain Runnable over LangChain's interfaces: any retriever, any LLM or chat model, or none. It streams:
pieces of the text first, then one piece with the sentences, their citations and what was dropped for space.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from typing import Any, Literal, cast, get_args

from langchain_core.documents import BaseDocumentCompressor
from langchain_core.language_models import BaseLanguageModel
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda

from chinese_llm_rag.chains.asked import Asked
from chinese_llm_rag.chains.effects import adrive, drive, prompts_of
from chinese_llm_rag.chains.qa_course import QACourse
from chinese_llm_rag.chains.qa_model import ModelSource
from chinese_llm_rag.chains.qa_prompt import Detail, QAPromptStyle
from chinese_llm_rag.chains.rendered import RenderedPrompt, rendered
from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.evidence import MIN_COVERAGE
from chinese_llm_rag.language import say
from chinese_llm_rag.packing import Order
from chinese_llm_rag.schema import Answer

# "stuff": one prompt with the best passages that fit. "refine": portion by portion, each goes over the answer of
# the one before. "map_rerank": each portion by itself, the best supported answer is given. "auto": stuff where all
# that was found fits, else refine for detailed answers of a chat model, else map_rerank. "extractive": the best
# supported sentences of the passages are the answer, and no model is asked, even where there is one.
Strategy = Literal["auto", "stuff", "refine", "map_rerank", "extractive"]
Question = str | Mapping[str, Any]


class QAChain(RunnableLambda[Question, Answer]):
    """What `build_qa_chain` builds."""

    def __init__(self, course: QACourse, retriever: BaseRetriever, detail: Detail) -> None:
        self._course = course
        self._retriever = retriever
        self._detail = detail
        super().__init__(self._stream, afunc=self._astream, name="qa")

    def _stream(self, question: Question) -> Iterator[Answer]:
        asked = Asked.of(question, self._detail)
        with closing(cast("Any", drive(self._course.of(asked), self._retriever))) as pieces:
            yield from pieces

    async def _astream(self, question: Question) -> AsyncIterator[Answer]:
        asked = Asked.of(question, self._detail)
        async with aclosing(cast("Any", adrive(self._course.of(asked), self._retriever))) as pieces:
            async for piece in pieces:
                yield piece

    def prompts(self, question: Question) -> list[RenderedPrompt]:
        """The prompts that the question would send, letter by letter, with their tokens; nothing is generated.

        Of "refine" the first one, since the others depend on the answer. Empty where no model is asked.
        """
        course = self._course.of(Asked.of(question, self._detail))
        return [rendered(begin.llm, begin.prompt) for begin in prompts_of(course, self._retriever)]


def build_qa_chain(
    retriever: BaseRetriever,
    llm: BaseLanguageModel[Any] | Callable[[], BaseLanguageModel[Any]] | None,
    *,
    context_window: int | None = None,
    max_tokens: int | None = None,
    max_passages: int | None = None,
    min_coverage: float = MIN_COVERAGE,
    style: QAPromptStyle | None = None,
    strategy: Strategy = "auto",
    detail: Detail = "short",
    strict: bool = False,
    order: Order = "ends",
    wider: Sequence[BaseDocumentCompressor] = (),
) -> QAChain:
    """A Runnable from a question to its Answer.

    The question is a str, or a mapping with "question" and, where wanted, "queries" (what is searched instead),
    "history" (exchanges, (question, answer) pairs or messages) and "detail". `invoke` gives the whole answer;
    `stream` gives pieces that add up to it.

    Args:
        retriever: finds passages; metadata as in ChunkMetadata makes citations exact.
        llm: a chat model is asked in turns, any other LLM by few-shot completion. A function is called when a
            question has passed the gate, once. None: the best supported sentences of the passages are the answer.
        context_window: tokens of prompt and answer together; the model's own by default.
        max_tokens: room kept for the answer; the model's own by default.
        max_passages: the most passages that are looked at.
        min_coverage: the gate's threshold, see evidence.py; 0 switches it off but for numbers and names.
        style: how the model is asked, if not by its kind.
        strategy: "stuff", "refine", "map_rerank", "extractive", or "auto".
        detail: "short" or "detailed" answers.
        strict: whether sentences that the evidence does not bear out are taken out rather than marked.
        order: of the passages in a prompt: "rank", "ends" (best first and last) or "document".
        wider: how to read more around what was found, widest first, for instance ContextExpanders; the first
            reading that fits the window whole is taken, or else the passages as they were found.

    Raises:
        ConfigError: the model does not say its window or its max_tokens, and neither was given; a word that is
            none of those above.
    """
    _require("strategy", strategy, get_args(Strategy))
    _require("detail", detail, get_args(Detail))
    _require("order", order, get_args(Order))
    source = None if llm is None else ModelSource(llm, context_window, max_tokens, style)
    course = QACourse(
        model=source,
        loaded=source.loaded if source is not None else _never,
        strategy=strategy,
        max_passages=max_passages,
        min_coverage=min_coverage,
        order=order,
        wider=tuple(wider),
        strict=strict,
    )
    return QAChain(course, retriever, detail)


def _never() -> bool:
    return False


def _require(setting: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        expected = ", ".join(allowed)
        raise ConfigError(
            say(f"{setting}={value!r}: expected {expected}", f"{setting}={value!r} 无效，应为 {expected}"),
            setting=setting,
        )
