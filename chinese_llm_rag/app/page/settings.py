"""Settings: the model, how answers are made, language and light."""

from typing import Any

from nicegui import app as nicegui_app
from nicegui import background_tasks, ui

from chinese_llm_rag.app.page.models import ModelChoice
from chinese_llm_rag.app.page.window import Window
from chinese_llm_rag.app.page.words import NAMES

_LIGHTS = ("auto", "light", "dark")


class SettingsView:
    """The settings of a window."""

    def __init__(self, window: Window) -> None:
        self._window = window
        words = window.words
        with ui.card().classes("w-full"):
            ui.label(words("Model", "模型")).classes("text-lg font-bold")
            ModelChoice(window, self._loaded)
        with ui.card().classes("w-full"):
            ui.label(words("Answers", "回答")).classes("text-lg font-bold")
            settings = window.controller.settings
            with ui.row().classes("gap-4"):
                self._k = ui.number(
                    words("Passages to find", "检索的段落数"), value=settings.k, min=1, max=50, step=1
                ).classes("w-48")
                self._tokens = ui.number(
                    words("Most tokens of an answer (empty: the model's own)", "回答的最大 token 数（留空为模型默认）"),
                    value=settings.max_tokens,
                    min=1,
                    step=1,
                ).classes("w-96 max-w-full")
            ui.button(words("Save", "保存"), icon="save", on_click=self._save).props("data-part=save-settings")
        with ui.card().classes("w-full"):
            ui.label(words("Window", "界面")).classes("text-lg font-bold")
            ui.toggle(NAMES, value=words.language, on_change=_change_language).props("no-caps data-part=language")
            names = dict(zip(_LIGHTS, words("As the system|Light|Dark", "跟随系统|浅色|深色").split("|"), strict=True))
            ui.toggle(names, value=nicegui_app.storage.user.get("light", "auto"), on_change=_change_light).props(
                "data-part=light"
            )
        ui.label(words("Everything stays on this machine: ", "所有数据都保存在本机：") + str(settings.home)).classes(
            "text-sm"
        )

    def _loaded(self) -> None:
        words = self._window.words
        ui.notify(words("The model is being loaded", "正在加载模型"))
        background_tasks.create(self._window.controller.load_model())

    async def _save(self) -> None:
        window = self._window
        changes: dict[str, Any] = {
            "k": int(self._k.value) if self._k.value else None,
            "max_tokens": int(self._tokens.value) if self._tokens.value else None,
        }
        with window.words.spoken():
            failure = await window.controller.change(changes)
        if failure is not None:
            window.tell(failure)
        else:
            ui.notify(window.words("Saved", "已保存"), type="positive")


def _change_language(event: Any) -> None:  # noqa: ANN401  (NiceGUI's)
    nicegui_app.storage.user["language"] = event.value
    ui.navigate.reload()


def _change_light(event: Any) -> None:  # noqa: ANN401
    nicegui_app.storage.user["light"] = event.value
    ui.navigate.reload()
