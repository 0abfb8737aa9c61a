"""The server as a process: its address, its signals, its end."""

import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Generator
from types import FrameType

import uvicorn
from fastapi import FastAPI

from chinese_llm_rag.app.controller import Controller
from chinese_llm_rag.app.server.gate import LOOPBACK, Policy
from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say

_GRACE_S = 10  # for replies that are being sent when a signal comes


def policy_for(host: str, token: str | None) -> Policy:
    """Who may come in at this address.

    Raises:
        ConfigError: others could reach it, and no token is set.
    """
    if host in LOOPBACK:
        return Policy(LOOPBACK, token)
    if not token:
        raise ConfigError(
            say(
                f"host={host!r} can be reached from other machines, and no token is set",
                f"host={host!r} 可被其他机器访问，但没有设置令牌",
            ),
            setting="serve_token",
            hint=say(
                "set CHINESE_LLM_RAG_SERVE_TOKEN, or leave the host out",
                "请设置 CHINESE_LLM_RAG_SERVE_TOKEN，或不指定地址",
            ),
        )
    return Policy((), token)


def run(
    app: FastAPI,
    controller: Controller,
    listener: socket.socket,
    *,
    on_ready: Callable[[], None],
    until: threading.Event | None = None,
) -> None:
    """Serve until a signal comes; then answers are ended, jobs put down, and the connections closed.

    Args:
        app: the application.
        controller: what it stands over.
        listener: where to listen.
        on_ready: called when requests are answered.
        until: ends the server as a signal does, where it runs beside a main thread that has others.
    """
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
        timeout_keep_alive=30,
        limit_concurrency=None,
        h11_max_incomplete_event_size=64 << 10,
        ws_max_size=4 << 20,
    )
    server = _Server(config, controller, on_ready)
    if until is not None:
        threading.Thread(target=server.end_when, args=(until,), daemon=True).start()
    server.run(sockets=[listener])


class _Server(uvicorn.Server):
    """Ends answers as soon as a signal comes, and the process as an ordinary command ends."""

    def __init__(self, config: uvicorn.Config, controller: Controller, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._controller = controller
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._controller.stop()
        super().handle_exit(sig, frame)

    def end_when(self, wanted: threading.Event) -> None:
        """End as by a signal, when the event is set."""
        wanted.wait()
        self.handle_exit(signal.SIGTERM, None)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
