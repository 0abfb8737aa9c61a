"""What stands before every route: who may come in, how much they may bring, and how slow they may be.

Bound to this machine, the server answers only those who call it by a name of this machine, and no page of another
origin: a web page open in the same browser cannot reach it, neither directly nor by rebinding a name.
"""

import asyncio
import hmac
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chinese_llm_rag.app.limits import Limits
from chinese_llm_rag.app.server.metrics import Metrics
from chinese_llm_rag.app.server.replies import plain_error
from chinese_llm_rag.language import say, speaking

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_OPEN = ("/health",)
_UPLOADS = "/uploads/"
_GRACE_S = 30.0  # before the pace of an upload is looked at
_LEAST_BYTES_A_SECOND = 1024


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may come in.

    Attributes:
        hosts: names that the server is called by; empty where any will do, since a token is needed.
        token: that a client must show; None where none is needed.
    """

    hosts: tuple[str, ...] = LOOPBACK
    token: str | None = None


class StalledError(OSError):
    """A client has stopped reading."""


class Gate:
    """ASGI middleware; see the module."""

    def __init__(self, app: ASGIApp, *, policy: Policy, limits: Limits, metrics: Metrics) -> None:
        self._app = app
        self._policy = policy
        self._limits = limits
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or answer it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = self._refusal(scope, headers)
        if refused is not None and scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "websocket":
            await self._app(scope, receive, send)
        else:
            await self._http(scope, headers, receive, send, refused)

    async def _http(
        self, scope: Scope, headers: Headers, receive: Receive, send: Send, refused: tuple[int, str] | None
    ) -> None:
        watched = _Watched(send, self._limits.stall_s)
        started = time.perf_counter()
        try:
            with speaking(_language(headers)):
                if refused is not None:
                    status, message = refused
                    more = {"WWW-Authenticate": "Bearer"} if status == 401 else None
                    await plain_error(status, message, headers=more)(scope, receive, watched.send)
                else:
                    body = _Body(receive, self._most_bytes(scope), self._limits)
                    await self._app(scope, body.receive, watched.send)
        except StalledError:
            return
        finally:
            path = getattr(scope.get("route"), "path", "other")
            self._metrics.request(scope["method"], path, watched.status, time.perf_counter() - started)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        host = headers.get("host", "")
        name = urlsplit(f"//{host}").hostname if _is_sound(host) else None
        if self._policy.hosts and name not in self._policy.hosts:
            return 403, say(f"this server is not called {host!r}", f"本服务器不接受主机名 {host!r}")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return 403, say("pages of other origins may not ask this server", "不允许其他来源的网页访问本服务器")
        if self._policy.token is not None and scope["path"] not in _OPEN and not self._has_token(headers):
            return 401, say("a token is needed: Authorization: Bearer TOKEN", "需要令牌：Authorization: Bearer 令牌")
        if scope["type"] == "http" and int(_number(headers.get("content-length"))) > self._most_bytes(scope):
            return 413, say("the request is too large", "请求过大")
        return None

    def _has_token(self, headers: Headers) -> bool:
        kind, _, given = headers.get("authorization", "").partition(" ")
        expected = (self._policy.token or "").encode()
        return kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode("latin-1"), expected)

    def _most_bytes(self, scope: Scope) -> int:
        is_upload = scope["method"] == "PUT" and _UPLOADS in scope["path"]
        return self._limits.max_upload_bytes if is_upload else self._limits.max_body_bytes


class _Body:
    """Receives a body within its bounds of size and time."""

    def __init__(self, receive: Receive, max_bytes: int, limits: Limits) -> None:
        self._receive = receive
        self._max_bytes = max_bytes
        self._stall_s = limits.stall_s
        self._n_bytes = 0
        self._complete = False
        self._started = time.monotonic()

    async def receive(self) -> Message:
        if self._complete:
            return await self._receive()  # only the end of the connection can come
        try:
            async with asyncio.timeout(self._stall_s):
                message = await self._receive()
        except TimeoutError:
            raise _too_slow() from None
        if message["type"] == "http.request":
            self._n_bytes += len(message.get("body", b""))
            self._complete = not message.get("more_body", False)
            if self._n_bytes > self._max_bytes:
                raise HTTPException(413, say("the request is too large", "请求过大"))
            seconds = time.monotonic() - self._started
            if not self._complete and seconds > _GRACE_S and self._n_bytes < seconds * _LEAST_BYTES_A_SECOND:
                raise _too_slow()
        return message


class _Watched:
    """Sends a reply, and remembers its status."""

    def __init__(self, send: Send, stall_s: float) -> None:
        self._send = send
        self._stall_s = stall_s
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        try:
            async with asyncio.timeout(self._stall_s):
                await self._send(message)
        except TimeoutError:
            raise StalledError("the client does not read") from None


def _too_slow() -> HTTPException:
    return HTTPException(408, say("the request comes too slowly", "请求发送过慢"))


def _language(headers: Headers) -> str | None:
    """The language that a browser asks for; other clients get that of the program."""
    wanted = headers.get("accept-language", "").strip().lower()
    return next((language for language in ("zh", "en") if wanted.startswith(language)), None)


def _is_sound(host: str) -> bool:
    return host.count("[") == host.count("]") and not any(character in host for character in "/\\@?# ")


def _number(text: str | None) -> Any:  # noqa: ANN401
    return text if text is not None and text.isascii() and text.isdigit() else 0
