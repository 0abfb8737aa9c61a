"""Choosing the model: those at hand, what each needs, and whether it fits; at the first start and in Settings."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from nicegui import ui

from chinese_llm_rag.app.failures import Failure
from chinese_llm_rag.app.model_options import NO_MODEL, QUOTING, settings_for
from chinese_llm_rag.app.page.window import Window
from chinese_llm_rag.app.page.words import size_text
from chinese_llm_rag.settings import Settings

if TYPE_CHECKING:
    from chinese_llm_rag.doctor import ModelReport

_FILE = "file"


def _in_use(settings: Settings, options: Mapping[str, str]) -> str:
    """The key of what answers now, or of the first model."""
    if settings.strategy == QUOTING:
        return NO_MODEL
    in_use = str(settings.model_path or settings.model)
    return in_use if in_use in options else next(iter(options))


class ModelChoice:
    """A choice of models with what each needs.

    Args:
        window: it stands in.
        on_chosen: called when one was taken.
    """

    def __init__(self, window: Window, on_chosen: Callable[[], Any]) -> None:
        self._window = window
        self._on_chosen = on_chosen
        words, controller = window.words, window.controller
        options = {
            option.key: words(f"{option.name} (comes with this program)", f"{option.name}（程序自带）")
            if option.is_packaged
            else option.name
            for option in controller.model_options()
        }
        options[_FILE] = words("Another file (GGUF)", "其他文件（GGUF）")
        options[NO_MODEL] = words("No model: only sentences of the documents", "不用模型：只摘录文档中的原句")
        self._choice = ui.radio(options, value=_in_use(controller.settings, options), on_change=self._look).props(
            "data-part=models"
        )
        self._path = ui.input(words("Path of the file", "文件路径"), placeholder="/…/chinese-alpaca-2-7b.gguf").classes(
            "w-full"
        )
        self._path.bind_visibility_from(self._choice, "value", value=_FILE)
        self._path.on("change", self._look).props("data-part=model-path")
        self._report = ui.column().classes("w-full gap-1").props("data-part=model-report")
        self._take = ui.button(words("Use this model", "使用该模型"), icon="check", on_click=self._use).props(
            "data-part=use-model"
        )
        ui.timer(0.1, self._look, once=True)

    @property
    def _key(self) -> str:
        return (self._path.value or "").strip() if self._choice.value == _FILE else str(self._choice.value)

    async def _look(self) -> None:
        window, words, key = self._window, self._window.words, self._key
        self._report.clear()
        self._take.set_enabled(False)
        if not key:
            return
        if key == NO_MODEL:
            self._take.set_enabled(True)
            return
        with self._report:
            waiting = ui.spinner()
        with words.spoken():
            report = await window.controller.model_report(key)
        if key != self._key:
            return
        waiting.delete()
        with self._report:
            if isinstance(report, Failure):
                ui.label(report.message).classes("text-negative")
                ui.label(report.hint or "").classes("text-sm")
                return
            self._show(report)
        self._take.set_enabled(report.fits is not False)

    def _show(self, report: "ModelReport") -> None:
        words = self._window.words
        needed, window_size = size_text(report.needed_bytes), report.context_window
        ui.label(
            words(
                f"Needs {needed} of memory for a window of {window_size} tokens.",
                f"上下文窗口为 {window_size} token 时需要 {needed} 内存。",
            )
        )
        if report.fits is None or report.available_bytes is None:
            ui.label(words("The memory of this machine is not known.", "无法得知本机内存。"))
        elif report.fits:
            free = size_text(report.available_bytes)
            ui.label(words(f"It fits: {free} are free.", f"可以运行：可用内存 {free}。")).classes("text-positive")
        else:
            free = size_text(report.available_bytes)
            ui.label(words(f"It does not fit: {free} are free.", f"内存不足：可用内存 {free}。")).classes(
                "text-negative"
            )
        for problem in report.problems:
            ui.label(problem).classes("text-negative")
        for note in report.notes:
            ui.label(note).classes("text-sm opacity-70")

    async def _use(self) -> None:
        window = self._window
        with window.words.spoken():
            failure = await window.controller.change(settings_for(self._key, window.controller.settings))
            if failure is not None:
                window.tell(failure)
                return
        self._on_chosen()
