"""Summarise: a document in a few sentences, each with its citations; goes on while the page is elsewhere."""

from nicegui import app as nicegui_app
from nicegui import ui

from chinese_llm_rag.app.failures import Failure
from chinese_llm_rag.app.jobs import ENDED, JobView
from chinese_llm_rag.app.page.answers import show_answer
from chinese_llm_rag.app.page.evidence import EvidencePanel
from chinese_llm_rag.app.page.window import Window
from chinese_llm_rag.app.page.words import duration_text
from chinese_llm_rag.app.sampling import SummaryWish

_EVERY_S = 0.5


class SummariseView:
    """The summaries of a window."""

    def __init__(self, window: Window, evidence: EvidencePanel) -> None:
        self._window = window
        self._evidence = evidence
        self._shown: tuple[str, str] | None = None
        words = window.words
        self._document = ui.select({}, label=words("Document", "文档")).classes("w-full").props("data-part=document")
        with ui.row().classes("w-full items-center gap-4"):
            self._length = ui.number(words("Characters, about", "大约字数"), value=400, min=20, max=20_000, step=50)
            self._focus = ui.input(words("About what (may be empty)", "侧重内容（可留空）")).classes("grow")
        with ui.row().classes("w-full items-center gap-4"):
            self._bullets = ui.checkbox(words("As points", "分条列出"))
            self._extractive = ui.checkbox(words("Quote sentences, without the model", "只摘录原句，不用模型"))
            ui.space()
            ui.button(words("Summarise", "总结"), icon="summarize", on_click=self._begin).props("data-part=summarise")
            self._stop = ui.button(words("Stop", "停止"), icon="stop", on_click=self._end)
        self._progress = ui.linear_progress(0, show_value=False).props(f'aria-label="{words("Progress", "进度")}"')
        self._status = ui.label().classes("text-sm opacity-70").props("role=status")
        self._result = ui.column().classes("w-full gap-1").props("data-part=summary")
        window.on_base.append(self.refresh)
        ui.timer(_EVERY_S, self.refresh)

    @property
    def _job(self) -> JobView | None:
        """The summary that is looked at; a program that was started anew knows it no more."""
        found = self._window.controller.job(str(nicegui_app.storage.user.get("summary", "")))
        return None if isinstance(found, Failure) or found.kb != self._window.kb else found

    async def refresh(self) -> None:
        """Show what is there now."""
        window, job = self._window, self._job
        with window.words.spoken():
            found = await window.controller.documents(window.kb) if window.kb in window.controller.base_names() else []
        if not isinstance(found, Failure):
            options = {view.id: view.name for view in found if view.status == "indexed"}
            if options != self._document.options:
                kept = self._document.value if self._document.value in options else next(iter(options), None)
                self._document.set_options(options, value=kept)
        running = job is not None and job.state not in ENDED
        self._stop.set_visibility(running)
        self._progress.set_visibility(running)
        if job is None:
            return
        self._progress.value = round(job.done, 3)
        self._status.text = self._status_text(job)
        key = (job.id, job.state if job.state in ENDED else job.now)
        if key != self._shown:
            self._shown = key
            self._show(job)

    def _status_text(self, job: JobView) -> str:
        words = self._window.words
        name = job.items[0]
        if job.state == "failed" and job.failure is not None:
            return f"{name}{words(': ', '：')}{job.failure.message}"
        if job.state == "cancelled":
            return words(f"{name}: stopped", f"{name}：已停止")
        if job.state == "done" and job.result is not None:
            share = f"{job.result['coverage']:.0%}"
            return words(f"{name}: rests on {share} of the pages", f"{name}：依据覆盖 {share} 的页")
        left = "" if job.seconds_left is None else duration_text(job.seconds_left, words)
        return f"{name} {job.done:.0%} " + (words(f"{left} left", f"剩余 {left}") if left else "")

    def _show(self, job: JobView) -> None:
        self._result.clear()
        with self._result:
            if job.state == "done" and job.result is not None:
                show_answer(self._window, self._evidence, job.result)
            elif job.now:
                ui.label(job.now).classes("answer")

    async def _begin(self) -> None:
        window, document = self._window, self._document.value
        if not document:
            ui.notify(window.words("Choose a document first", "请先选择文档"))
            return
        wish = SummaryWish(
            n_chars=int(self._length.value or 400),
            form="bullets" if self._bullets.value else "paragraph",
            focus=(self._focus.value or "").strip(),
            extractive=bool(self._extractive.value),
        )
        with window.words.spoken():
            job = window.unwrap(await window.controller.summarize(window.kb, document, wish))
        if job is not None:
            nicegui_app.storage.user["summary"] = job.id
            await self.refresh()

    def _end(self) -> None:
        job = self._job
        if job is not None:
            self._window.controller.cancel(job.id)
