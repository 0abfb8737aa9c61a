"""llama.cpp's own HTTP server (the one inside xllamacpp) over a GGUF file, in a process of its own.

As a script it prints its address and serves until its standard input closes.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECRET = "a-key-of-this-test"


@contextmanager
def running(model: Path, *, context_window: int = 1024, n_slots: int = 1) -> Iterator[str]:
    """The address of a server that wants SECRET as its key; each slot has the context window."""
    command = [sys.executable, __file__, str(model), str(context_window * n_slots), str(n_slots)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:"), f"no llama.cpp server: {address!r}"
        try:
            yield address
        finally:
            process.stdin.close()


def main(model: str, n_ctx: str, n_slots: str) -> None:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.n_ctx = int(n_ctx)
    params.n_parallel = int(n_slots)
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.api_keys = [SECRET]
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
