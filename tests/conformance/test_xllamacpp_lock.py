"""The listener of the server inside xllamacpp tells and does nothing without its key; nothing is printed."""

import http.client
import json
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import xllamacpp

from chinese_llm_rag.llms.xllama.server import EmbeddedServer, _UnixConnection
from chinese_llm_rag.llms.xllamacpp import XllamacppBackend

small_models = sys.modules["small_models"]


def status_of(connection: http.client.HTTPConnection, path: str, *, key: str | None = None, body: dict | None = None):
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    try:
        connection.request("POST" if body is not None else "GET", path, json.dumps(body), headers)
        return connection.getresponse().status
    finally:
        connection.close()


class TestLock:
    PATHS = ("/props", "/slots", "/models", "/v1/models", "/lora-adapters", "/health", "/metrics", "/")

    @pytest.fixture
    def server(self, random_xllamacpp: XllamacppBackend) -> EmbeddedServer:
        return random_xllamacpp._server

    def test_it_listens_on_a_socket_in_a_folder_of_its_users_own(self, server: EmbeddedServer) -> None:
        url = urlsplit(server.address)
        assert url.scheme == "unix"
        assert Path(url.path).parent == server.slot_folder
        assert server.slot_folder.stat().st_mode & 0o077 == 0

    @pytest.mark.parametrize("path", PATHS)
    def test_without_the_key_nothing_is_told(self, server: EmbeddedServer, path: str) -> None:
        for prefix in ("", server._prefix):
            for key in (None, "", "wrong"):
                connection = _UnixConnection(urlsplit(server.address).path)
                assert status_of(connection, prefix + path, key=key) in (401, 404)

    @pytest.mark.parametrize(
        "path", ["/completion", "/v1/completions", "/tokenize", "/slots/0?action=erase", "/infill"]
    )
    def test_without_the_key_nothing_is_done(self, server: EmbeddedServer, path: str) -> None:
        connection = _UnixConnection(urlsplit(server.address).path)
        assert status_of(connection, server._prefix + path, body={"prompt": "你好", "content": "你好"}) == 401

    def test_the_key_alone_does_not_do_without_the_secret_path(self, server: EmbeddedServer) -> None:
        connection = _UnixConnection(urlsplit(server.address).path)
        assert status_of(connection, "/props", key=server._key) == 404

    def test_pages_slots_and_metrics_are_closed_even_with_the_key(self, server: EmbeddedServer) -> None:
        for path, status in (("/", 404), ("/slots", 501), ("/metrics", 501), ("/tools", 403)):
            connection = _UnixConnection(urlsplit(server.address).path)
            assert status_of(connection, server._prefix + path, key=server._key) == status

    @pytest.mark.usefixtures("socket_enabled")  # a server of the test's own, on loopback
    def test_where_there_are_no_unix_sockets_it_listens_on_loopback_with_the_same_lock(
        self, random_model: Path
    ) -> None:
        params = xllamacpp.CommonParams()
        params.model.path = str(random_model)
        params.n_ctx = 256
        params.n_gpu_layers = 0
        server = EmbeddedServer(xllamacpp, params, unix_socket=False)
        url = urlsplit(server.address)
        assert (url.scheme, url.hostname) == ("http", "127.0.0.1")
        assert url.port not in (None, 0, 8080)
        assert status_of(http.client.HTTPConnection(url.netloc), server._prefix + "/props") == 401
        assert status_of(http.client.HTTPConnection(url.netloc), "/props", key=server._key) == 404
        assert server.ask("/tokenize", {"content": "", "add_special": True}) == {"tokens": [small_models.BOS]}
        server.close()
        with pytest.raises(OSError):
            socket.create_connection((url.hostname, url.port), timeout=1)

    def test_closing_removes_its_folder(self, random_model: Path) -> None:
        backend = XllamacppBackend(random_model)
        folder = backend._server.slot_folder
        assert folder.is_dir()
        backend.close()
        assert not folder.exists()


SILENT = """
import sys, warnings
warnings.simplefilter("error")
from chinese_llm_rag.llms.xllamacpp import XllamacppBackend
from chinese_llm_rag.llms.backend import GenerationParams
from chinese_llm_rag.errors import ModelLoadError
assert "xllamacpp" not in sys.modules
backend = XllamacppBackend(sys.argv[1], context_window=256)
for _ in backend.generate("你好", GenerationParams(max_tokens=4, json_schema='{"type": "object"}')):
    pass
backend.close()
try:
    XllamacppBackend(sys.argv[2])
except ModelLoadError:
    pass
left_open = XllamacppBackend(sys.argv[1])
stream = left_open.generate("你好", GenerationParams(max_tokens=900))
next(stream), next(stream)
"""


def test_nothing_is_printed_nothing_warns_and_a_process_ends_with_a_stream_open(
    random_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = tmp_path / "foreign.gguf"
    foreign.write_bytes(random_model.read_bytes().replace(b"llama", b"zzzzz"))
    sockets = tmp_path / "tmp"
    sockets.mkdir()
    monkeypatch.setenv("TMPDIR", str(sockets))
    command = [sys.executable, "-X", "dev", "-c", SILENT, str(random_model), str(foreign)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(sockets.iterdir()) == []
