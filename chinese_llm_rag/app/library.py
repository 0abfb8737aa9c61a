"""The documents of the knowledge bases: what is there, what comes in, what goes. Blocking, from any thread."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

from chinese_llm_rag.app.bases import Bases
from chinese_llm_rag.app.failures import Failure, RefusedError
from chinese_llm_rag.app.jobs import ENDED, Job, Jobs, JobView
from chinese_llm_rag.app.names import document_id
from chinese_llm_rag.app.uploads import discard, receive_upload
from chinese_llm_rag.app.views import BaseView, DocumentView, document_view, name_of, waiting_view
from chinese_llm_rag.app.writer import Writer
from chinese_llm_rag.document_loaders import is_supported
from chinese_llm_rag.knowledge_base import KnowledgeBase
from chinese_llm_rag.language import say


class Library:
    """Documents by id. All that is written goes through the writer."""

    def __init__(self, bases: Bases, writer: Writer, jobs: Jobs) -> None:
        self._bases = bases
        self._writer = writer
        self._jobs = jobs

    def resume(self) -> list[Job]:
        """Take in what was uploaded and is not in its base, as after a sudden end."""
        begun = []
        folder = self._bases.settings.home / "documents"
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.is_dir() and not path.name.startswith("."):
                files = [file for file in sorted(path.rglob("*")) if file.is_file() and is_supported(file)]
                known = self._known(path.name)
                if missing := [file for file in files if str(file) not in known]:
                    begun.append(self._ingest(path.name, missing))
        return begun

    def _known(self, kb: str) -> set[str]:
        if not self._bases.exists(kb):
            return set()
        with self._bases.using(kb) as base:
            return {record.path for record in base.files()}

    # --- bases ----------------------------------------------------------------------------------

    def create(self, kb: str) -> BaseView:
        """Make an empty base.

        Raises:
            RefusedError: there is one of this name.
        """
        if self._bases.exists(kb):
            raise RefusedError(
                "conflict", say(f"the knowledge base {kb!r} is there already", f"知识库 {kb!r} 已存在"), setting="name"
            )
        with self._bases.using(kb, create=True):
            pass
        return self.base(kb)

    def delete(self, kb: str) -> None:
        """Delete a base and what was uploaded to it; what waits to go in is given up."""
        self._bases.require(kb)
        self._writer.forget(kb)
        for job in self._jobs.of(kb):
            if job.state not in ENDED:
                job.ended.wait(10)
        self._bases.delete(kb)

    def base(self, kb: str) -> BaseView:
        """A base in counts."""
        with self._bases.using(kb) as base:
            status = base.status()
        n_waiting = len(self._writer.waiting_paths(kb))
        return BaseView(kb, status.n_files, status.n_failed, status.n_chunks, status.size_bytes, n_waiting)

    # --- documents ------------------------------------------------------------------------------

    def documents(self, kb: str) -> list[DocumentView]:
        """All documents by name, those on their way included."""
        folder = self._bases.documents_folder(kb)
        waiting = self._writer.waiting_paths(kb)
        if not waiting:
            self._bases.require(kb)
        views = []
        if self._bases.exists(kb):
            with self._bases.using(kb) as base:
                views = [document_view(record, folder, waiting.pop(record.path, None)) for record in base.files()]
        views += [waiting_view(Path(path), folder, job) for path, job in waiting.items()]
        return sorted(views, key=lambda view: view.name)

    def document(self, kb: str, wanted: str) -> DocumentView:
        """One document.

        Raises:
            RefusedError: there is none of this id.
        """
        found = next((view for view in self.documents(kb) if view.id == wanted), None)
        if found is None:
            raise _no_document(wanted)
        return found

    def path_of(self, kb: str, wanted: str) -> Path:
        """Where a document lies on this machine, as the base knows it.

        Raises:
            RefusedError: there is none of this id in the base.
        """
        with self._bases.using(kb) as base:
            return Path(_path(base, wanted))

    async def upload(
        self, kb: str, name: str, pieces: AsyncIterator[bytes], *, max_bytes: int
    ) -> tuple[DocumentView, JobView]:
        """Take in a document; one of the same name is replaced. Not blocking but for a local disk.

        Raises:
            RefusedError: its name, size or type.
        """
        folder = self._bases.documents_folder(kb)
        path = await receive_upload(pieces, name, self._bases.incoming_folder(), folder, max_bytes=max_bytes)
        job = self._ingest(kb, [path])
        return waiting_view(path, folder, job), job.view()

    def _ingest(self, kb: str, paths: list[Path]) -> Job:
        folder = self._bases.documents_folder(kb)
        job = self._jobs.add(Job("ingest", kb, tuple(name_of(path, folder) for path in paths)))
        self._writer.ingest(job, paths)
        return job

    def remove(self, kb: str, wanted: str, *, wait_s: float = 60.0) -> DocumentView:
        """Remove a document; the file itself is deleted only where it was uploaded.

        Raises:
            RefusedError: there is none of this id, for example since another one was quicker.
        """
        view = self.document(kb, wanted)
        waiting = self._writer.waiting_paths(kb)
        on_its_way = next((path for path in waiting if document_id(path) == wanted), None)
        if on_its_way is not None and len(waiting[on_its_way].items) == 1:
            job = waiting[on_its_way]
            job.cancel.set()
            self._writer.nudge()
            job.ended.wait(wait_s)
        folder = self._bases.documents_folder(kb)

        def work(base: KnowledgeBase) -> None:
            path = _path(base, wanted)
            base.remove([path])
            discard(Path(path), folder)

        removed = self._writer.urgently(kb, work).result(wait_s)
        if isinstance(removed, Failure) and not (removed.kind == "not_found" and on_its_way is not None):
            raise RefusedError(removed.kind, removed.message, hint=removed.hint, setting=removed.setting)
        if on_its_way is not None:
            discard(Path(on_its_way), folder)
        return replace(view, job=None)


def _path(base: KnowledgeBase, wanted: str) -> str:
    path = next((record.path for record in base.files() if document_id(record.path) == wanted), None)
    if path is None:
        raise _no_document(wanted)
    return path


def _no_document(wanted: str) -> RefusedError:
    return RefusedError(
        "not_found",
        say(f"there is no document {wanted!r}", f"没有文档 {wanted!r}"),
        hint=say("it may have been removed meanwhile", "它可能刚刚被删除"),
        setting="document",
    )
