"""The inside of a worker process: reads one file after another and answers on a pipe, within its limits.

Starts without LangChain. What a parser prints goes nowhere; what it raises, and the end of its memory, is the
end of one file.
"""

import hashlib
import importlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from chinese_llm_rag.document_loaders.beat import on_beat
from chinese_llm_rag.document_loaders.page_texts import LoadOptions, PageTexts
from chinese_llm_rag.document_loaders.page_texts_json import decode, encode, to_json
from chinese_llm_rag.document_loaders.readers import read_bytes
from chinese_llm_rag.errors import ConfigError, DocumentError

if sys.platform != "win32":
    import resource

_SIZE_BYTES = 8  # before each message
_LONGEST_REASON = 500


def send(pipe: BinaryIO, message: dict[str, Any]) -> None:
    """Write one message."""
    data = encode(message)
    pipe.write(len(data).to_bytes(_SIZE_BYTES))
    pipe.write(data)
    pipe.flush()


def receive(pipe: BinaryIO) -> dict[str, Any] | None:
    """Read one message; None at the end."""
    size = pipe.read(_SIZE_BYTES)
    if len(size) < _SIZE_BYTES:
        return None
    data = pipe.read(int.from_bytes(size))
    return decode(data) if len(data) == int.from_bytes(size) else None


def main() -> None:
    """Answer until the pipe ends. The first message sets the limits and names the reader."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    setup = receive(requests)
    if setup is None:
        return
    module, _, name = setup["reader"].partition(":")
    reader = getattr(importlib.import_module(module), name)
    limit_memory(setup["memory_bytes"])
    timeout_s = setup["timeout_s"]

    def still_working() -> None:
        _limit_time(timeout_s)
        send(answers, {"kind": "beat"})

    def last_words(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
        send(answers, {"kind": "failed", "reason": f"{kind.__name__}: {error}"[:_LONGEST_REASON]})

    sys.excepthook = last_words  # whatever else a parser raises ends this process, and costs one file
    on_beat(still_working)
    send(answers, {"kind": "ready"})
    while (request := receive(requests)) is not None:
        _limit_time(timeout_s)
        send(answers, _answer(reader, request))


def _answer(reader: Callable[[bytes, Path, LoadOptions], PageTexts], request: dict[str, Any]) -> dict[str, Any]:
    path = Path(request["path"])
    options = LoadOptions(request["encoding"], tuple(request["passwords"]), request["ocr"])
    try:
        data = read_bytes(path)
        read = reader(data, path, options)
        return {"kind": "read", "content_hash": hashlib.sha256(data).hexdigest(), **to_json(read)}
    except DocumentError as error:
        return {"kind": "refused", "message": str(error), "hint": error.hint, "page": error.page}
    except ConfigError as error:
        return {"kind": "misused", "message": str(error), "hint": error.hint, "setting": error.setting}
    except MemoryError:
        return {"kind": "memory"}


def limit_memory(memory_bytes: int) -> None:
    """Let this process take so much memory beyond what it has; does nothing where the system cannot."""
    if sys.platform != "linux":
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with Path("/proc/self/statm").open(encoding="ascii") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    most = now + memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _limit_time(timeout_s: float) -> None:
    """Have the system end this process if it outlives the one that started it in an endless loop."""
    if sys.platform == "win32":
        return
    most = int(time.process_time() + 2 * timeout_s * (os.cpu_count() or 1)) + 10
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
