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
