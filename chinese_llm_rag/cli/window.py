"""The command that opens the desktop page."""

import socket
import threading
import webbrowser
from typing import TYPE_CHECKING, Annotated

import typer

from chinese_llm_rag import console
from chinese_llm_rag._optional import require_installed
from chinese_llm_rag.cli.app import app
from chinese_llm_rag.cli.options import EXAMPLE, Home, Kb, option, settings_of, with_model_options
from chinese_llm_rag.cli.serve import Port
from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say

if TYPE_CHECKING:
    from chinese_llm_rag.settings import Settings

Native = Annotated[
    bool,
    option(
        "A window of its own instead of the browser (needs pywebview).",
        "使用独立窗口而不是浏览器（需要 pywebview）。",
        "--native",
    ),
]
NoBrowser = Annotated[
    bool, option("Open no browser; only print the address.", "不打开浏览器，只显示地址。", "--no-browser")
]
Shortcut = Annotated[
    bool, option("Put a shortcut on this desktop, and end.", "在桌面创建快捷方式后退出。", "--install-shortcut")
]

_SETTLE_S = 1.0


@app.command(
    "app",
    help=say("Open the desktop page: documents, questions, answers.", "打开桌面页面：管理文档、提问、查看回答。"),
    epilog=f"{EXAMPLE}: clrag app",
)
@with_model_options
def desktop(
    context: typer.Context,
    *,
    port: Port = None,
    native: Native = False,
    no_browser: NoBrowser = False,
    install_shortcut: Shortcut = False,
    model_options: dict[str, object],
    home: Home = None,
    kb: Kb = None,
) -> None:
    if install_shortcut:
        from chinese_llm_rag.app.shortcut import install  # noqa: PLC0415

        console.out(str(install()))
        return
    settings = settings_of(context, home=home, kb=kb, serve_port=port, **model_options)
    for package in ("fastapi", "uvicorn", "prometheus_client", "nicegui", *(["webview"] if native else [])):
        require_installed(package, extra="native" if package == "webview" else "app")
    from chinese_llm_rag.app.listening import address_of, noted, page_of  # noqa: PLC0415

    show = not native and not no_browser
    if (open_one := page_of(settings.home)) is not None:
        console.out(say(f"the page is open already, at {open_one}", f"页面已打开，地址 {open_one}"))
        _show_open_page(open_one, native=native, browser=show)
        return
    listener = _listener(settings.serve_port, asked_for=port is not None)
    address = f"{address_of(listener)}/"
    if show:  # it takes its time to start too, and waits for the answer
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    with noted(settings.home, address):
        _serve_page(settings, listener, address, native=native)


def _show_open_page(address: str, *, native: bool, browser: bool) -> None:
    """What a second start shows: the page of the first, which goes on when this window is closed."""
    if native:
        from chinese_llm_rag.app.native import show_window  # noqa: PLC0415

        show_window(address)
    elif browser:
        webbrowser.open(address)


def _listener(port: int, *, asked_for: bool) -> socket.socket:
    """At the port; where nobody asked for it and another program has it, at any: the browser is shown the way."""
    from chinese_llm_rag.app.listening import bind  # noqa: PLC0415  (sockets are slow to load)

    try:
        return bind("127.0.0.1", port)
    except ConfigError:
        if asked_for:
            raise
        console.note(
            say(f"another program has port {port}; a free one is taken", f"端口 {port} 已被占用，改用空闲端口")
        )
        return bind("127.0.0.1", 0)


def _serve_page(settings: "Settings", listener: socket.socket, address: str, *, native: bool) -> None:
    from chinese_llm_rag.app.controller import Controller  # noqa: PLC0415
    from chinese_llm_rag.app.limits import Limits  # noqa: PLC0415
    from chinese_llm_rag.app.page.application import add_page  # noqa: PLC0415
    from chinese_llm_rag.app.server.application import build_application  # noqa: PLC0415
    from chinese_llm_rag.app.server.gate import Policy  # noqa: PLC0415
    from chinese_llm_rag.app.server.running import run  # noqa: PLC0415

    controller = Controller(settings, Limits.of(settings))
    application = build_application(controller, Policy(), settle_s=_SETTLE_S, load=not controller.is_first_start)
    add_page(application, controller)
    if native:
        from chinese_llm_rag.app.native import run_in_window  # noqa: PLC0415

        run_in_window(application, controller, listener, address)
        return
    run(
        application,
        controller,
        listener,
        on_ready=lambda: console.out(say(f"the page is at {address}", f"页面地址 {address}")),
    )
