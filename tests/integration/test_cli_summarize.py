"""`clrag summarize`, as a user gives it."""

import json
from pathlib import Path

import pytest

SENTENCE = "龙井茶产于杭州西湖一带，属于绿茶。"
TEXT = f"# 龙井茶\n\n{SENTENCE}冲泡龙井茶的水温以八十五度为宜。\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "茶.md"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_a_summary_is_shown_with_what_each_sentence_rests_on(clrag, file):
    status, out, err = clrag("summarize", str(file), says=("龙井茶属于绿茶。",))
    assert status == 0
    assert out.startswith("龙井茶属于绿茶。\n\n- 龙井茶属于绿茶。\n")
    assert f"{file}, page 1, characters" in out
    assert "rests on 1 of 1 pages (100%): 1" in err
    assert "stuff: 1 calls of the model, 0 steps known from before" in err


def test_what_was_summarized_is_not_asked_again(clrag, file):
    clrag("summarize", str(file), says=("龙井茶属于绿茶。",))
    status, out, err = clrag("summarize", str(file))
    assert (status, out.splitlines()[0]) == (0, "龙井茶属于绿茶。")
    assert "0 calls of the model, 1 steps known from before" in err


def test_json_holds_sentences_citations_and_coverage(clrag, file):
    _, out, _ = clrag("summarize", str(file), "--json", says=("龙井茶属于绿茶。",))
    summary = json.loads(out)
    assert summary["text"] == "龙井茶属于绿茶。"
    assert summary["sentences"][0]["citations"][0]["file"] == str(file)
    assert summary["coverage"] == {"share": 1.0, "n_pages": 1, "pages": [{"file": str(file), "page": 1}]}


def test_without_a_model_sentences_are_quoted_and_that_is_said(clrag, file):
    status, out, err = clrag("summarize", str(file), "--extractive", "--length", "20")
    assert status == 0
    assert out.splitlines()[0] in TEXT
    assert "without a model" in err


def test_several_files_and_folders_are_summarized_together(clrag, file, tmp_path):
    (tmp_path / "江.txt").write_text("长江发源于唐古拉山脉。", encoding="utf-8")
    _, out, _ = clrag("summarize", str(tmp_path), "--json", says=("长江发源于唐古拉山脉。龙井茶属于绿茶。",))
    assert {Path(page["file"]).name for page in json.loads(out)["coverage"]["pages"]} == {"茶.md", "江.txt"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("--length", "3"), "length=3"), (("--strategy", "best"), "strategy='best'"), ((), "does not exist")],
)
def test_bad_input_is_named(clrag, file, arguments, message):
    path = str(file) if arguments else str(file.with_name("没有.pdf"))
    status, _, err = clrag("summarize", path, *arguments)
    assert status == 1
    assert message in err


def test_a_file_that_cannot_be_read_stops_it_by_name(clrag, tmp_path):
    (tmp_path / "坏.pdf").write_bytes(b"%PDF-1.4 nothing")
    status, _, err = clrag("summarize", str(tmp_path / "坏.pdf"))
    assert status == 1
    assert "坏.pdf" in err
