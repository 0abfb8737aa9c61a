"""Errors as values: what a server or a page tells its user instead of falling over.

The boundary of the controller: whatever is raised below it comes out of `caught` as a Failure. This is the second
of the two places (the first is the command line) that catch every exception.
"""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal, TypeVar

from chinese_llm_rag.errors import (
    ConfigError,
    ContextWindowExceededError,
    DocumentError,
    GenerationError,
    KnowledgeBaseBusyError,
    KnowledgeBaseError,
    MissingDependencyError,
    ModelLoadError,
    RagError,
)
from chinese_llm_rag.language import say

T = TypeVar("T")
FailureKind = Literal[
    "invalid",  # what was asked cannot be done, however often
    "too_long",  # it does not fit the model's window
    "not_found",
    "conflict",  # not in the present state, for example while another process writes
    "too_large",
    "unsupported",  # a file that is no document
    "busy",  # too many wait; later it goes
    "timeout",
    "slow",  # the client did not send in time
    "unavailable",  # no model, or the program is about to end
    "internal",  # a mistake of this program
]
_LOG = logging.getLogger("chinese_llm_rag.app")


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong and what to do, in the user's words; `setting` is the argument at fault, where there is one."""

    kind: FailureKind
    message: str
    hint: str | None = None
    setting: str | None = None
    retry_after_s: int | None = None


class RefusedError(RagError):
    """Raised below the controller for what is refused there; becomes the Failure that it holds."""

    def __init__(
        self,
        kind: FailureKind,
        message: str,
        *,
        hint: str | None = None,
        setting: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.failure = Failure(kind, message, hint, setting, retry_after_s)


_KINDS: tuple[tuple[type[RagError], FailureKind], ...] = (
    (ContextWindowExceededError, "too_long"),
    (ConfigError, "invalid"),
    (DocumentError, "invalid"),
    (KnowledgeBaseBusyError, "conflict"),
    (KnowledgeBaseError, "unavailable"),
    (ModelLoadError, "unavailable"),
    (MissingDependencyError, "unavailable"),
    (GenerationError, "unavailable"),
    (RagError, "internal"),
)


def failure_of(error: Exception) -> Failure:
    """The Failure that an exception becomes; one that nobody expected is logged with its traceback."""
    if isinstance(error, RefusedError):
        return error.failure
    if isinstance(error, RagError):
        kind = next(kind for known, kind in _KINDS if isinstance(error, known))
        return Failure(kind, " ".join(str(error).split()), error.hint, getattr(error, "setting", None))
    if isinstance(error, TimeoutError):
        return Failure("timeout", say("it took too long and was stopped", "用时过长，已停止"))
    _LOG.error("unexpected error", exc_info=error)
    return Failure(
        "internal",
        say(f"a mistake of this program: {type(error).__name__}", f"程序内部错误：{type(error).__name__}"),
        say("the log on the terminal says more", "详情请看终端中的日志"),
    )


async def caught(result: Awaitable[T]) -> T | Failure:
    """The result, or the Failure that came instead."""
    try:
        return await result
    except Exception as error:  # noqa: BLE001  (the boundary)
        return failure_of(error)


async def caught_pieces(pieces: AsyncGenerator[T, None]) -> AsyncGenerator[T | Failure, None]:
    """The pieces; where the stream breaks, a Failure is the last of them."""
    async with aclosing(pieces):
        try:
            async for piece in pieces:
                yield piece
        except Exception as error:  # noqa: BLE001  (the boundary)
            yield failure_of(error)


def attempt(work: Callable[[], T]) -> T | Failure:
    """What a function gives, or the Failure that came instead; for threads that have to go on."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001  (the boundary)
        return failure_of(error)
