"""Where the server listens, and how a second start finds the page of the first."""

import os
import socket
import subprocess
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from chinese_llm_rag.app.listening import address_of, bind, noted, page_of
from chinese_llm_rag.errors import ConfigError

pytestmark = [pytest.mark.models, pytest.mark.allow_hosts(["127.0.0.1", "::1"])]


@pytest.fixture
def other():
    """Another program on this machine, which answers everything with one text."""

    class Other(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Other)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def test_who_connects_before_the_server_is_there_waits_for_it():
    with bind("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname(), timeout=5) as early:
        early.sendall(b"early")
        served, _ = listener.accept()
        with served:
            assert served.recv(5) == b"early"


def test_a_port_that_is_taken_is_refused_with_its_number(other):
    with pytest.raises(ConfigError, match=str(other)) as caught:
        bind("127.0.0.1", other)
    assert "--port" in caught.value.hint


def test_an_ipv6_address_is_written_as_browsers_want_it():
    with bind("::1", 0) as listener:
        assert address_of(listener) == f"http://[::1]:{listener.getsockname()[1]}"


def test_no_page_is_found_where_none_or_another_program_answers(tmp_path, other):
    assert page_of(tmp_path) is None
    with noted(tmp_path, f"http://127.0.0.1:{other}/"):
        assert page_of(tmp_path) is None
    with bind("127.0.0.1", 0) as listener:
        free = address_of(listener)
    for address in (free, "http://example.org:80/", "nonsense"):
        with noted(tmp_path, address):
            assert page_of(tmp_path) is None


def test_a_second_start_shows_the_page_that_is_open_and_another_home_gets_its_own(serving, tmp_path):
    home = tmp_path / "家"

    def start(*arguments: str) -> str:
        command = [sys.executable, "-m", "chinese_llm_rag", "app", "--no-browser", *arguments]
        return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=60, check=True).stdout

    with serving(home, "--no-browser", command="app") as first:
        assert page_of(home) == f"{first.url}/"
        assert f"{first.url}/" in start("--home", str(home))
        port = first.url.rpartition(":")[2]
        environment = f"import os; os.environ['CHINESE_LLM_RAG_SERVE_PORT'] = '{port}'"
        command = "import sys; sys.argv = ['clrag', 'app', '--no-browser', '--home', sys.argv[1]]"
        second = subprocess.Popen(
            [
                sys.executable,
                "-u",
                "-c",
                f"{environment}\n{command}\nfrom chinese_llm_rag.cli import main\nmain()",
                str(tmp_path / "另"),
            ],
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        try:
            said = second.stdout.readline()
            assert "http://127.0.0.1:" in said
            assert f":{port}/" not in said
            with urllib.request.urlopen(said.split()[-1], timeout=60) as reply:
                assert reply.status == 200
        finally:
            second.terminate()
            second.communicate(timeout=60)
    assert page_of(home) is None
    assert not (home / "page" / "address").exists()


def test_a_second_start_with_native_is_a_window_on_the_page_that_is_open(serving, tmp_path):
    home, windows = tmp_path / "家", tmp_path / "windows"
    windows.mkdir()
    # pywebview needs a desktop: what it is asked to show is printed in its place
    (windows / "webview.py").write_text(
        "def create_window(title, url, **size): print('window', url)\ndef start(): print('until closed')\n"
    )
    with serving(home, "--no-browser", command="app") as first:
        said = subprocess.run(
            [sys.executable, "-m", "chinese_llm_rag", "app", "--native", "--home", str(home)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
            check=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(windows), *sys.path])},
        ).stdout.splitlines()
        assert said[-2:] == [f"window {first.url}/", "until closed"]


def test_the_page_leaves_nothing_in_the_working_directory(serving, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with (
        serving(tmp_path / "家", "--no-browser", command="app") as server,
        urllib.request.urlopen(f"{server.url}/", timeout=60) as reply,
    ):
        assert reply.status == 200
    assert [path.name for path in tmp_path.iterdir()] == ["家"]
