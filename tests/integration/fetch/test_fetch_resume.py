"""A fetch that was interrupted goes on, and never with the bytes of another file."""

from http.server import BaseHTTPRequestHandler

import pytest
from local_hub import CONTENT, FILE, NAME, broken_after, left_over, part_file, respond

from chinese_llm_rag.model_tools.fetch import FetchProgress
from chinese_llm_rag.model_tools.installed import installed_model

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


def test_a_broken_answer_is_continued_where_it_broke(fetch, hub, tmp_path):
    hub.before = broken_after(2_000_000, times=2)
    fetch()
    first, second, third = hub.downloads()
    assert first is None
    assert 0 < int(second[6:-1]) < int(third[6:-1])
    assert (tmp_path / "models" / f"{NAME}-gguf" / FILE).read_bytes() == CONTENT


def test_an_interrupted_fetch_leaves_a_part_that_the_next_run_continues(fetch, hub, tmp_path):
    def interrupt(progress: FetchProgress) -> None:
        if progress.done_bytes > 2_000_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(on_progress=interrupt)
    size = part_file(tmp_path).stat().st_size
    assert 2_000_000 <= size < len(CONTENT)
    assert installed_model(NAME, tmp_path / "models") is None
    fetch()
    assert hub.downloads() == [None, f"bytes={size}-"]
    assert installed_model(NAME, tmp_path / "models").read_bytes() == CONTENT


def test_a_server_that_ignores_ranges_sends_the_file_from_its_start(fetch, hub, tmp_path):
    hub.ranges = False
    left_over(tmp_path, CONTENT[:1000])
    assert fetch().n_fetched == 1
    assert hub.downloads() == ["bytes=1000-"]


def test_a_changed_etag_starts_the_file_again(fetch, hub, tmp_path):
    hub.etag = '"two"'
    left_over(tmp_path, b"of another file" * 100)
    fetch()
    assert installed_model(NAME, tmp_path / "models").read_bytes() == CONTENT


def test_a_part_that_is_already_whole_is_checked_and_not_fetched(fetch, hub, tmp_path):
    left_over(tmp_path, CONTENT)
    fetch()
    assert hub.downloads() == []


def test_a_part_that_is_too_long_is_thrown_away(fetch, hub, tmp_path):
    left_over(tmp_path, CONTENT + b"x")
    fetch()
    assert hub.downloads() == [None]


def test_a_part_of_an_older_file_is_removed(fetch, tmp_path):
    old = tmp_path / "models" / f"{NAME}-gguf" / f"{FILE}.000000000000.part"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"old")
    fetch()
    assert not old.exists()


@pytest.mark.parametrize("answer", ["416", "wrong range"])
def test_a_server_that_will_not_continue_is_asked_for_the_whole_file(fetch, hub, tmp_path, answer):
    def before(request: BaseHTTPRequestHandler) -> bool:
        if "/resolve/" not in request.path or not request.headers.get("Range"):
            return False
        if answer == "416":
            respond(request, 416, b"")
        else:
            headers = {"Content-Range": f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}"}
            respond(request, 206, CONTENT, headers=headers)
        return True

    hub.before = before
    left_over(tmp_path, CONTENT[:500])
    fetch()
    assert hub.downloads() == ["bytes=500-", None]


def test_progress_counts_what_was_here_and_ends_with_everything(fetch, tmp_path):
    left_over(tmp_path, CONTENT[:3_000_000])
    seen: list[FetchProgress] = []
    fetch(on_progress=seen.append)
    assert seen[0].done_bytes > 3_000_000
    assert [p.done_bytes for p in seen] == sorted(p.done_bytes for p in seen)
    assert (seen[-1].done_bytes, seen[-1].total_bytes) == (len(CONTENT), len(CONTENT))
