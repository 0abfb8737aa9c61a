"""The page on the server's application: what is served beside it, and what each window is built of."""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from fastapi import FastAPI, Request

from chinese_llm_rag.app.controller import Controller
from chinese_llm_rag.app.conversations import Conversations
from chinese_llm_rag.app.page.words import Language, Words
from chinese_llm_rag.language import speaks_chinese

_STATIC = Path(__file__).parent / "static"


def add_page(app: FastAPI, controller: Controller) -> None:
    """Put the page at the root of the application.

    Args:
        app: the server's.
        controller: of both.
    """
    home = controller.settings.home
    # NiceGUI looks for its folder when it is imported, and takes the working directory unless told.
    os.environ["NICEGUI_STORAGE_PATH"] = str(home / "page")
    from nicegui import app as nicegui_app  # noqa: PLC0415  (see above)
    from nicegui import ui  # noqa: PLC0415

    from chinese_llm_rag.app.page.frame import build_window  # noqa: PLC0415

    conversations = Conversations(controller, home / "conversations")
    nicegui_app.add_static_files("/page-static", _STATIC)

    @ui.page("/", title="chinese-llm-rag", response_timeout=20)
    async def window(request: Request) -> None:
        await build_window(controller, conversations, Words(_language(request)))

    ui.run_with(
        app,
        title="chinese-llm-rag",
        storage_secret=_secret(home / "page"),
        reconnect_timeout=10,
        show_welcome_message=False,
        tailwind=False,  # it compiles its classes in the browser, before anything is painted
    )
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(served: FastAPI) -> AsyncIterator[None]:
        async with inner(served):
            yield
            conversations.close()

    app.router.lifespan_context = lifespan


def _language(request: Request) -> Language:
    from nicegui import app as nicegui_app  # noqa: PLC0415

    kept = nicegui_app.storage.user.get("language")
    if kept in ("zh", "en"):
        return cast("Language", kept)
    wanted = request.headers.get("accept-language", "").lower()
    if wanted:
        return "zh" if wanted.startswith("zh") else "en"
    return "zh" if speaks_chinese() else "en"


def _secret(folder: Path) -> str:
    """What the cookies of this home are signed with; made once."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / "secret"
    if not file.exists():
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as made:
            made.write(secrets.token_urlsafe(32))
    return file.read_text()
