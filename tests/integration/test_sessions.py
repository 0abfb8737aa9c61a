"""Sessions on disk: nothing half-kept after a kill, two writers at once, and what a file can be."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chinese_llm_rag.chains.conversation import Reply, SessionStore, session_markdown
from chinese_llm_rag.errors import ConfigError, SessionError
from chinese_llm_rag.schema import Answer, AnswerSentence, Citation

WRITER = """
import sys
from pathlib import Path
from chinese_llm_rag.chains.conversation import Reply, SessionStore
from chinese_llm_rag.schema import Answer
store, name, n_turns = SessionStore(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
for number in range(n_turns):
    store.add("共用", Reply(f"{name}{number}", answer=Answer(text="答" * 2000)))
    print(number, flush=True)
"""


@pytest.fixture
def store(tmp_path: Path) -> SessionStore:
    return SessionStore(tmp_path / "home" / "sessions.sqlite")


def reply(question: str, text: str = "答。", query: str = "") -> Reply:
    return Reply(question, query or question, answer=Answer(text=text))


def writer(path: Path, name: str, n_turns: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), name, str(n_turns)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )


def test_sessions_are_kept_listed_resumed_and_deleted(store):
    assert store.names() == []
    assert not store.path.exists()
    store.add("合同", reply("租期多长？", "三年。"))
    store.add("茶", reply("龙井茶产于哪里？"))
    time.sleep(0.005)
    store.add("合同", reply("租金呢？", "三千元。", "合同的租金？"))
    assert [(one.name, one.n_turns) for one in SessionStore(store.path).summaries()] == [("合同", 2), ("茶", 1)]
    assert [(one.question, one.answer, one.query) for one in store.exchanges("合同")] == [
        ("租期多长？", "三年。", "租期多长？"),
        ("租金呢？", "三千元。", "合同的租金？"),
    ]
    assert [one.question for one in store.exchanges("合同", last=1)] == ["租金呢？"]
    store.delete("合同")
    assert store.names() == ["茶"]
    assert store.exchanges("合同") == ()


def test_what_a_deleted_session_held_is_no_longer_in_the_file(store):
    store.add("机密", reply("密码是多少？", "ab-secret-99"))
    store.add("茶", reply("龙井茶产于哪里？"))
    assert b"ab-secret-99" in store.path.read_bytes()
    store.delete("机密")
    assert b"ab-secret-99" not in store.path.read_bytes()
    assert [path.name for path in store.path.parent.iterdir()] == [store.path.name]


def test_a_killed_writer_leaves_every_turn_it_reported_and_none_by_half(store):
    for round_number in range(3):
        before = len(store.exchanges("共用", last=10**6))
        with writer(store.path, f"轮{round_number}-", 10**6) as process:
            assert process.stdout is not None
            reported = next(n for n, _ in enumerate(process.stdout) if n == 20 + round_number)
            os.kill(process.pid, signal.SIGKILL)
        turns = store.get("共用").turns[before:]
        assert [turn.reply["question"] for turn in turns] == [f"轮{round_number}-{n}" for n in range(len(turns))]
        assert len(turns) >= reported + 1
        assert {len(turn.reply["answer"]["text"]) for turn in turns} == {2000}
    store.add("共用", reply("之后？"))
    connection = sqlite3.connect(store.path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_two_processes_write_one_session_at_once_and_no_turn_is_lost(store):
    processes = [writer(store.path, name, 40) for name in ("甲", "乙")]
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    asked = [turn.reply["question"] for turn in store.get("共用").turns]
    assert len(asked) == 80
    for name in ("甲", "乙"):
        assert [question for question in asked if question.startswith(name)] == [f"{name}{n}" for n in range(40)]


@pytest.mark.parametrize("name", ["", " 茶", "a\nb", "字" * 101, None, "\udcff"])
def test_a_name_that_no_list_could_show_is_refused(store, name):
    with pytest.raises(ConfigError, match="expected a name"):
        store.add(name, reply("一？"))
    with pytest.raises(ConfigError, match="expected a name"):
        store.exchanges(name)


def test_any_text_comes_back_as_it_was(store):
    odd = "'; DROP TABLE turns; --\x00\udcff\U0002a6a5"
    store.add("名 'x\"; --", reply(odd, odd))
    assert store.exchanges("名 'x\"; --")[0].answer == odd


def test_an_unknown_session_is_named_with_what_to_do(store):
    for attempt in (store.get, store.delete):
        with pytest.raises(SessionError, match="no session '茶'") as caught:
            attempt("茶")
        assert caught.value.session == "茶"
        assert "clrag sessions list" in caught.value.hint
    assert not store.path.exists()


def test_a_file_that_is_no_database_or_of_a_later_version_is_left_alone(store):
    store.path.parent.mkdir()
    store.path.write_bytes(b"this is no database at all, but long enough to be read as one" * 20)
    with pytest.raises(SessionError, match="not a database"):
        store.names()
    store.path.unlink()
    store.add("茶", reply("一？"))
    connection = sqlite3.connect(store.path)
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    for attempt in (store.names, lambda: store.add("茶", reply("二？"))):
        with pytest.raises(SessionError, match="a later version"):
            attempt()


def test_a_file_that_a_kill_left_empty_is_a_new_one(store):
    store.path.parent.mkdir()
    store.path.touch()
    assert store.names() == []
    store.add("茶", reply("一？"))
    assert store.names() == ["茶"]


def test_markdown_has_questions_queries_answers_and_places_and_no_sign_of_its_texts(store):
    place = Citation(1, "/d/茶*.pdf", 2, 3, 10, 20, "产于<b>杭州</b>", 1.0)
    text = "# 标题\n- 产于[杭州](x)。"
    answer = Answer(text=text, sentences=(AnswerSentence(0, len(text), text, (place,)),))
    store.add("茶 <script>", Reply("它产于\n哪里？", "龙井茶产于哪里？", answer=answer))
    page = session_markdown(store.get("茶 <script>"))
    assert page.splitlines()[0] == r"# 茶 \<script\>"
    assert "## 1. 它产于 哪里？" in page
    assert "Searched as: 龙井茶产于哪里？" in page
    assert r"\# 标题" in page
    assert r"\- 产于\[杭州\](x)。" in page
    assert r"- /d/茶\*.pdf, page 2-3, characters 10-20: “产于\<b\>杭州\</b\>”" in page
