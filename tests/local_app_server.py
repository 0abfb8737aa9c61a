"""A `clrag serve` process on this machine, for tests and benchmarks."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]
_ADDRESS = re.compile(r"http://[\d.:]+")


@dataclass
class LocalServer:
    """A running server."""

    url: str
    process: "subprocess.Popen[str]"
    log: list[str] = field(default_factory=list)

    @property
    def v1(self) -> str:
        return f"{self.url}/v1"

    def end(self, number: int = signal.SIGTERM, *, wait_s: float = 60) -> int:
        """Send a signal; the exit status."""
        self.process.send_signal(number)
        return self.process.wait(wait_s)

    def wait_for_model(self, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while httpx.get(f"{self.url}/health", timeout=120).json()["model_state"] != "ready":
            assert time.monotonic() < deadline, httpx.get(f"{self.url}/health", timeout=120).json()
            time.sleep(0.1)

    def put(self, name: str, data: bytes, kb: str = "default", seconds: float = 120) -> dict:
        """Upload a document and wait until it is in."""
        reply = httpx.put(f"{self.v1}/kb/{kb}/uploads/{name}", content=data, timeout=120)
        assert reply.status_code == 202, reply.text
        return self.wait_for_job(reply.json()["job"]["id"], seconds)

    def wait_for_job(self, job: str, seconds: float = 120) -> dict:
        deadline = time.monotonic() + seconds
        while (found := httpx.get(f"{self.v1}/jobs/{job}", timeout=120).json())["state"] in ("waiting", "running"):
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
        return found


@contextmanager
def serving(home: Path, *arguments: str, command: str = "serve", code: str | None = None) -> Iterator[LocalServer]:
    """A server over a home; `code` runs before its command, to put stand-ins in place."""
    start = (
        f"{code or ''}\nimport sys\nsys.argv = ['clrag', *sys.argv[1:]]\nfrom chinese_llm_rag.cli import main\nmain()"
    )
    environment = {**os.environ, "CHINESE_LLM_RAG_HOME": str(home), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", start, command, "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        env=environment,
    )
    log: list[str] = []
    found = threading.Event()
    address: list[str] = []

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            log.append(line)
            if not address and (match := _ADDRESS.search(line)) is not None:
                address.append(match.group())
                found.set()
        found.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        assert found.wait(120), log
        assert address, "".join(log)
        yield LocalServer(address[0], process, log)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        reader.join(10)
        assert process.stdout is not None
        process.stdout.close()
