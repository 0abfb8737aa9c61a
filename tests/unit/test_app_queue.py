"""The fair queue, the engine and the names that come from clients."""

import asyncio
import threading
from collections.abc import AsyncGenerator

import pytest

from chinese_llm_rag.app.engine import Engine
from chinese_llm_rag.app.failures import Failure, RefusedError, attempt, failure_of
from chinese_llm_rag.app.fair_queue import FairQueue
from chinese_llm_rag.app.names import base_name, document_name
from chinese_llm_rag.errors import ConfigError, ContextWindowExceededError, GenerationError


async def served(queue: FairQueue, clients: str) -> str:
    """In which order the clients get their turns, all of them asking before the first turn ends."""
    order: list[str] = []
    first = asyncio.Event()

    async def ask(client: str) -> None:
        async with queue.turn(client, wait_s=5):
            await first.wait()
            order.append(client)

    tasks = []
    for client in clients:
        tasks.append(asyncio.create_task(ask(client)))
        await asyncio.sleep(0)
    first.set()
    await asyncio.gather(*tasks)
    return "".join(order)


async def test_a_client_that_asks_often_waits_behind_nobodys_first_question_but_its_own():
    assert await served(FairQueue(), "aaaabc") == "aabcaa"


async def test_each_clients_questions_keep_their_order():
    queue = FairQueue()
    seen: list[int] = []

    async def ask(number: int) -> None:
        async with queue.turn("a", wait_s=5):
            seen.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*(ask(number) for number in range(6)))
    assert seen == list(range(6))


async def test_one_too_many_is_refused_as_busy_with_a_time_to_come_back():
    queue = FairQueue(max_waiting=1)
    async with queue.turn("a", wait_s=1):
        waiting = asyncio.create_task(served(queue, "b"))
        await asyncio.sleep(0.01)
        with pytest.raises(RefusedError) as refused:
            async with queue.turn("c", wait_s=1):
                pass
    assert refused.value.failure.kind == "busy"
    assert (refused.value.failure.retry_after_s or 0) >= 1
    assert queue.n_refused == 1
    assert await waiting == "b"


async def test_whoever_gives_up_waiting_takes_no_turn():
    queue = FairQueue()
    async with queue.turn("a", wait_s=1):
        gone = asyncio.create_task(served(queue, "b"))
        await asyncio.sleep(0.01)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        with pytest.raises(RefusedError) as late:
            async with queue.turn("c", wait_s=0.01):
                pass
        assert late.value.failure.kind == "timeout"
        assert queue.n_waiting == 0
    assert queue.n_running == 0
    assert await served(queue, "d") == "d"


@pytest.fixture
def engine():
    made = Engine()
    yield made
    made.close()


async def test_a_reader_that_stops_ends_the_generator_in_the_engine(engine):
    closed = threading.Event()

    async def endless() -> AsyncGenerator[int, None]:
        try:
            for number in range(10**9):
                yield number
                await asyncio.sleep(0.001)
        finally:
            closed.set()

    stream = engine.iterate(endless)
    assert await anext(stream) == 0
    await stream.aclose()
    assert await asyncio.to_thread(closed.wait, 5)


async def test_a_slow_reader_holds_nobody_up(engine):
    ended = threading.Event()

    async def some() -> AsyncGenerator[int, None]:
        for number in range(100):
            yield number
        ended.set()

    stream = engine.iterate(some)
    first = await anext(stream)
    assert await asyncio.to_thread(ended.wait, 5)  # while nobody reads
    assert [first, *[number async for number in stream]] == list(range(100))


async def test_an_error_in_the_engine_is_raised_where_the_stream_is_read(engine):
    async def broken() -> AsyncGenerator[int, None]:
        yield 1
        raise GenerationError("broken")

    stream = engine.iterate(broken)
    assert await anext(stream) == 1
    with pytest.raises(GenerationError, match="broken"):
        await anext(stream)


async def test_an_engine_that_is_closed_ends_its_streams_and_refuses_others(engine):
    async def endless() -> AsyncGenerator[int, None]:
        while True:
            yield 1
            await asyncio.sleep(0.01)

    stream = engine.iterate(endless)
    await anext(stream)
    engine.stop()
    with pytest.raises(RefusedError, match="about to end"):
        async for _ in stream:
            pass
    with pytest.raises(RefusedError, match="about to end"):
        await anext(engine.iterate(endless))


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../合同", "a/b", "a\\b", ".hidden", "a\0b", "con", "x" * 65, "合" * 70, " a", "a ", "a.", "<b>"],
)
def test_what_could_lead_elsewhere_is_no_name_of_a_base(name):
    with pytest.raises(RefusedError):
        base_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            "/",
            "/etc/passwd",
            "..",
            "../a.pdf",
            "a/../b.pdf",
            "a//b.pdf",
            "a/./b.pdf",
            "C:\\a.pdf",
            "a\\b.pdf",
            "a:b.pdf",
        ),
        *(
            ".a.pdf",
            "a/.b.pdf",
            "a\0.pdf",
            "a\n.pdf",
            "nul.pdf",
            "a.pdf.",
            " a.pdf",
            "合" * 70 + ".pdf",
            "a/" * 9 + "b.pdf",
        ),
        *("\ud800.pdf", "a?.pdf", "a/"),
    ],
)
def test_what_could_lead_elsewhere_is_no_name_of_a_document(name):
    with pytest.raises(RefusedError):
        document_name(name)


def test_ordinary_names_are_names():
    assert base_name("我的 文档-2.1") == "我的 文档-2.1"
    assert document_name("二〇二四/采购 合同（终稿）.pdf") == ("二〇二四", "采购 合同（终稿）.pdf")
    assert document_name("<b>粗体</b>.pdf".replace("<", "＜").replace(">", "＞").replace("/", "／"))


def test_errors_become_values_and_unexpected_ones_say_no_more_than_their_kind(caplog):
    assert failure_of(ConfigError("k=0", setting="k")) == Failure("invalid", "k=0", None, "k")
    assert failure_of(ContextWindowExceededError(prompt_tokens=9, max_tokens=9, context_window=9)).kind == "too_long"
    unexpected = attempt(lambda: {}["/secret/path"])
    assert isinstance(unexpected, Failure)
    assert unexpected.kind == "internal"
    assert "/secret/path" not in f"{unexpected.message}{unexpected.hint}"
    assert "/secret/path" in caplog.text
