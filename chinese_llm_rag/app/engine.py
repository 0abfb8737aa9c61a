"""A thread with an event loop of its own, in which answers are made, so that the connections never wait."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import CancelledError, Future
from contextlib import aclosing, suppress
from typing import Any, TypeVar

from chinese_llm_rag.app.failures import RefusedError
from chinese_llm_rag.language import say

T = TypeVar("T")
_END = object()


class Engine:
    """Runs coroutines and async generators for callers in other event loops. Close it when done."""

    def __init__(self) -> None:
        self._stopping = False
        self._begun: set[Future[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="chinese_llm_rag-engine", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def call(self, start: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of a coroutine; a caller that is cancelled cancels it.

        Raises:
            RefusedError: the engine is closed.
        """
        future = self._submit(start)
        try:
            return await asyncio.wrap_future(future)
        except CancelledError:
            raise _stopping() from None

    async def iterate(self, start: Callable[[], AsyncGenerator[T, None]]) -> AsyncGenerator[T, None]:
        """What an async generator yields, as it comes, whether the caller keeps up or not.

        A caller that stops or is cancelled cancels the generator; an error in it is raised here.

        Raises:
            RefusedError: the engine is closed.
        """
        here = asyncio.get_running_loop()
        pieces: asyncio.Queue[T | object] = asyncio.Queue()

        def send(piece: T | object) -> None:
            with suppress(RuntimeError):  # the caller's loop is closed: nobody reads any more
                here.call_soon_threadsafe(pieces.put_nowait, piece)

        async def work() -> None:
            async with aclosing(start()) as source:
                async for piece in source:
                    send(piece)

        future = self._submit(work)
        future.add_done_callback(lambda _: send(_END))
        try:
            while (piece := await pieces.get()) is not _END:
                yield piece  # type: ignore[misc]  # all but _END are T
            try:
                future.result()
            except CancelledError:
                raise _stopping() from None
        finally:
            future.cancel()

    def begin(self, start: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a coroutine that nobody waits for.

        Raises:
            RefusedError: the engine is closed.
        """
        future = self._submit(start)
        self._begun.add(future)  # a task that nothing refers to may vanish
        future.add_done_callback(self._begun.discard)

    def _submit(self, start: Callable[[], Coroutine[Any, Any, T]]) -> "Future[T]":
        if self._stopping:
            raise _stopping()
        return asyncio.run_coroutine_threadsafe(start(), self._loop)

    def stop(self) -> None:
        """Cancel what runs and refuse what comes; returns at once. For the handler of a signal."""
        self._stopping = True
        if not self._loop.is_closed():
            asyncio.run_coroutine_threadsafe(_cancel_all(), self._loop)

    def close(self, *, wait_s: float = 5.0) -> None:
        """Cancel what runs, and end the thread. May be called twice."""
        self._stopping = True
        if self._loop.is_closed() or not self._thread.is_alive():
            return
        ended = asyncio.run_coroutine_threadsafe(_cancel_all(), self._loop)
        with suppress(TimeoutError, CancelledError):
            ended.result(wait_s)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(wait_s)
        if not self._thread.is_alive():
            self._loop.close()


async def _cancel_all() -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _stopping() -> RefusedError:
    return RefusedError("unavailable", say("the program is about to end", "程序正在退出"))
