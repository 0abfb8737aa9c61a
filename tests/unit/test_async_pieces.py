"""Blocking iterators read from async code."""

import asyncio
import contextvars
import threading
import time
from contextlib import aclosing

import pytest

from chinese_llm_rag.llms.async_pieces import iterate_in_thread

spoken = contextvars.ContextVar("spoken", default="nothing")


async def test_items_come_in_order_from_one_other_thread() -> None:
    def numbers():
        for n in range(100):
            yield n, threading.get_ident()

    items = [item async for item in iterate_in_thread(numbers)]
    assert [n for n, _ in items] == list(range(100))
    assert {t for _, t in items} != {threading.get_ident()}
    assert len({t for _, t in items}) == 1


async def test_the_event_loop_goes_on_meanwhile() -> None:
    def slow():
        yield time.sleep(0.3)

    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(tick())
    [item async for item in iterate_in_thread(slow)]
    ticking.cancel()
    assert ticks > 5


async def test_an_error_comes_after_the_items_before_it() -> None:
    def failing():
        yield 1
        raise OSError("gone")

    items = iterate_in_thread(failing)
    assert await anext(items) == 1
    with pytest.raises(OSError, match="gone"):
        await anext(items)


async def test_context_variables_are_the_readers() -> None:
    def say():
        yield spoken.get()

    spoken.set("hello")
    assert [item async for item in iterate_in_thread(say)] == ["hello"]


@pytest.mark.parametrize("how", ["leave", "cancel"])
async def test_a_reader_that_goes_away_closes_the_generator(how: str) -> None:
    closed = threading.Event()

    def endless():
        try:
            while True:
                yield 1
                time.sleep(0.001)
        finally:
            closed.set()

    async def read() -> None:
        async with aclosing(iterate_in_thread(endless)) as items:
            async for _ in items:
                if how == "leave":
                    return

    task = asyncio.create_task(read())
    if how == "cancel":
        await asyncio.sleep(0.05)
        task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await asyncio.to_thread(closed.wait, 5)
