"""Each kind of trouble on the way is said in its own words, after a bounded number of tries."""

import threading
from http.server import BaseHTTPRequestHandler

import pytest
from filelock import FileLock
from local_hub import CONTENT, FILE, GGUF, NAME, always, part_file, respond, sha256

from chinese_llm_rag.errors import ConfigError, ModelLoadError
from chinese_llm_rag.model_tools import fetch as fetch_module
from chinese_llm_rag.model_tools.hubs import HuggingFaceHub, connect, hub_named

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@pytest.mark.parametrize(
    ("before", "message", "pauses"),
    [
        (always(404), "does not exist", []),
        (always(401), "not allowed", []),
        (always(403, where="/resolve/"), "not allowed", []),
        (always(400), "unexpected status 400", []),
        (always(503), "busy or broken (503)", [1, 2, 4]),
        (always(429, headers={"Retry-After": "7"}), "busy or broken (429)", [7, 7, 7]),
        (always(429, headers={"Retry-After": "86400"}), "busy or broken (429)", []),
        (always(200, b"<html>sign in</html>", kind="text/html"), "'text/html' instead of JSON", []),
        (always(200, b"{}"), "cannot be understood", []),
        (always(200, b'[{"type": 3}]', where="/tree/"), "cannot be understood", []),
        (always(200, b"<html>portal</html>", where="/resolve/", kind="text/html"), "19 bytes (text/html)", []),
    ],
)
def test_each_kind_of_trouble_has_its_own_message_a_hint_and_bounded_retries(fetch, hub, before, message, pauses):
    hub.before = before
    with pytest.raises(ModelLoadError) as raised:
        fetch()
    assert message in str(raised.value)
    assert raised.value.hint
    assert fetch.pauses == pauses


def test_a_busy_server_is_asked_again_and_then_serves(fetch, hub):
    left = [2]

    def before(request: BaseHTTPRequestHandler) -> bool:
        left[0] -= 1
        if left[0] < 0:
            return False
        respond(request, 502, b"")
        return True

    hub.before = before
    assert fetch().n_fetched == 1


def test_a_damaged_file_is_removed_and_both_checksums_are_named(fetch, hub, tmp_path):
    hub.stated[FILE] = "ab" * 32
    with pytest.raises(ModelLoadError) as raised:
        fetch()
    assert sha256(CONTENT) in str(raised.value)
    assert "ab" * 32 in str(raised.value)
    assert [p.name for p in (tmp_path / "models" / f"{NAME}-gguf").iterdir()] == [".fetch.lock"]


def test_a_body_that_always_ends_early_fails_in_the_end_and_keeps_what_arrived(fetch, hub, tmp_path):
    hub.before = always(200, CONTENT, where="/resolve/", send=1000)
    hub.ranges = False
    with pytest.raises(ModelLoadError):
        fetch()
    assert len(fetch.pauses) == 3
    assert part_file(tmp_path).stat().st_size == 1000


def test_a_body_longer_than_stated_is_not_kept(fetch, hub, tmp_path):
    def before(request: BaseHTTPRequestHandler) -> bool:
        if "/resolve/" not in request.path:
            return False
        request.send_response(200)
        request.end_headers()  # no length: the end of the connection ends the body
        request.wfile.write(CONTENT + b"more")
        request.close_connection = True
        return True

    hub.before = before
    with pytest.raises(ModelLoadError, match="the hub states"):
        fetch()
    assert not part_file(tmp_path).exists()


def test_a_server_that_does_not_answer_is_given_up_after_some_tries(fetch, hub):
    released = threading.Event()

    def before(_: BaseHTTPRequestHandler) -> bool:
        released.wait(5)
        return True

    hub.before = before
    try:
        with pytest.raises(ModelLoadError, match="no answer in time"):
            fetch(read_timeout_s=0.05)
    finally:
        released.set()
    assert fetch.pauses == [1, 2, 4]


def test_no_server_at_all_names_the_host(fetch):
    with pytest.raises(ModelLoadError, match=r"no connection to 127\.0\.0\.1"):
        fetch(hub=HuggingFaceHub("http://127.0.0.1:9"))


@pytest.mark.parametrize("path", ["../../x.q4_k.gguf", "/etc/x-q4_k.gguf", "a\\b-q4_k.gguf", "C:x-q4_k.gguf"])
def test_a_listing_cannot_write_outside_its_folder(fetch, hub, path):
    hub.repositories[GGUF][path] = b"x"
    with pytest.raises(ModelLoadError, match="dangerous path"):
        fetch()
    assert hub.downloads() == []


def test_a_file_without_a_checksum_is_not_fetched(fetch, hub):
    hub.stated[FILE] = ""
    with pytest.raises(ModelLoadError, match="no checksum"):
        fetch()
    assert hub.downloads() == []


def test_too_little_room_is_said_before_anything_is_fetched(fetch, hub, monkeypatch):
    usage = fetch_module.shutil.disk_usage("/")
    monkeypatch.setattr(fetch_module.shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    with pytest.raises(ModelLoadError, match=r"0\.0 GB are free"):
        fetch()
    assert hub.downloads() == []


def test_a_second_process_on_the_same_model_is_refused(fetch, hub, tmp_path):
    folder = tmp_path / "models" / f"{NAME}-gguf"
    folder.mkdir(parents=True)
    with FileLock(folder / ".fetch.lock"), pytest.raises(ModelLoadError, match="another process is fetching"):
        fetch()
    assert hub.downloads() == []
    assert fetch().n_fetched == 1


def test_a_folder_that_cannot_be_written_is_named(fetch, tmp_path):
    (tmp_path / "models").write_text("a file")
    with pytest.raises(ModelLoadError, match="cannot write to"):
        fetch()


def test_a_token_goes_to_the_hub_it_belongs_to_and_to_nobody_else(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with connect(HuggingFaceHub()) as official, connect(hub_named("https://mirror.example")) as mirror:
        assert official._token == "hf_secret"
        assert mirror._token is None


def test_sources_are_two_names_or_an_address():
    assert hub_named("huggingface").address == "https://huggingface.co"
    assert hub_named("modelscope").address == "https://modelscope.cn"
    assert hub_named("https://mirror.example/hub/").address == "https://mirror.example/hub"
    for wrong in ("github", "ftp://mirror.example", "https://"):
        with pytest.raises(ConfigError):
            hub_named(wrong)
