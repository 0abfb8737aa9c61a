"""Replies that come piece by piece, and work that ends when nobody waits for it any more."""

import asyncio
import json
from collections.abc import AsyncGenerator, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import StreamingResponse

from chinese_llm_rag.app.failures import Failure
from chinese_llm_rag.app.server.replies import ClientGoneError, FailedRequestError

T = TypeVar("T")
DONE = "data: [DONE]\n\n"
EVENT_STREAM: dict[str, Any] = {"text/event-stream": {"schema": {"type": "string"}}}


def event(value: object) -> str:
    """A server-sent event with a JSON value."""
    return f"data: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n\n"


async def until_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The result of the work, which is cancelled when the client closes the connection.

    Raises:
        ClientGoneError: it did.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientGoneError
    finally:
        gone.cancel()
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await task


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def begun(request: Request, pieces: AsyncGenerator[T | Failure, None]) -> AsyncGenerator[T | Failure, None]:
    """The same pieces, the first of which has come.

    Raises:
        FailedRequestError: the first one is a Failure, so that it still has a status of its own.
        ClientGoneError: nobody waits any more.
    """
    first = await until_gone(request, _first(pieces))
    if isinstance(first, Failure):
        await pieces.aclose()
        raise FailedRequestError(first)
    return _with_first(first, pieces)


async def _first(pieces: AsyncGenerator[T, None]) -> T:
    return await anext(pieces)


async def _with_first(first: T, pieces: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    try:
        yield first
        async for piece in pieces:
            yield piece
    finally:
        await pieces.aclose()


def event_reply(events: AsyncGenerator[str, None]) -> StreamingResponse:
    """A reply of server-sent events, which no proxy keeps back."""
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


def unwrap(result: T | Failure) -> T:
    """The result.

    Raises:
        FailedRequestError: it is a Failure.
    """
    if isinstance(result, Failure):
        raise FailedRequestError(result)
    return result
