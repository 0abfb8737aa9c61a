"""Turns at what only one, or only some, can use at a time: one client after another, each client's own in order."""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chinese_llm_rag.app.failures import RefusedError
from chinese_llm_rag.language import say

_MEMORY = 0.2  # share of the newest turn in the mean of their lengths


class FairQueue:
    """A queue for the tasks of one event loop.

    A client that asks fifty times waits behind nobody's first question but its own.

    Args:
        n_at_once: how many hold a turn together.
        max_waiting: of all clients; one more is refused.
        max_waiting_of_one: of one client.

    Attributes:
        n_running: turns that are held.
        n_refused: since the start.
    """

    def __init__(self, *, n_at_once: int = 1, max_waiting: int = 64, max_waiting_of_one: int = 32) -> None:
        self._n_at_once = n_at_once
        self._max_waiting = max_waiting
        self._max_waiting_of_one = max_waiting_of_one
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._mean_turn_s = 1.0
        self.n_running = 0
        self.n_refused = 0

    @property
    def n_waiting(self) -> int:
        """How many wait."""
        return sum(map(len, self._waiting.values()))

    @asynccontextmanager
    async def turn(self, client: str, *, wait_s: float) -> AsyncIterator[None]:
        """Hold a turn while the block runs.

        Args:
            client: who asks.
            wait_s: how long it waits at most.

        Raises:
            RefusedError: too many wait ("busy"), or the turn did not come in time ("timeout").
        """
        await self._enter(client, wait_s)
        started = time.monotonic()
        try:
            yield
        finally:
            self._mean_turn_s += _MEMORY * (time.monotonic() - started - self._mean_turn_s)
            self._leave()

    async def _enter(self, client: str, wait_s: float) -> None:
        if self.n_running < self._n_at_once:
            self.n_running += 1  # whoever leaves hands the turn over, so nobody waits while one is free
            return
        mine = self._waiting.get(client, ())
        if self.n_waiting >= self._max_waiting or len(mine) >= self._max_waiting_of_one:
            self.n_refused += 1
            raise self._busy()
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(place)
        try:
            async with asyncio.timeout(wait_s):
                await place
        except BaseException as error:
            self._give_up(client, place)
            if isinstance(error, TimeoutError):
                raise RefusedError(
                    "timeout",
                    say(f"the turn did not come within {wait_s:g} s", f"等待 {wait_s:g} 秒后仍未轮到"),
                    hint=say("ask again later", "请稍后再试"),
                    retry_after_s=self._expected_wait_s(),
                ) from None
            raise

    def _leave(self) -> None:
        while self._waiting:
            client, places = self._waiting.popitem(last=False)
            place = places.popleft()
            if places:
                self._waiting[client] = places  # at the end: the others come first
            if not place.done():
                place.set_result(None)  # the turn is handed over, and n_running stays
                return
        self.n_running -= 1

    def _give_up(self, client: str, place: "asyncio.Future[None]") -> None:
        if place.done() and not place.cancelled():
            self._leave()  # the turn came at the same moment
            return
        places = self._waiting.get(client)
        if places is not None and place in places:
            places.remove(place)
            if not places:
                del self._waiting[client]

    def _busy(self) -> RefusedError:
        return RefusedError(
            "busy",
            say(f"{self.n_waiting} requests are waiting already", f"已有 {self.n_waiting} 个请求在等待"),
            hint=say("ask again later", "请稍后再试"),
            retry_after_s=self._expected_wait_s(),
        )

    def _expected_wait_s(self) -> int:
        """Seconds until the queue is half as long, between one and sixty."""
        return max(1, min(60, round(self._mean_turn_s * self.n_waiting / (2 * self._n_at_once))))
