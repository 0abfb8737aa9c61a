"""The Library: drop documents, see how far they are and what is wrong with them, delete them; several bases."""

import json
from typing import Any

from nicegui import ui

from chinese_llm_rag.app.jobs import ENDED, JobView
from chinese_llm_rag.app.page.dialogs import confirmed, text_asked
from chinese_llm_rag.app.page.window import Window
from chinese_llm_rag.app.page.words import duration_text, size_text
from chinese_llm_rag.app.views import DocumentView

_EVERY_S = 0.5
_STATUS = {
    "waiting": ("waiting", "等待中"),
    "reading": ("being read", "处理中"),
    "indexed": ("ready", "可用"),
    "failed": ("failed", "失败"),
}
_CELL = """
<q-td :props="props" class="problems">
  <div v-for="line in props.value" :key="line">{{ line }}</div>
</q-td>
"""


class LibraryView:
    """The Library of a window."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._shown: Any = None
        words = window.words
        with ui.row().classes("w-full items-center gap-2"):
            self._bases = ui.select([], label=words("Knowledge base", "知识库"), on_change=self._choose).classes("grow")
            self._bases.props("data-part=bases")
            ui.button(words("New", "新建"), icon="add", on_click=self._make).props("flat").props("data-part=new-base")
            ui.button(words("Delete base", "删除知识库"), icon="delete", on_click=self._delete_base).props("flat")
        self._drop_zone()
        self._progress = ui.column().classes("w-full gap-1")
        self._table()
        window.on_base.append(self.refresh)
        ui.timer(_EVERY_S, self.refresh)

    # --- what it is made of -----------------------------------------------------------------------

    def _drop_zone(self) -> None:
        words = self._window.words
        texts = {
            "sent": words("Sent: ", "已发送："),
            "refused": words("Not taken: ", "未接收："),
            "sending": words("Sending: ", "正在发送："),
        }
        with ui.element("div").classes("drop-zone") as zone:
            zone.props["data-texts"] = json.dumps(texts, ensure_ascii=False)
            ui.icon("upload_file").classes("text-4xl")
            ui.label(words("Drop documents or folders here", "把文档或文件夹拖到这里")).classes("text-lg")
            with ui.row().classes("gap-2"):
                ui.button(words("Choose files", "选择文件"), icon="description").props("outline").classes(
                    "choose-files"
                )
                ui.button(words("Choose a folder", "选择文件夹"), icon="folder").props("outline").classes(
                    "choose-folder"
                )
            self._types = ui.label().classes("text-sm opacity-70")
            ui.element("div").classes("sent-list").props("role=status aria-live=polite")
        self._zone = zone

    def _table(self) -> None:
        words = self._window.words
        columns: list[dict[str, Any]] = [
            {"name": "name", "label": words("Document", "文档"), "field": "name", "align": "left", "sortable": True},
            {"name": "status", "label": words("State", "状态"), "field": "status", "align": "left", "sortable": True},
            {"name": "pages", "label": words("Pages", "页数"), "field": "pages", "sortable": True},
            {"name": "size", "label": words("Size", "大小"), "field": "size"},
            {"name": "problems", "label": words("Notes", "说明"), "field": "problems", "align": "left"},
        ]
        self._documents = (
            ui.table(columns=columns, rows=[], row_key="id", selection="multiple", pagination=20)
            .classes("w-full")
            .props("data-part=documents")
        )
        self._documents.props["no-data-label"] = words("No documents yet", "还没有文档")
        self._documents.props[":pagination-label"] = "(first, last, all) => `${first}-${last} / ${all}`"
        self._documents.props["rows-per-page-label"] = words("Rows a page", "每页行数")
        self._documents.add_slot("body-cell-problems", _CELL)
        ui.button(words("Delete selected", "删除所选"), icon="delete", on_click=self._delete).props("flat").props(
            "data-part=delete"
        )

    # --- what it shows ----------------------------------------------------------------------------

    async def refresh(self) -> None:
        """Show what is there now."""
        window, controller = self._window, self._window.controller
        kb, names = window.kb, controller.base_names()
        jobs = [job for job in controller.jobs(kb) if job.state not in ENDED]
        key = (kb, names, [(job.id, job.state) for job in jobs])
        with window.words.spoken():
            known = await controller.documents(kb) if kb in names or jobs else []
        documents = known if isinstance(known, list) else []
        self._show_jobs(jobs)
        rows = [self._row(view) for view in documents]
        if rows != self._documents.rows:
            self._documents.rows[:] = rows
            self._documents.update()
        if key != self._shown:
            self._shown = key
            self._bases.set_options(names if kb in names else [*names, kb], value=kb)
            self._show_types()
            self._zone.props["data-kb"] = kb
            self._zone.update()

    def _show_types(self) -> None:
        from chinese_llm_rag.document_loaders import FORMATS  # noqa: PLC0415  (heavy; loaded by now, with the documents)

        self._zone.props["data-extensions"] = ",".join(FORMATS)
        self._types.text = self._window.words("Known types: ", "支持的类型：") + " ".join(FORMATS)

    def _row(self, view: DocumentView) -> dict[str, Any]:
        words = self._window.words
        pages = str(view.n_pages) if view.n_pages else ""
        return {
            "id": view.id,
            "name": view.name,
            "status": words(*_STATUS[view.status]),
            "pages": pages,
            "size": size_text(view.size_bytes),
            "problems": list(view.problems),
        }

    def _show_jobs(self, jobs: list[JobView]) -> None:
        words = self._window.words
        self._progress.clear()
        with self._progress:
            for job in jobs[:5]:
                with ui.row().classes("w-full items-center gap-2 no-wrap"):
                    ui.linear_progress(round(job.done, 3), show_value=False).classes("grow").props(
                        f'aria-label="{words("Progress", "进度")}"'
                    )
                    ui.label(self._progress_text(job)).classes("job")
                    ui.button(icon="stop", on_click=lambda _, job=job: self._window.controller.cancel(job.id)).props(
                        f'flat dense aria-label="{words("Stop", "停止")}"'
                    )
            if len(jobs) > 5:
                ui.label(words(f"{len(jobs) - 5} more wait", f"还有 {len(jobs) - 5} 个在等待"))

    def _progress_text(self, job: JobView) -> str:
        words = self._window.words
        name = job.items[0] if len(job.items) == 1 else words(f"{len(job.items)} documents", f"{len(job.items)} 个文档")
        if job.state == "waiting":
            return words(f"{name}: waiting", f"{name}：等待中")
        parts = [f"{job.done:.0%}"]
        if job.n_pages:
            parts.append(words(f"{job.n_pages} pages", f"{job.n_pages} 页"))
        if job.seconds_left is not None:
            left = duration_text(job.seconds_left, words)
            parts.append(words(f"{left} left", f"剩余 {left}"))
        return f"{name}{words(': ', '：')}{words(', ', '，').join(parts)}"

    # --- what it does -----------------------------------------------------------------------------

    def _choose(self, event: Any) -> None:  # noqa: ANN401  (NiceGUI's)
        if event.value and event.value != self._window.kb:
            self._window.look_at(event.value)

    async def _make(self) -> None:
        window, words = self._window, self._window.words
        name = await text_asked(window, words("Name of the knowledge base", "知识库名称"), words("Make it", "新建"))
        if not name:
            return
        with words.spoken():
            made = window.unwrap(await window.controller.create_base(name))
        if made is not None:
            window.look_at(name)

    async def _delete_base(self) -> None:
        window, words, kb = self._window, self._window.words, self._window.kb
        question = words(
            f"Delete the knowledge base “{kb}” and what was uploaded to it?", f"删除知识库“{kb}”及其中上传的文档？"
        )
        if kb in window.controller.base_names() and await confirmed(window, question, words("Delete", "删除")):
            with words.spoken():
                window.unwrap(await window.controller.delete_base(kb))
            await self.refresh()

    async def _delete(self) -> None:
        window, words = self._window, self._window.words
        chosen = list(self._documents.selected)
        if not chosen:
            ui.notify(words("Select documents first", "请先选择文档"))
            return
        named = chosen[0]["name"] if len(chosen) == 1 else words(f"{len(chosen)} documents", f"{len(chosen)} 个文档")
        if not await confirmed(window, words(f"Delete {named}?", f"删除 {named}？"), words("Delete", "删除")):
            return
        self._documents.selected.clear()
        for row in chosen:
            with words.spoken():
                window.unwrap(await window.controller.remove(window.kb, row["id"]))
        await self.refresh()
