"""One course of a chain for both ways of running it: what it needs from outside, it asks for.

A course is a generator that yields effects and is sent their results. `drive` and `adrive` run it with the
blocking and the asynchronous methods of LangChain's runnables. Each effect is a run of its own under the
chain, so a tracer sees the stages apart.
"""

from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass
from typing import Any, cast

from langchain_core.documents import Document
from langchain_core.language_models import BaseLanguageModel
from langchain_core.messages import BaseMessage
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda

from chinese_llm_rag.chains.model_room import PromptText
from chinese_llm_rag.schema import Answer


@dataclass(frozen=True, slots=True)
class Retrieve:
    """Search for each query; the result is a list of documents a query."""

    queries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """Compute; the result is what `run` makes of `given`."""

    name: str
    run: Callable[[Any], Any]
    given: Any


@dataclass(frozen=True, slots=True)
class Begin:
    """Start generating; an answer that is under way ends. `alone`: later prompts depend on what will be said."""

    llm: BaseLanguageModel[Any]
    prompt: PromptText
    stop: tuple[str, ...] = ()
    alone: bool = False


@dataclass(frozen=True, slots=True)
class NextPiece:
    """Read on; the result is a piece of the answer, or None at its end."""


@dataclass(frozen=True, slots=True)
class Emit:
    """Give a piece of the answer to the caller."""

    answer: Answer


Effect = Retrieve | Stage | Begin | NextPiece | Emit
Course = Generator[Effect, Any, None]
Piece = str | BaseMessage


def drive(course: Course, retriever: BaseRetriever) -> Iterator[Answer]:
    """Run a course. When its reader stops, the model stops."""
    pieces: Generator[Piece, None, None] | None = None
    result: Any = None
    with closing(course):
        try:
            while (effect := _next(course, result)) is not None:
                result = None
                match effect:
                    case Emit():
                        yield effect.answer
                    case Retrieve():
                        result = _search(retriever).invoke(effect.queries)
                    case Stage():
                        result = RunnableLambda(effect.run, name=effect.name).invoke(effect.given)
                    case Begin():
                        if pieces is not None:
                            pieces.close()
                        pieces = cast("Generator[Piece, None, None]", _generation(effect).stream(effect.prompt))
                    case NextPiece():
                        result = next(pieces, None) if pieces is not None else None
        finally:
            if pieces is not None:
                pieces.close()


async def adrive(course: Course, retriever: BaseRetriever) -> AsyncIterator[Answer]:
    """Run a course without blocking the event loop. When its reader stops, the model stops."""
    pieces: Any = None
    result: Any = None
    with closing(course):
        try:
            while (effect := _next(course, result)) is not None:
                result = None
                match effect:
                    case Emit():
                        yield effect.answer
                    case Retrieve():
                        result = await _search(retriever).ainvoke(effect.queries)
                    case Stage():
                        result = await RunnableLambda(effect.run, name=effect.name).ainvoke(effect.given)
                    case Begin():
                        if pieces is not None:
                            await pieces.aclose()
                        pieces = _generation(effect).astream(effect.prompt)
                    case NextPiece():
                        result = await anext(pieces, None) if pieces is not None else None
        finally:
            if pieces is not None:
                await pieces.aclose()


def prompts_of(course: Course, retriever: BaseRetriever) -> list[Begin]:
    """What a course would generate from, if no model said a word; nothing is generated.

    A course that goes on from what was said is left at its first prompt.
    """
    found: list[Begin] = []
    result: Any = None
    with closing(course):
        while (effect := _next(course, result)) is not None:
            result = None
            match effect:
                case Retrieve():
                    result = _search(retriever).invoke(effect.queries)
                case Stage():
                    result = effect.run(effect.given)
                case Begin():
                    found.append(effect)
                    if effect.alone:
                        break
    return found


def _next(course: Course, result: Any) -> Effect | None:  # noqa: ANN401  # what the last effect gave
    try:
        return course.send(result)
    except StopIteration:
        return None


def _search(retriever: BaseRetriever) -> RunnableLambda[Sequence[str], list[list[Document]]]:
    def search(queries: Sequence[str]) -> list[list[Document]]:
        return [retriever.invoke(query) for query in queries]

    async def asearch(queries: Sequence[str]) -> list[list[Document]]:
        return [await retriever.ainvoke(query) for query in queries]

    return RunnableLambda(search, afunc=asearch, name="retrieve")


def _generation(effect: Begin) -> RunnableLambda[PromptText, Piece]:
    call: dict[str, Any] = {"stop": list(effect.stop)} if effect.stop else {}

    def generate(prompt: PromptText) -> Iterator[Piece]:
        with closing(cast("Generator[Piece, None, None]", effect.llm.stream(prompt, **call))) as pieces:
            yield from pieces

    async def agenerate(prompt: PromptText) -> AsyncIterator[Piece]:
        async with aclosing(cast("Any", effect.llm.astream(prompt, **call))) as pieces:
            async for piece in pieces:
                yield piece

    return RunnableLambda(generate, afunc=agenerate, name="generate")
