"""The page in a window of its own: the server in a thread, the window in the main one, as desktops want it."""

import socket
import threading
from typing import TYPE_CHECKING

from chinese_llm_rag._optional import optional_import
from chinese_llm_rag.app.controller import Controller
from chinese_llm_rag.app.server.running import run

if TYPE_CHECKING:
    from fastapi import FastAPI

_SIZE = (1280, 860)
_WAIT_S = 60.0


def run_in_window(app: "FastAPI", controller: Controller, listener: socket.socket, address: str) -> None:
    """Show the page until its window is closed; documents on their way go in the next time.

    Args:
        app: the application with the page.
        controller: of both.
        listener: where the application listens.
        address: of the page.
    """
    ready, closing = threading.Event(), threading.Event()
    server = threading.Thread(
        target=run,
        args=(app, controller, listener),
        kwargs={"on_ready": ready.set, "until": closing},
        name="chinese_llm_rag-server",
        daemon=True,
    )
    server.start()
    ready.wait(_WAIT_S)
    show_window(address)
    closing.set()
    server.join(_WAIT_S)


def show_window(address: str) -> None:
    """A window on the page at an address, until it is closed."""
    webview = optional_import("webview", extra="native")
    webview.create_window("chinese-llm-rag", address, width=_SIZE[0], height=_SIZE[1])
    webview.start()
