"""A base that follows its folders."""

import threading
import time
from pathlib import Path

import pytest

from chinese_llm_rag.errors import DocumentError
from chinese_llm_rag.knowledge_base import KnowledgeBase
from chinese_llm_rag.knowledge_base.lock import writer_lock
from chinese_llm_rag.knowledge_base.watch import watch
from chinese_llm_rag.testing import HashEmbeddings

TEXT = "长江发源于唐古拉山脉，全长约六千三百公里。"


class Follower:
    """`watch` in a thread, over a base of its own."""

    def __init__(self, folder: Path, base: Path, *, poll: bool = False) -> None:
        self.reports: list = []
        self.trouble: list = []
        self.stop = threading.Event()
        self._base = base
        self._folder = folder
        self._thread = threading.Thread(
            target=lambda: watch([folder], self._run, on_trouble=self.trouble.append, stop=self.stop, poll=poll)
        )

    def _run(self) -> None:
        with KnowledgeBase.open(self._base, HashEmbeddings()) as base:
            self.reports.append(base.ingest([self._folder], prune=True))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception) -> None:
        self.stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def comes_to_hold(self, *names: str) -> bool:
        """Whether the base comes to hold just these files."""
        return until(lambda: self._names() == set(names))

    def _names(self) -> set[str]:
        if not (self._base / "manifest.sqlite3").exists():
            return set()
        with KnowledgeBase.open(self._base) as base:
            return {Path(record.path).name for record in base.files()}


def until(condition) -> bool:
    for _ in range(300):
        if condition():
            return True
        time.sleep(0.1)
    return False


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "文档"
    folder.mkdir()
    (folder / "江.txt").write_text(TEXT, encoding="utf-8")
    return folder


@pytest.mark.parametrize("poll", [False, True])
def test_files_that_come_change_and_go_are_followed(folder, home, poll):
    with Follower(folder, home / "kb", poll=poll) as follower:
        assert follower.comes_to_hold("江.txt")
        (folder / "湖.txt").write_text("洞庭湖位于湖南省北部。", encoding="utf-8")
        assert follower.comes_to_hold("江.txt", "湖.txt")
        (folder / "江.txt").write_text("黄河发源于巴颜喀拉山脉。", encoding="utf-8")
        assert until(lambda: any(report.of("updated") for report in follower.reports))
        (folder / "湖.txt").unlink()
        assert follower.comes_to_hold("江.txt")
    assert follower.trouble == []


def test_a_file_that_is_being_written_is_read_when_it_is_whole(folder, home):
    with Follower(folder, home / "kb") as follower:
        assert follower.comes_to_hold("江.txt")
        with (folder / "书.txt").open("w", encoding="utf-8") as file:
            for _ in range(20):
                file.write(TEXT)
                file.flush()
                time.sleep(0.05)
        assert follower.comes_to_hold("江.txt", "书.txt")
    assert [len(report.of("added")) for report in follower.reports] == [1, 1]
    assert not any(report.of("updated") for report in follower.reports)


def test_another_writer_is_waited_for_and_told_of_once(folder, home):
    (home / "kb").mkdir(parents=True)
    with writer_lock(home / "kb"), Follower(folder, home / "kb") as follower:
        assert until(lambda: follower.trouble)
        time.sleep(6)  # longer than it waits before another try
        assert len(follower.trouble) == 1
    with Follower(folder, home / "kb") as follower:
        assert follower.comes_to_hold("江.txt")


def test_a_folder_that_is_empty_at_first_is_followed(home, tmp_path):
    (tmp_path / "空").mkdir()
    with Follower(tmp_path / "空", home / "kb") as follower:
        assert until(lambda: follower.trouble)
        (tmp_path / "空" / "江.txt").write_text(TEXT, encoding="utf-8")
        assert follower.comes_to_hold("江.txt")


def test_a_path_that_is_not_there_is_a_clear_error(tmp_path):
    with pytest.raises(DocumentError, match="does not exist"):
        watch([tmp_path / "没有"], lambda: None, on_trouble=print)


def test_the_command_follows_until_it_is_interrupted(clrag, folder, monkeypatch):
    import watchfiles

    def interrupted(*paths, **options):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(watchfiles, "watch", interrupted)
    status, out, err = clrag("watch", str(folder))
    assert status == 130
    assert out == "1 added (1 chunks), 0 skipped, 0 failed\n"
    assert "Ctrl-C" in err
