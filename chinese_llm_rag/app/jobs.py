"""Work that goes on in the background: how far it is, how it ended, and the wish to stop it."""

import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Literal

from chinese_llm_rag.app.failures import Failure, RefusedError
from chinese_llm_rag.language import say

JobKind = Literal["ingest", "summarize"]
JobState = Literal["waiting", "running", "done", "failed", "cancelled"]
ENDED: tuple[JobState, ...] = ("done", "failed", "cancelled")
_MOST_KEPT = 500


@dataclass(frozen=True, slots=True)
class JobView:
    """A moment of a job.

    Attributes:
        items: what it works on, for the user: names of documents.
        done: its share that is done, 0..1.
        now: what it is at.
        n_pages: read so far.
        seconds_left: an estimate; None where there is none yet.
        result: of a job that is done.
    """

    id: str
    kind: JobKind
    kb: str
    items: tuple[str, ...]
    state: JobState
    done: float
    now: str
    n_pages: int
    seconds_left: float | None
    result: dict[str, Any] | None
    failure: Failure | None


@dataclass(slots=True)
class Job:
    """A job as its worker sees it. `cancel` may be set by anybody; the worker looks at it now and then."""

    kind: JobKind
    kb: str
    items: tuple[str, ...]
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:16])
    state: JobState = "waiting"
    done: float = 0.0
    now: str = ""
    n_pages: int = 0
    result: dict[str, Any] | None = None
    failure: Failure | None = None
    started_at: float | None = None
    cancel: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """It runs."""
        self.state = "running"
        self.started_at = self.started_at or time.monotonic()

    def end(self, state: JobState, *, result: dict[str, Any] | None = None, failure: Failure | None = None) -> None:
        """It has ended."""
        self.result, self.failure = result, failure
        if state == "done":
            self.done = 1.0
        self.state = state
        self.ended.set()

    def view(self) -> JobView:
        """This moment of it."""
        left = None
        if self.state == "running" and self.started_at is not None and self.done > 0.01:
            left = (time.monotonic() - self.started_at) * (1 - self.done) / self.done
        return JobView(
            *(self.id, self.kind, self.kb, self.items, self.state, self.done, self.now, self.n_pages),
            *(left, self.result, self.failure),
        )


class Jobs:
    """The jobs of the program, oldest first; ended ones are forgotten when there are too many."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}

    def add(self, job: Job) -> Job:
        """Take in a new one."""
        with self._lock:
            self._jobs[job.id] = job
            ended = [old.id for old in self._jobs.values() if old.state in ENDED]
            for old in ended[: max(0, len(self._jobs) - _MOST_KEPT)]:
                del self._jobs[old]
        return job

    def get(self, job_id: str) -> Job:
        """The job.

        Raises:
            RefusedError: there is none ("not_found").
        """
        with self._lock:
            job = self._jobs.get(job_id)
        if job is None:
            raise RefusedError("not_found", say(f"there is no job {job_id!r}", f"没有任务 {job_id!r}"), setting="job")
        return job

    def of(self, kb: str | None = None) -> list[Job]:
        """All jobs, or those of one base."""
        with self._lock:
            return [job for job in self._jobs.values() if kb in (None, job.kb)]
