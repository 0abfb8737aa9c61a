"""Search as one types: the words of the documents, without the model; Enter searches by meaning too."""

import time
from typing import Any

from nicegui import ui

from chinese_llm_rag.app.failures import Failure
from chinese_llm_rag.app.page.evidence import EvidencePanel
from chinese_llm_rag.app.page.window import Window
from chinese_llm_rag.app.rendering import place_of
from chinese_llm_rag.app.sampling import AskOptions
from chinese_llm_rag.app.views import passage_dict

_K = 10


class SearchView:
    """The search of a window."""

    def __init__(self, window: Window, evidence: EvidencePanel) -> None:
        self._window = window
        self._evidence = evidence
        self._asked = 0
        words = window.words
        self._query = (
            ui.input(words("Words to find; Enter finds by meaning too", "要查找的词语；按回车同时按语义查找"))
            .props("outlined clearable")
            .classes("w-full")
            .props("data-part=query")
        )
        self._query.on_value_change(lambda event: self._search(event.value, "bm25"))
        self._query.on("keydown.enter", lambda: self._search(self._query.value, "hybrid"))
        self._status = ui.label().classes("text-sm opacity-70").props("role=status").props("data-part=search-status")
        self._found = ui.column().classes("w-full gap-2").props("data-part=found")

    async def _search(self, query: str | None, mode: str) -> None:
        window, words = self._window, self._window.words
        self._asked += 1
        mine, started = self._asked, time.perf_counter()
        if not query or not query.strip() or window.kb not in window.controller.base_names():
            self._found.clear()
            self._status.text = ""
            return
        with words.spoken():
            result = await window.controller.search(
                window.kb, query, client=window.client, options=AskOptions(k=_K, mode=mode)
            )
        if mine != self._asked:
            return  # something newer was typed
        if isinstance(result, Failure):
            self._status.text = result.message
            return
        folder = window.controller.documents_folder(window.kb)
        milliseconds = (time.perf_counter() - started) * 1000
        self._found.clear()
        with self._found:
            for passage in result[0]:
                self._passage(passage_dict(passage, folder))
        n = len(result[0])
        self._status.text = words(f"{n} passages in {milliseconds:.0f} ms", f"{n} 个段落，{milliseconds:.0f} 毫秒")

    def _passage(self, passage: dict[str, Any]) -> None:
        with self._window.words.spoken():
            place = place_of(passage)
        with ui.element("article").classes("passage"):
            ui.button(place, icon="article", on_click=lambda: self._evidence.show(passage)).props(
                "flat dense no-caps align=left"
            )
            ui.label(passage["text"]).classes("whitespace-pre-wrap text-sm")
