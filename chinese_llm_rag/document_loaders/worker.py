"""Files are parsed in worker processes, so that a parser that crashes, hangs or eats memory costs one file.

A worker is a fresh interpreter that knows the readers and nothing else: no LangChain, no models, and not the
main module of the program that uses this, which therefore needs no guard.
"""

import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from chinese_llm_rag.document_loaders.file_loader import LoadedFile, loaded_file
from chinese_llm_rag.document_loaders.page_texts import NO_OPTIONS, LoadOptions, PageTexts
from chinese_llm_rag.document_loaders.page_texts_json import from_json
from chinese_llm_rag.document_loaders.worker_process import receive, send
from chinese_llm_rag.errors import ConfigError, DocumentError
from chinese_llm_rag.language import say

TIMEOUT_S = 60.0
MEMORY_BYTES = 2 << 30
_READER = "chinese_llm_rag.document_loaders.readers:read_file"
_START = (
    "import sys; sys.path[:] = sys.argv[1:]; from chinese_llm_rag.document_loaders.worker_process import main; main()"
)
_AHEAD = 2  # files under way or waiting to be taken, for each worker
_STARTUP_S = 120.0  # a machine that swaps needs long; a worker that never comes up is an error all the same
_FREE_CPUS = 1  # left to the embedding model


