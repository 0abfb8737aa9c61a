"""`chat` and `sessions` as a user meets them."""

import json
from pathlib import Path

import pytest

TEA = "龙井茶产于杭州西湖一带，属于绿茶。冲泡龙井茶的水温以八十度左右为宜。"
ORIGIN, HEAT = "龙井茶产于杭州西湖一带。", "冲泡龙井茶的水温以八十度左右为宜。"


@pytest.fixture
def documents(tmp_path: Path, clrag) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "茶.md").write_text(TEA, encoding="utf-8")
    clrag("ingest", str(folder))
    return folder


def test_a_follow_up_in_a_chat_is_answered_and_what_was_searched_is_told(clrag, documents):
    status, out, err = clrag("chat", stdin="龙井茶产于哪里？\n那水温呢？\n/quit\n", says=(ORIGIN, HEAT))
    assert status == 0
    assert [line for line in out.splitlines() if line in (ORIGIN, HEAT)] == [ORIGIN, HEAT]
    assert err == "searched as: 龙井茶的水温？\n"
    assert clrag("sessions", "list")[1:] == ("", "no conversation was kept\n")


def test_a_named_chat_is_gone_on_with_in_another_run(clrag, documents):
    clrag("chat", "--session", "茶", stdin="龙井茶产于哪里？\n", says=(ORIGIN,))
    _, _, err = clrag("chat", "--session", "茶", stdin="那水温呢？\n/exit\n", says=(HEAT,))
    assert err == "going on with 茶, last asked: 龙井茶产于哪里？\nsearched as: 龙井茶的水温？\n"
    _, out, _ = clrag("sessions", "list", "--json")
    [summary] = json.loads(out)
    assert (summary["name"], summary["turns"]) == ("茶", 2)
    assert clrag("sessions", "list")[1].startswith("茶  2 turns, ")


def test_a_kept_chat_is_shown_exported_and_deleted(clrag, documents, tmp_path):
    clrag("chat", "--session", "茶", stdin="龙井茶产于哪里？\n那水温呢？\n", says=(ORIGIN, HEAT))
    shown = f"> 龙井茶产于哪里？\n{ORIGIN}\n\n> 那水温呢？\n  (searched as: 龙井茶的水温？)\n{HEAT}\n\n"
    assert clrag("sessions", "show", "茶")[:2] == (0, shown)
    page = clrag("sessions", "export", "茶")[1]
    assert "## 2. 那水温呢？\n\nSearched as: 龙井茶的水温？" in page
    assert f"page 1, characters 17-34: “{HEAT}”" in page
    file = tmp_path / "茶.json"
    assert clrag("sessions", "export", "茶", "--format", "json", "-o", str(file))[:2] == (0, "")
    kept = json.loads(file.read_text(encoding="utf-8"))
    assert kept == json.loads(clrag("sessions", "show", "茶", "--json")[1])
    assert kept["turns"][1]["answer"]["citations"][0]["file"] == str(documents / "茶.md")
    assert clrag("sessions", "delete", "茶")[:2] == (0, "deleted 茶\n")
    status, _, err = clrag("sessions", "show", "茶")
    assert status == 1
    assert err == "error: there is no session '茶'\nhint: see all with: clrag sessions list\n"


def test_an_error_in_a_chat_does_not_end_it_and_is_not_remembered(clrag, documents):
    long = "长" * 5000
    _, out, err = clrag("chat", "--session", "茶", stdin=f"{long}\n龙井茶产于哪里？\n", says=(ORIGIN,))
    assert "exceed context_window" in err
    assert ORIGIN in out
    assert [turn["question"] for turn in json.loads(clrag("sessions", "show", "茶", "--json")[1])["turns"]] == [
        "龙井茶产于哪里？"
    ]


def test_a_wrong_format_or_folder_is_named(clrag, documents, tmp_path):
    clrag("chat", "--session", "茶", stdin="龙井茶产于哪里？\n", says=(ORIGIN,))
    status, _, err = clrag("sessions", "export", "茶", "--format", "pdf")
    assert status == 2
    assert "'pdf', expected markdown or json" in err
    status, _, err = clrag("sessions", "export", "茶", "-o", str(tmp_path / "none" / "茶.md"))
    assert status == 1
    assert "cannot write" in err
