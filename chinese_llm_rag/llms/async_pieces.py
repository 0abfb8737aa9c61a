"""Read a blocking iterator from async code, without blocking the event loop and without losing its errors."""

import asyncio
import contextvars
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
_END = object()


async def iterate_in_thread(start: Callable[[], Generator[T, None, None]]) -> AsyncGenerator[T, None]:
    """What the generator that `start` makes yields, in order; all of it runs in one thread of its own.

    When the reader stops or is cancelled, the generator is closed at its next piece. An error in the thread is
    raised here.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[T | object] = asyncio.Queue()
    unwanted = threading.Event()

    def send(item: T | object) -> None:
        try:
            loop.call_soon_threadsafe(queue.put_nowait, item)
        except RuntimeError:  # the loop was closed under us: there is no reader any more
            unwanted.set()

    def work() -> None:
        pieces = start()
        try:
            for piece in pieces:
                if unwanted.is_set():
                    return
                send(piece)
        finally:
            pieces.close()

    with_context = contextvars.copy_context()
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="chinese_llm_rag-stream")
    future: Future[None] = executor.submit(with_context.run, work)
    executor.shutdown(wait=False)
    future.add_done_callback(lambda _: send(_END))
    try:
        while (item := await queue.get()) is not _END:
            yield item  # type: ignore[misc]  # all but _END are T
        future.result()
    finally:
        unwanted.set()
