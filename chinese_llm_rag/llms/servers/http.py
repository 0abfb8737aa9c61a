"""Questions to one server, over httpx.

The requests run in an event loop in a thread of their own, since only there can one be cancelled at any moment: while
it connects, while the server reads a long prompt in silence, and in the middle of an answer. Several may be
under way at once. Nothing is retried, and no key is taken from the environment.
"""

import asyncio
import ipaddress
import json
import threading
import weakref
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import CancelledError, Future
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import httpx

from chinese_llm_rag.errors import ConfigError, GenerationError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.servers.errors import errors_of, raise_for_status, raise_foreign_answer
from chinese_llm_rag.llms.servers.events import EventParser

JsonObject = dict[str, Any]
T = TypeVar("T")
_CONNECT_S = 10.0
# Under the 5 s after which llama.cpp's and vLLM's servers close an idle connection.
_KEEP_ALIVE_S = 2.0
# How often a reader that waits gets a chance to stop.
_POLL_S = 0.1
_SHOWN_BYTES = 4000
_END = object()


class Connection:
    """A server's address, with the key and the patience for it.

    Args:
        base_url: with or without "/v1" at the end.
        api_key: sent as a bearer token.
        timeout_s: the longest silence of the server.
    """

    def __init__(self, base_url: str, *, api_key: str | None, timeout_s: float) -> None:
        url = _checked_url(base_url)
        self.url = str(url).rstrip("/")
        self._has_key = api_key is not None
        self._client = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {_checked_key(api_key)}"} if api_key is not None else {},
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_S)),
            limits=httpx.Limits(max_connections=None, keepalive_expiry=_KEEP_ALIVE_S),
            # The environment's proxies are for what lies outside this machine.
            trust_env=not _is_this_machine(url.host),
        )
        self._loop = asyncio.new_event_loop()
        self._finalizer = weakref.finalize(self, _stop, self._loop, self._client)
        self._thread = threading.Thread(target=_run, args=(self._loop,), name="chinese_llm_rag-server", daemon=True)
        self._thread.start()

    def get(self, path: str, **query: str) -> JsonObject:
        """The JSON object at a path.

        Raises:
            ServerRefusedError: an HTTP status that is an error.
            GenerationError: no answer, or another one than JSON.
        """
        return self._wait(self._ask(self._client.build_request("GET", path, params=query)))

    def post(self, path: str, body: JsonObject) -> JsonObject:
        """The JSON object that answers a body. Errors as for get()."""
        return self._wait(self._ask(self._client.build_request("POST", path, **_encoded(body))))

    def events(self, path: str, body: JsonObject) -> Generator[JsonObject | None, None, None]:
        """The JSON objects of an event stream as they arrive, and None now and then while none does.

        A server that answers in one piece gives one. Closing the generator ends the request at once. Errors as for
        get().
        """
        queue: SimpleQueue[Any] = SimpleQueue()
        request = self._client.build_request("POST", path, **_encoded(body))
        future = self._submit(self._pump(request, queue.put))
        future.add_done_callback(lambda _: queue.put(_END))
        try:
            while (event := _next(queue)) is not _END:
                yield event
            self._result(future)
        finally:
            future.cancel()

    def close(self) -> None:
        """End what is under way. May be called twice."""
        self._finalizer()
        self._thread.join(_CONNECT_S)

    def _wait(self, question: Coroutine[Any, Any, T]) -> T:
        future = self._submit(question)
        try:
            return self._result(future)
        finally:
            future.cancel()  # no more than a formality, unless the caller was interrupted

    def _submit(self, question: Coroutine[Any, Any, T]) -> Future[T]:
        if not self._finalizer.alive:
            question.close()
            raise self._closed()
        return asyncio.run_coroutine_threadsafe(question, self._loop)

    def _result(self, future: Future[T]) -> T:
        try:
            return future.result()
        except CancelledError:
            raise self._closed() from None

    def _closed(self) -> GenerationError:
        return GenerationError(
            say(f"the connection to {self.url} is closed", f"到 {self.url} 的连接已关闭"),
            hint=say("make a new ServerBackend", "请新建一个 ServerBackend"),
        )

    async def _ask(self, request: httpx.Request) -> JsonObject:
        with errors_of(self.url):
            response = await self._client.send(request)
            self._check(response, response.text)
            return self._parse(response.text)

    async def _pump(self, request: httpx.Request, put: Callable[[JsonObject], None]) -> None:
        with errors_of(self.url):
            response = await self._client.send(request, stream=True)
            try:
                if not response.is_success or "text/event-stream" not in response.headers.get("content-type", ""):
                    text = (await response.aread()).decode("utf-8", "replace")
                    self._check(response, text)
                    put(self._parse(text))
                    return
                parser = EventParser()
                async for received in response.aiter_bytes():
                    for data in parser.feed(received):
                        if data != "[DONE]":
                            put(self._parse(data))
            finally:
                await response.aclose()

    def _check(self, response: httpx.Response, text: str) -> None:
        if not response.is_success:
            raise_for_status(self.url, response.status_code, text[:_SHOWN_BYTES], has_key=self._has_key)

    def _parse(self, text: str) -> JsonObject:
        try:
            parsed = json.loads(text)
        except json.JSONDecodeError:
            raise_foreign_answer(self.url, text)
        if not isinstance(parsed, dict):
            raise_foreign_answer(self.url, parsed)
        return parsed


def _next(queue: SimpleQueue[Any]) -> Any:  # noqa: ANN401  # an event, None or _END
    try:
        return queue.get(timeout=_POLL_S)
    except Empty:
        return None


def _encoded(body: JsonObject) -> dict[str, Any]:
    """A body as JSON. A lone surrogate is no character; it becomes a question mark rather than an error."""
    content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    return {"content": content, "headers": {"Content-Type": "application/json"}}


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()


def _stop(loop: asyncio.AbstractEventLoop, client: httpx.AsyncClient) -> None:
    async def end() -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await client.aclose()
        loop.call_soon(loop.stop)

    asyncio.run_coroutine_threadsafe(end(), loop)


def _checked_url(base_url: str) -> httpx.URL:
    try:
        url = httpx.URL(base_url)
    except (httpx.InvalidURL, TypeError) as error:
        raise _bad_url(base_url, str(error)) from error
    if url.scheme not in ("http", "https") or not url.host:
        raise _bad_url(base_url, say("expected http://host:port", "应为 http://主机:端口"))
    if url.userinfo or url.query or url.fragment:
        raise _bad_url(str(url.copy_with(userinfo=b"")), say("a key belongs into api_key", "密钥应放在 api_key 中"))
    return url.copy_with(path=url.path.rstrip("/").removesuffix("/v1") or "/")


def _bad_url(shown: str, reason: str) -> ConfigError:
    return ConfigError(f"base_url={shown!r}: {reason}", setting="base_url")


def _checked_key(api_key: str) -> str:
    if not api_key or not api_key.isascii() or not api_key.isprintable() or " " in api_key:
        raise ConfigError(
            say(
                "api_key: expected printable ASCII characters without spaces",
                "api_key 应为不含空格的可打印 ASCII 字符",
            ),
            setting="api_key",
        )
    return api_key


def _is_this_machine(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified
