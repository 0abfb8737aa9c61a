"""`chat` and `sessions` as a user meets them."""

import json
from pathlib import Path

import pytest

from chinese_llm_rag import wiring
from chinese_llm_rag.llms.alpaca import ChatChineseAlpaca
from chinese_llm_rag.llms.backend import prompt_parts
from chinese_llm_rag.prompts import FAMILY_SYSTEM_DETAILED
from chinese_llm_rag.testing import ScriptedBackend

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
    long = "龙井茶产于哪里？" * 1000
    _, out, err = clrag("chat", "--session", "茶", stdin=f"{long}\n龙井茶产于哪里？\n", says=(ORIGIN,))
    assert "exceed context_window" in err
    assert ORIGIN in out
    assert [turn["question"] for turn in json.loads(clrag("sessions", "show", "茶", "--json")[1])["turns"]] == [
        "龙井茶产于哪里？"
    ]


@pytest.fixture
def loads(clrag, monkeypatch: pytest.MonkeyPatch):
    """How often a model was loaded, and what it was asked; it gives the replies that it is handed."""

    class Loads:
        n = 0
        replies: list[str] = []  # noqa: RUF012
        backend = ScriptedBackend(iter(lambda: Loads.replies.pop(0), None))

        def load(self, _settings):
            Loads.n += 1
            return ChatChineseAlpaca(backend=self.backend)

    made = Loads()
    monkeypatch.setattr(wiring, "build_llm", made.load)
    return made


def test_the_model_is_loaded_by_the_first_question_that_the_documents_may_answer_and_once(clrag, documents, loads):
    status, out, _ = clrag("chat", stdin="区块链的共识机制有哪些？\n/quit\n")
    assert (status, loads.n) == (0, 0)
    assert "龙井茶产于" not in out
    loads.replies[:] = [ORIGIN, "龙井茶的水温是多少？", HEAT]
    _, out, err = clrag("chat", "--model-rewrites", stdin="龙井茶产于哪里？\n那水温呢？\n")
    assert loads.n == 1
    assert HEAT in out
    assert "searched as: 龙井茶的水温是多少？" in err


def test_chat_has_the_options_of_ask(clrag, documents, loads):
    invented = "龙井茶在火星上也有种植。"
    loads.replies[:] = [ORIGIN + invented]
    _, out, _ = clrag("chat", "--strict", "--detailed", stdin="龙井茶产于哪里？\n")
    assert ORIGIN in out
    assert invented not in out
    [(prompt, _)] = loads.backend.history
    assert FAMILY_SYSTEM_DETAILED in "".join(part for part in prompt_parts(prompt) if isinstance(part, str))
    _, out, _ = clrag("chat", "--strategy", "extractive", stdin="龙井茶产于哪里？\n")
    assert ORIGIN.removesuffix("。") in out
    assert loads.n == 1  # none for the second
    status, _, err = clrag("chat", "--order", "random", stdin="龙井茶产于哪里？\n")
    assert status == 2
    assert "order" in err


def test_a_wrong_format_or_folder_is_named(clrag, documents, tmp_path):
    clrag("chat", "--session", "茶", stdin="龙井茶产于哪里？\n", says=(ORIGIN,))
    status, _, err = clrag("sessions", "export", "茶", "--format", "pdf")
    assert status == 2
    assert "'pdf', expected markdown or json" in err
    status, _, err = clrag("sessions", "export", "茶", "-o", str(tmp_path / "none" / "茶.md"))
    assert status == 1
    assert "cannot write" in err