class WorkerPool:
    """Worker processes that parse files; close it, or use it in a `with` statement.

    Args:
        n_workers: processes at a time; by default one less than there are CPUs, at most four.
        timeout_s: for one file, from one sign of life (beat.py) to the next.
        memory_bytes: what a worker may take beyond what it starts with; holds on Linux.
        reader: "module:function" of a reader; for tests.
    """

    def __init__(
        self,
        n_workers: int | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        memory_bytes: int = MEMORY_BYTES,
        reader: str = _READER,
    ) -> None:
        self._n_workers = n_workers or min(4, max(1, (os.cpu_count() or 1) - _FREE_CPUS))
        self._limits = {"timeout_s": timeout_s, "memory_bytes": memory_bytes, "reader": reader}
        self._threads = ThreadPoolExecutor(self._n_workers, thread_name_prefix="load")
        self._mine = threading.local()
        self._all: list[_Worker] = []
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the workers; files that are being parsed are given up."""
        self._closed = True
        with self._lock:
            for worker in self._all:
                worker.kill()
        self._threads.shutdown(wait=True, cancel_futures=True)

    def load(self, path: Path, options: LoadOptions = NO_OPTIONS) -> LoadedFile:
        """One file.

        Raises:
            DocumentError: as load_file does; also when its parser crashes, hangs or takes too much memory.
        """
        return self._threads.submit(self._load, path, options).result()

    def load_all(
        self, paths: Iterable[Path], options: LoadOptions = NO_OPTIONS
    ) -> Iterator[tuple[Path, LoadedFile | DocumentError]]:
        """Files in the order given, each as soon as it and those before it are done."""
        waiting: deque[tuple[Path, Future[LoadedFile]]] = deque()
        source = iter(paths)
        exhausted = False
        while waiting or not exhausted:
            while not exhausted and len(waiting) < _AHEAD * self._n_workers:
                path = next(source, None)
                if path is None:
                    exhausted = True
                else:
                    waiting.append((path, self._threads.submit(self._load, path, options)))
            if not waiting:
                return
            path, future = waiting.popleft()
            try:
                loaded: LoadedFile | DocumentError = future.result()
            except DocumentError as error:
                loaded = error
            yield path, loaded

    def _load(self, path: Path, options: LoadOptions) -> LoadedFile:
        """In a thread that has a worker of its own."""
        worker = self._worker()
        answer = worker.ask(path, options)
        if answer["kind"] in ("memory", "crashed") and worker.n_asked > 1 and not self._closed:
            # What former files left behind may be to blame: once more, with a worker that has nothing behind it.
            self._drop(worker)
            worker = self._worker()
            answer = worker.ask(path, options)
        if answer["kind"] in ("memory", "crashed", "late", "failed"):
            self._drop(worker)
        read = _result(path, answer, self._limits)
        return loaded_file(path, answer["content_hash"], read)

    def _worker(self) -> "_Worker":
        worker: _Worker | None = getattr(self._mine, "worker", None)
        if worker is None:
            worker = _Worker(self._limits)
            self._mine.worker = worker
            with self._lock:
                self._all.append(worker)
        return worker

    def _drop(self, worker: "_Worker") -> None:
        worker.kill()
        self._mine.worker = None
        with self._lock:
            self._all.remove(worker)


def load_files(
    paths: Iterable[Path],
    n_workers: int | None = None,
    *,
    options: LoadOptions = NO_OPTIONS,
    timeout_s: float = TIMEOUT_S,
    memory_bytes: int = MEMORY_BYTES,
) -> Iterator[tuple[Path, LoadedFile | DocumentError]]:
    """Files parsed in worker processes, in the order given, each as soon as it is done; see WorkerPool."""
    with WorkerPool(n_workers, timeout_s=timeout_s, memory_bytes=memory_bytes) as pool:
        yield from pool.load_all(paths, options)


def load_file_in_worker(
    path: Path,
    *,
    options: LoadOptions = NO_OPTIONS,
    timeout_s: float = TIMEOUT_S,
    memory_bytes: int = MEMORY_BYTES,
) -> LoadedFile:
    """One file, parsed in a worker process of its own; for many, use load_files.

    Raises:
        DocumentError: as load_file does; also when its parser crashes, hangs or takes too much memory.
    """
    with WorkerPool(1, timeout_s=timeout_s, memory_bytes=memory_bytes) as pool:
        return pool.load(path, options)


class _Worker:
    """One worker process, asked by one thread."""

    def __init__(self, limits: dict[str, Any]) -> None:
        self.n_asked = 0
        self._timeout_s: float = limits["timeout_s"]
        self._late = False
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._ready = False
        self._limits = limits

    def ask(self, path: Path, options: LoadOptions) -> dict[str, Any]:
        """The worker's answer; of kind "crashed" or "late" where it gave none."""
        self.n_asked += 1
        request = {"path": str(path), "encoding": options.encoding, "passwords": options.passwords, "ocr": options.ocr}
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None
        assert answers is not None
        try:
            if not self._ready:
                send(requests, self._limits)  # type: ignore[arg-type]
            send(requests, request)  # type: ignore[arg-type]
            while True:
                with _Alarm(self._timeout_s if self._ready else _STARTUP_S, self._end_late):
                    answer = receive(answers)  # type: ignore[arg-type]
                if answer is None:
                    return {"kind": "late" if self._late else "crashed", "code": self._process.wait()}
                if answer["kind"] not in ("ready", "beat"):
                    return answer
                self._ready = True
        except OSError:  # its end of the pipe is closed
            return {"kind": "late" if self._late else "crashed", "code": self._process.wait()}

    def _end_late(self) -> None:
        self._late = True
        self._process.kill()

    def kill(self) -> None:
        """End the process at once; what it is asked then fails."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]


class _Alarm:
    """Calls a function unless left in time."""

    def __init__(self, seconds: float, then: Any) -> None:  # noqa: ANN401
        self._timer = threading.Timer(seconds, then)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()


def _result(path: Path, answer: dict[str, Any], limits: dict[str, Any]) -> PageTexts:
    """What a worker read, or the error that it met."""
    kind = answer["kind"]
    if kind == "read":
        return from_json(answer)
    if kind == "refused":
        raise DocumentError(answer["message"], path=path, page=answer["page"], hint=answer["hint"])
    if kind == "misused":
        raise ConfigError(answer["message"], setting=answer["setting"], hint=answer["hint"])
    timeout_s, memory = limits["timeout_s"], limits["memory_bytes"] >> 20
    english, chinese = {
        "memory": (f"its parser needs more than {memory} MiB of memory", f"解析所需内存超过 {memory} MiB"),
        "late": (f"its parser took longer than {timeout_s:g} s", f"解析超过 {timeout_s:g} 秒"),
        "crashed": (
            f"its parser crashed (exit code {answer.get('code')})",
            f"解析程序崩溃（退出码 {answer.get('code')}）",
        ),
        "failed": (f"its parser failed ({answer.get('reason')})", f"解析失败（{answer.get('reason')}）"),
    }[kind]
    raise DocumentError(
        say(f"cannot read {path.name!r}: {english}", f"无法读取 {path.name!r}：{chinese}"),
        path=path,
        hint=say(
            "the file may be damaged or made to do harm; open it and save it anew, or leave it out",
            "文件可能已损坏或含有恶意内容；请打开后另存，或不导入该文件",
        ),
    )
