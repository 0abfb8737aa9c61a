"""Ask: a conversation over the base that is looked at, its answers with numbered citations."""

import json
from typing import Any

from nicegui import ui

from chinese_llm_rag.app.conversations import Conversation, Exchange, TurnState
from chinese_llm_rag.app.page.answers import show_answer
from chinese_llm_rag.app.page.evidence import EvidencePanel
from chinese_llm_rag.app.page.window import Window
from chinese_llm_rag.app.page.words import duration_text
from chinese_llm_rag.app.rendering import place_of, shortened
from chinese_llm_rag.app.transcript import markdown_of

_EVERY_S = 0.1


class AskView:
    """The conversation of a window."""

    def __init__(self, window: Window, evidence: EvidencePanel) -> None:
        self._window = window
        self._evidence = evidence
        self._drawn: list[tuple[str, int, TurnState]] = []
        self._growing: ui.label | None = None
        words = window.words
        with ui.row().classes("w-full items-center gap-2"):
            self._kept = ui.select({}, label=words("Conversation", "对话"), on_change=self._choose).classes("grow")
            ui.button(words("New", "新对话"), icon="add_comment", on_click=self._begin).props("flat").props(
                "data-part=new-chat"
            )
            ui.button(words("Export", "导出"), icon="download", on_click=self._export).props("flat").props(
                "data-part=export"
            )
            ui.button(words("Delete", "删除"), icon="delete", on_click=self._forget).props("flat")
        self._status = ui.label().classes("text-sm opacity-70").props("role=status")
        self._list = ui.column().classes("w-full gap-4").props("data-part=exchanges")
        with ui.row().classes("ask-row w-full items-end no-wrap gap-2"):
            self._question = (
                ui.textarea(words("Your question", "你的问题"))
                .props("autogrow outlined rows=1 autofocus maxlength=20000")
                .classes("grow")
                .props("data-part=question")
            )
            self._question.on("keydown.enter.exact.prevent", self._ask)
            self._send = ui.button(words("Ask", "提问"), icon="send", on_click=self._ask).props("data-part=ask")
            self._stop = ui.button(words("Stop", "停止"), icon="stop", on_click=self._end).props("data-part=stop")
        window.on_base.append(self.refresh)
        ui.timer(_EVERY_S, self.refresh)

    # --- what it shows ----------------------------------------------------------------------------

    def refresh(self) -> None:
        """Show what has come."""
        conversation = self._window.conversation
        state = [(conversation.id, number, e.state) for number, e in enumerate(conversation.exchanges)]
        if state != self._drawn or not state:
            self._redraw(conversation, state)
        if self._growing is not None and conversation.exchanges:
            text = conversation.exchanges[-1].text
            if text != self._growing.text:
                self._growing.text = text
        self._send.set_visibility(not conversation.running)
        self._stop.set_visibility(conversation.running)
        self._status.text = self._status_text(conversation)

    def _status_text(self, conversation: Conversation) -> str:
        words, health = self._window.words, self._window.controller.health()
        if health.model_state == "loading":
            return words("The model is being loaded …", "正在加载模型……")
        if health.model_state == "failed" and health.model_failure is not None:
            return health.model_failure.message
        if conversation.running and not conversation.exchanges[-1].text:
            if health.n_waiting:
                return words(f"{health.n_waiting} wait for the model …", f"{health.n_waiting} 个请求在等待模型……")
            return words("Searching and reading …", "正在检索和阅读……")
        return ""

    def _redraw(self, conversation: Conversation, state: list[tuple[str, int, TurnState]]) -> None:
        kept = {c.id: c.title for c in self._window.conversations.of(self._window.kb)}
        kept.setdefault(conversation.id, self._window.words("New conversation", "新对话"))
        if kept != self._kept.options or self._kept.value != conversation.id:
            self._kept.set_options(kept, value=conversation.id)
        if state == self._drawn:
            return
        self._drawn, self._growing = state, None
        self._list.clear()
        with self._list:
            for exchange in conversation.exchanges:
                self._exchange(exchange)

    def _exchange(self, exchange: Exchange) -> None:
        words = self._window.words
        with ui.element("article").classes("exchange"):
            ui.label(exchange.question).classes("question")
            if exchange.query and exchange.query != exchange.question:
                ui.label(words(f"Searched as: {exchange.query}", f"检索用的问题：{exchange.query}")).classes(
                    "text-sm opacity-70"
                )
            if exchange.state == "running":
                self._growing = ui.label(exchange.text).classes("answer").props("aria-live=polite")
                return
            if exchange.state == "failed":
                ui.label(exchange.trouble).classes("answer text-negative")
                return
            if exchange.answer is None:
                ui.label(exchange.text).classes("answer")
                ui.label(words("Stopped.", "已停止。")).classes("text-sm opacity-70")
                return
            self._answer(exchange, exchange.answer)

    def _answer(self, exchange: Exchange, answer: dict[str, Any]) -> None:
        show_answer(self._window, self._evidence, answer)
        self._footer(exchange, answer)

    def _footer(self, exchange: Exchange, answer: dict[str, Any]) -> None:
        words = self._window.words
        with ui.row().classes("items-center gap-2"):
            text = exchange.text
            ui.button(words("Copy", "复制"), icon="content_copy", on_click=lambda: self._copy(text)).props(
                "flat dense size=sm"
            ).props("data-part=copy")
            ui.label(duration_text(exchange.seconds, words)).classes("text-sm opacity-70")
            with ui.expansion(
                words(f"Searched: {len(answer['passages'])} passages", f"检索到 {len(answer['passages'])} 个段落")
            ):
                for passage in answer["passages"]:
                    with words.spoken():
                        place = place_of(passage)
                    with ui.element("div").classes("passage"):
                        ui.label(f"[{passage['passage']}] {place}").classes("text-sm font-bold")
                        ui.label(shortened(passage["text"])).classes("text-sm")

    # --- what it does -----------------------------------------------------------------------------

    def _ask(self) -> None:
        window, question = self._window, (self._question.value or "").strip()
        conversation = window.conversation
        if not question or conversation.running:
            return
        self._question.value = ""
        with window.words.spoken():
            window.conversations.ask(conversation, question, client=window.client)
        self.refresh()

    def _end(self) -> None:
        self._window.conversations.stop(self._window.conversation)

    def _begin(self) -> None:
        self._window.open(self._window.conversations.begin(self._window.kb))
        self.refresh()

    def _choose(self, event: Any) -> None:  # noqa: ANN401  (NiceGUI's)
        chosen = self._window.conversations.get(event.value)
        if chosen is not None:
            self._window.open(chosen)
            self.refresh()

    def _forget(self) -> None:
        self._window.conversations.forget(self._window.conversation)
        self.refresh()

    def _export(self) -> None:
        with self._window.words.spoken():
            text = markdown_of(self._window.conversation)
        ui.download.content(text.encode(), self._window.words("conversation.md", "对话.md"))

    def _copy(self, text: str) -> None:
        ui.run_javascript(f"navigator.clipboard.writeText({json.dumps(text)})")
        ui.notify(self._window.words("Copied", "已复制"))
