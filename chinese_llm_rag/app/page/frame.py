"""One window: head, tabs, and the views in them; at the first start a guide in their place."""

from nicegui import app as nicegui_app
from nicegui import background_tasks, ui

from chinese_llm_rag.app.controller import Controller
from chinese_llm_rag.app.conversations import Conversations
from chinese_llm_rag.app.page.ask import AskView
from chinese_llm_rag.app.page.evidence import EvidencePanel
from chinese_llm_rag.app.page.library import LibraryView
from chinese_llm_rag.app.page.models import ModelChoice
from chinese_llm_rag.app.page.search import SearchView
from chinese_llm_rag.app.page.settings import SettingsView
from chinese_llm_rag.app.page.summarise import SummariseView
from chinese_llm_rag.app.page.window import Window
from chinese_llm_rag.app.page.words import Words

_TABS = ("library", "ask", "search", "summarise", "settings")
_ICONS = ("folder", "question_answer", "search", "summarize", "settings")


ui.button.default_props("no-caps")


async def build_window(controller: Controller, conversations: Conversations, words: Words) -> None:
    """Build a window for whoever opens the page."""
    ui.add_head_html('<link rel="stylesheet" href="/page-static/page.css">')
    ui.add_head_html('<script src="/page-static/drop.js" defer></script>')
    light = nicegui_app.storage.user.get("light", "auto")
    ui.colors(primary="#1b5fa6")  # white on it is read at any size
    ui.dark_mode(None if light == "auto" else light == "dark")
    window = Window(controller, conversations, words)
    if controller.is_first_start:
        _guide(window)
    else:
        _views(window)


def _guide(window: Window) -> None:
    """The first start: choose the model, then the documents."""
    words = window.words
    with ui.card().classes("guide"):
        ui.label(words("Welcome", "欢迎")).classes("text-2xl font-bold")
        ui.label(
            words(
                "Ask questions of your own documents. Everything stays on this machine, and no network is needed.",
                "对自己的文档提问。所有数据都保存在本机，无需网络。",
            )
        )
        ui.label(words("First, choose the model that writes the answers:", "首先选择用于回答的模型：")).classes(
            "font-bold"
        )

        def chosen() -> None:
            background_tasks.create(window.controller.load_model())
            ui.navigate.reload()

        ModelChoice(window, chosen)


def _views(window: Window) -> None:
    words = window.words
    names = dict(
        zip(_TABS, words("Library|Ask|Search|Summarise|Settings", "资料库|提问|检索|总结|设置").split("|"), strict=True)
    )
    icons = dict(zip(_TABS, _ICONS, strict=True))
    evidence = EvidencePanel(window)
    kept = nicegui_app.storage.user.get("tab")
    first = kept if kept in _TABS else ("ask" if window.controller.base_names() else "library")

    def remember(event: object) -> None:
        nicegui_app.storage.user["tab"] = getattr(event, "value", first)

    with ui.header().classes("items-center py-0"), ui.tabs(on_change=remember).props("inline-label") as tabs:
        for name in _TABS:
            ui.tab(name, label=names[name], icon=icons[name]).props("no-caps").props(f"data-part=tab-{name}")
    with ui.tab_panels(tabs, value=first, animated=False, keep_alive=True).classes("views"):
        with ui.tab_panel("library"):
            LibraryView(window)
        with ui.tab_panel("ask"):
            AskView(window, evidence)
        with ui.tab_panel("search"):
            SearchView(window, evidence)
        with ui.tab_panel("summarise"):
            SummariseView(window, evidence)
        with ui.tab_panel("settings"):
            SettingsView(window)
