"""What can be asked of a search on the command line: other words for the same thing."""

import json
from pathlib import Path

import pytest

TEXTS = {"计算机.txt": "计算机的保修期为两年。", "冰箱.txt": "冰箱的保修期为三年。"}


@pytest.fixture
def ingested(clrag, tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    for name, text in TEXTS.items():
        (folder / name).write_text(text, encoding="utf-8")
    assert clrag("ingest", str(folder))[0] == 0
    return folder


def names(out: str) -> list[str]:
    return [Path(passage["file"]).name for passage in json.loads(out)]


def test_synonyms_of_a_file_are_looked_for(clrag, ingested, tmp_path):
    words = tmp_path / "同义词.txt"
    words.write_text("电脑, 计算机\n", encoding="utf-8")
    search = ("search", "--json", "--mode", "bm25", "电脑")
    assert names(clrag(*search)[1]) == []
    assert names(clrag(*search, "--synonyms", str(words))[1]) == ["计算机.txt"]


def test_synonyms_can_be_a_setting(clrag, ingested, tmp_path, monkeypatch):
    words = tmp_path / "同义词.txt"
    words.write_text("电脑=计算机\n", encoding="utf-8")
    monkeypatch.setenv("CHINESE_LLM_RAG_SYNONYMS", str(words))
    assert names(clrag("search", "--json", "--mode", "bm25", "电脑")[1]) == ["计算机.txt"]


def test_a_file_of_synonyms_that_is_none_is_an_error_with_its_name(clrag, ingested, tmp_path):
    status, out, err = clrag("search", "--synonyms", str(tmp_path / "无.txt"), "电脑")
    assert (status, out) == (1, "")
    assert "无.txt" in err
    assert "hint:" in err


def scores(out: str) -> list[float]:
    return [passage["score"] for passage in json.loads(out)]


@pytest.mark.parametrize("named", [("--reranker", "none"), ()])
def test_what_stands_in_a_passage_counts_unless_it_is_not_to(clrag, ingested, named):
    # Both scores are stretched, so the better of two passages has 1 without the reranker; with it, a passage that
    # lacks a word of the question has less.
    _, out, _ = clrag("search", "--json", "计算机的保修期为几年", *named)
    assert (max(scores(out)) == pytest.approx(1.0)) is bool(named)


@pytest.mark.parametrize("model", ["没有.gguf", "没有/模型"])
def test_a_reranker_that_is_not_there_is_an_error_with_its_name(clrag, ingested, model):
    status, out, err = clrag("search", "--reranker", model, "计算机")
    assert (status, out) == (1, "")
    assert "没有" in err
    assert "Traceback" not in err
