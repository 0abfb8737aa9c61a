"""The one thread that writes to knowledge bases: documents that came in, and removals, which go first.

Documents that wait for one base go in together. A removal does not wait for a long run: the run is stopped at its
next sign of progress and goes on afterwards, since what was embedded by then is kept.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chinese_llm_rag.app.bases import Bases
from chinese_llm_rag.app.failures import Failure, RefusedError, attempt
from chinese_llm_rag.app.jobs import Job
from chinese_llm_rag.app.uploads import discard
from chinese_llm_rag.errors import KnowledgeBaseBusyError, RagError
from chinese_llm_rag.knowledge_base import FileOutcome, IngestProgress, IngestReport, KnowledgeBase
from chinese_llm_rag.language import say

_PATIENCE_S = 300.0  # while another process writes
_RETRY_S = 1.0


class _InterruptedRunError(RagError):
    """A run was stopped on our own wish; the base is whole."""


@dataclass(slots=True)
class _Ingest:
    job: Job
    paths: list[Path]


@dataclass(slots=True)
class _Urgent:
    kb: str
    work: Callable[[KnowledgeBase], Any]
    done: "Future[Any]"


class Writer:
    """Ingests and removes, one base at a time. Close it when done.

    Args:
        bases: that are written to.
    """

    def __init__(self, bases: Bases) -> None:
        self._bases = bases
        self._changed = threading.Condition()
        self._urgent: deque[_Urgent] = deque()
        self._ingests: deque[_Ingest] = deque()
        self._running: list[_Ingest] = []
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="chinese_llm_rag-writer", daemon=True)
        self._thread.start()

    def ingest(self, job: Job, paths: list[Path]) -> None:
        """Take in documents; the job says how far it is."""
        with self._changed:
            if self._closing:
                raise RefusedError("unavailable", say("the program is about to end", "程序正在退出"))
            self._ingests.append(_Ingest(job, paths))
            self._changed.notify_all()

    def urgently(self, kb: str, work: Callable[[KnowledgeBase], Any]) -> "Future[Any]":
        """Write something short before anything else goes on; its result, or the Failure that came instead."""
        done: Future[Any] = Future()
        with self._changed:
            if self._closing:
                raise RefusedError("unavailable", say("the program is about to end", "程序正在退出"))
            self._urgent.append(_Urgent(kb, work, done))
            self._changed.notify_all()
        return done

    def waiting_paths(self, kb: str) -> dict[str, Job]:
        """Documents of a base that are not in yet, each with its job."""
        with self._changed:
            tasks = [task for task in (*self._running, *self._ingests) if task.job.kb == kb]
        return {str(path): task.job for task in tasks for path in task.paths}

    def nudge(self) -> None:
        """Look at the wishes of the jobs now."""
        with self._changed:
            self._changed.notify_all()

    def forget(self, kb: str) -> None:
        """Cancel what waits or runs for a base."""
        with self._changed:
            for task in (*self._running, *self._ingests):
                if task.job.kb == kb:
                    task.job.cancel.set()
            self._changed.notify_all()

    def close(self, *, wait_s: float = 20.0) -> None:
        """Stop at the next sign of progress. Documents that are not in yet are still there."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(wait_s)

    # --- the thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._closing and not self._urgent and not self._ingests:
                    self._changed.wait()
                if self._closing:
                    break
                urgent = self._urgent.popleft() if self._urgent else None
                if urgent is None:
                    kb = self._ingests[0].job.kb
                    self._running = [task for task in self._ingests if task.job.kb == kb]
                    self._ingests = deque(task for task in self._ingests if task.job.kb != kb)
            if urgent is not None:
                self._write_now(urgent)
            else:
                self._ingest()
        for urgent in self._urgent:
            urgent.done.set_result(Failure("unavailable", say("the program is about to end", "程序正在退出")))
        for task in self._ingests:
            task.job.end("cancelled")

    def _write_now(self, urgent: _Urgent) -> None:
        if not urgent.done.set_running_or_notify_cancel():
            return

        def work() -> Any:  # noqa: ANN401  (as the work gives it)
            with self._bases.using(urgent.kb) as base:
                return urgent.work(base)

        urgent.done.set_result(attempt(work))

    def _ingest(self) -> None:
        self._end_cancelled()
        tasks = self._running
        if not tasks:
            return
        for task in tasks:
            task.job.start()
        kb, paths = tasks[0].job.kb, [path for task in tasks for path in task.paths]
        report = attempt(lambda: self._report_of(kb, paths))
        if report is None:
            self._end_cancelled()
        with self._changed:
            if report is None:
                self._ingests.extendleft(reversed(self._running))
            self._running = []
        for task in tasks:
            if isinstance(report, Failure):
                task.job.end("failed", failure=report)
            elif report is not None:
                _end(task, report)

    def _report_of(self, kb: str, paths: list[Path]) -> IngestReport | None:
        """One run; waits while another process writes. None where it was interrupted."""
        deadline = time.monotonic() + _PATIENCE_S
        there = [path for path in dict.fromkeys(paths) if path.is_file()]  # one may have been deleted meanwhile
        while True:
            try:
                with self._bases.using(kb, create=True) as base:
                    return base.ingest(there, on_progress=self._on_progress) if there else IngestReport()
            except _InterruptedRunError:
                return None
            except KnowledgeBaseBusyError as error:
                if time.monotonic() > deadline:
                    raise
                for task in self._running:
                    task.job.now = str(error)
                with self._changed:
                    self._changed.wait(_RETRY_S)
                if self._stop_wanted():
                    return None

    def _on_progress(self, at: IngestProgress) -> None:
        for task in self._running:
            job = task.job
            job.done = at.done_bytes / at.total_bytes if at.total_bytes else 0.0
            job.now, job.n_pages = Path(at.path).name, at.n_pages
        if self._stop_wanted():
            raise _InterruptedRunError("interrupted")

    def _stop_wanted(self) -> bool:
        with self._changed:
            cancelled = any(task.job.cancel.is_set() for task in self._running)
            return self._closing or bool(self._urgent) or cancelled

    def _end_cancelled(self) -> None:
        """What was cancelled is not taken in later either: its files go, where they are ours and not in the base."""
        with self._changed:
            cancelled = [task for task in self._running if task.job.cancel.is_set()]
            self._running = [task for task in self._running if not task.job.cancel.is_set()]
        for task in cancelled:
            self._discard(task)
            task.job.end("cancelled")

    def _discard(self, task: _Ingest) -> None:
        kb = task.job.kb
        known: set[str] = set()
        if self._bases.exists(kb):
            with suppress(RagError), self._bases.using(kb) as base:
                known = {record.path for record in base.files()}
        for path in task.paths:
            if str(path) not in known:
                discard(path, self._bases.documents_folder(kb))


def _end(task: _Ingest, report: IngestReport) -> None:
    """Tell a job what became of its own documents."""
    mine = {str(path) for path in task.paths}
    outcomes = [outcome for outcome in report.outcomes if outcome.path in mine]
    task.job.end("done", result={"documents": [_outcome(outcome) for outcome in outcomes]})


def _outcome(outcome: FileOutcome) -> dict[str, Any]:
    return {
        "name": Path(outcome.path).name,
        "outcome": outcome.outcome,
        "n_chunks": outcome.n_chunks,
        "reason": outcome.detail if outcome.outcome == "failed" else None,
        "hint": outcome.hint,
        "problems": list(outcome.problems),
    }
