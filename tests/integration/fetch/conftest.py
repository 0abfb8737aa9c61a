"""A hub on this machine for every test here, and a fetch from it whose pauses take no time."""

import importlib.util
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from chinese_llm_rag import cli
from chinese_llm_rag.model_tools.connection import Connection
from chinese_llm_rag.model_tools.fetch import fetch_model
from chinese_llm_rag.model_tools.hubs import HuggingFaceHub

_spec = importlib.util.spec_from_file_location("local_hub", Path(__file__).parents[2] / "local_hub.py")
local_hub = importlib.util.module_from_spec(_spec)
sys.modules["local_hub"] = local_hub
_spec.loader.exec_module(local_hub)


@pytest.fixture
def hub():
    served = local_hub.FakeHub({local_hub.GGUF: {local_hub.FILE: local_hub.CONTENT}})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    served.address = f"http://127.0.0.1:{server.server_address[1]}"
    yield served
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def fetch(hub, tmp_path):
    """Fetch from the hub of this test; the pauses that were taken are in `.pauses`."""

    def run(name: str = local_hub.NAME, quantization: str | None = "Q4_K_M", **options):
        place = options.pop("hub", None) or HuggingFaceHub(hub.address)
        connection = Connection(pause=run.pauses.append, read_timeout_s=options.pop("read_timeout_s", 5))
        return fetch_model(
            name, place, tmp_path / "models", quantization=quantization, connection=connection, **options
        )

    run.pauses = []
    return run


@pytest.fixture
def clrag(monkeypatch, capsys):
    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["clrag", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run
