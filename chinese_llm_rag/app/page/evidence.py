"""The panel beside an answer: the page that a citation names, as a picture, with the cited words marked."""

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from nicegui import ui

from chinese_llm_rag.app.page.window import Window
from chinese_llm_rag.app.rendering import place_of

if TYPE_CHECKING:
    from chinese_llm_rag.app.pictures import PageMarks

_WIDTH = 1200


class EvidencePanel:
    """The panel of a window; closed at first."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._citation: dict[str, Any] | None = None
        self._page = 1
        words = window.words
        with ui.right_drawer(value=False, fixed=True).props("width=560 bordered").classes("evidence") as self._drawer:
            with ui.row().classes("w-full items-center no-wrap"):
                self._title = ui.label().classes("grow font-bold").props("data-part=evidence-title")
                ui.button(icon="close", on_click=self._drawer.hide).props(
                    f'flat dense aria-label="{words("Close", "关闭")}"'
                )
            with ui.row().classes("items-center gap-1"):
                self._back = ui.button(icon="chevron_left", on_click=lambda: self._turn(-1)).props(
                    f'flat dense aria-label="{words("Previous page", "上一页")}"'
                )
                self._number = ui.label()
                self._on = ui.button(icon="chevron_right", on_click=lambda: self._turn(1)).props(
                    f'flat dense aria-label="{words("Next page", "下一页")}"'
                )
            self._body = ui.column().classes("w-full")

    async def show(self, citation: dict[str, Any]) -> None:
        """Show what a citation names."""
        self._citation, self._page = citation, citation["page_start"]
        self._drawer.show()
        await self._refresh()

    async def _turn(self, step: int) -> None:
        self._page += step
        await self._refresh()

    async def _refresh(self) -> None:
        window, citation = self._window, self._citation
        assert citation is not None
        with window.words.spoken():
            found = window.unwrap(
                await window.controller.page_marks(
                    window.kb, citation["document"], self._page, citation["start"], citation["end"]
                )
            )
            title = place_of(citation)
        self._body.clear()
        self._title.text = title
        if found is None:
            return
        self._number.text = f"{found.page} / {found.n_pages}"
        self._back.set_enabled(found.page > 1)
        self._on.set_enabled(found.page < found.n_pages)
        with self._body:
            if found.has_picture:
                self._show_picture(found, citation)
            else:
                self._show_text(found)

    def _show_picture(self, found: "PageMarks", citation: dict[str, Any]) -> None:
        words = self._window.words
        base = f"/v1/kb/{quote(self._window.kb, safe='')}/documents/{citation['document']}"
        with ui.element("div").classes("page-picture"):
            picture = ui.element("img")
            picture.props["src"] = f"{base}/pages/{found.page}/picture?width={_WIDTH}"
            picture.props["alt"] = words(f"Page {found.page}", f"第 {found.page} 页")
            for mark in found.marks:
                box = f"left:{mark.left:.3%};top:{mark.top:.3%};width:{mark.width:.3%};height:{mark.height:.3%}"
                ui.element("div").classes("page-mark").style(box)
        if not found.marks and found.start < found.end:
            ui.label(
                words("The words could not be found on the picture; they are:", "未能在图中标出原文，原文如下：")
            ).classes("text-sm opacity-70")
            self._show_text(found)

    def _show_text(self, found: "PageMarks") -> None:
        with ui.element("div").classes("page-text"):
            ui.label(found.text[: found.start])
            ui.label(found.text[found.start : found.end]).classes("marked-text")
            ui.label(found.text[found.end :])
