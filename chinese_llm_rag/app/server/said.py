"""What a model or a knowledge base says, as one kind of pieces, and what they add up to."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from chinese_llm_rag.app.failures import Failure
from chinese_llm_rag.app.rendering import sources_text
from chinese_llm_rag.app.server.openai_replies import Usage
from chinese_llm_rag.app.views import Understood, answer_dict
from chinese_llm_rag.llms.backend import TextChunk, TokenLogprob
from chinese_llm_rag.schema import Answer


@dataclass(frozen=True, slots=True)
class Said:
    """A piece; the counts of all pieces add up. `answer` comes with the last one of a knowledge base."""

    text: str = ""
    prompt_tokens: int = 0
    n_tokens: int = 0
    finish_reason: str | None = None
    logprobs: tuple[TokenLogprob, ...] = ()
    answer: dict[str, Any] | None = None


@dataclass(slots=True)
class Whole:
    """What pieces add up to."""

    text: str = ""
    prompt_tokens: int = 0
    n_tokens: int = 0
    finish_reason: Literal["stop", "length"] = "stop"
    logprobs: list[TokenLogprob] = field(default_factory=list)
    answer: dict[str, Any] | None = None

    def add(self, piece: Said) -> None:
        """Count a piece."""
        self.text += piece.text
        self.prompt_tokens += piece.prompt_tokens
        self.n_tokens += piece.n_tokens
        self.logprobs += piece.logprobs
        self.answer = piece.answer or self.answer
        if piece.finish_reason == "length":
            self.finish_reason = "length"

    @property
    def usage(self) -> Usage:
        """The counts as OpenAI's API writes them."""
        return Usage(
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.n_tokens,
            total_tokens=self.prompt_tokens + self.n_tokens,
        )


async def said_by_model(chunks: AsyncGenerator[TextChunk | Failure, None]) -> AsyncGenerator[Said | Failure, None]:
    """A model's pieces."""
    async with aclosing(chunks):
        async for chunk in chunks:
            if isinstance(chunk, Failure):
                yield chunk
            else:
                yield Said(chunk.text, chunk.prompt_tokens, chunk.n_tokens, chunk.finish_reason, chunk.logprobs)


async def said_by_base(
    pieces: AsyncGenerator[Answer | Understood | Failure, None], folder: Path, *, sources: bool, max_tokens: int | None
) -> AsyncGenerator[Said | Failure, None]:
    """A knowledge base's pieces.

    Args:
        pieces: of the answer.
        folder: of the uploaded documents.
        sources: whether what the answer rests on is said below it.
        max_tokens: that were asked for, which is how an answer that was cut is known.
    """
    whole, query = Answer(), None
    async with aclosing(pieces):
        async for piece in pieces:
            if isinstance(piece, Failure):
                yield piece
                return
            if isinstance(piece, Understood):
                query = piece.query
                continue
            whole += piece
            if piece.text:
                yield Said(piece.text)
    n_tokens = whole.usage.get("output_tokens", 0)
    answer = {**answer_dict(whole, folder), "query": query}
    yield Said(
        sources_text(answer) if sources else "",
        whole.usage.get("input_tokens", 0),
        n_tokens,
        "length" if max_tokens is not None and n_tokens >= max_tokens else "stop",
        answer=answer,
    )
