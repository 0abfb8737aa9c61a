"""Commands on whole knowledge bases, as a user gives them."""

import json
from pathlib import Path

import pytest

SENTENCE = "长江发源于唐古拉山脉，全长约六千三百公里。"


@pytest.fixture
def folder(tmp_path: Path, clrag) -> Path:
    documents = tmp_path / "文档"
    documents.mkdir()
    (documents / "江.txt").write_text(SENTENCE, encoding="utf-8")
    assert clrag("ingest", str(documents), "--kb", "资料")[0] == 0
    return documents


def test_bases_are_listed_with_what_they_hold(clrag, folder):
    _, out, _ = clrag("kb", "list")
    assert out.startswith("资料  1 files, 1 chunks")
    assert [row["name"] for row in json.loads(clrag("kb", "list", "--json")[1])] == ["资料"]


def test_no_base_is_no_error(clrag):
    status, out, err = clrag("kb", "list")
    assert (status, out) == (0, "")
    assert "clrag ingest" in err


def test_a_base_is_deleted_only_after_yes(clrag, folder, home):
    assert clrag("kb", "delete", "资料", stdin="n\n")[0] == 1
    assert (home / "kb" / "资料").exists()
    status, out, _ = clrag("kb", "delete", "资料", "--yes")
    assert (status, out) == (0, "deleted 资料\n")
    assert list((home / "kb").iterdir()) == []
    assert (folder / "江.txt").exists()


def test_deleting_a_base_that_is_not_there_says_how_to_see_those_that_are(clrag):
    status, _, err = clrag("kb", "delete", "没有", "--yes")
    assert status == 1
    assert "clrag kb list" in err


def test_export_and_import_into_another_home(clrag, folder, tmp_path):
    archive, other = tmp_path / "资料.clrag", tmp_path / "别处"
    status, out, _ = clrag("kb", "export", str(archive), "--kb", "资料", "--sources")
    assert status == 0
    assert "1 files, 1 chunks, 1 source files, 0 models" in out
    status, out, _ = clrag("kb", "import", str(archive), "--kb", "新", "--home", str(other))
    assert (status, out) == (0, "新: 1 files, 1 chunks\n")
    found = json.loads(clrag("search", "长江多长", "--kb", "新", "--home", str(other), "--json")[1])
    assert [passage["text"] for passage in found] == [SENTENCE]


def test_models_travel_with_their_setting(clrag, folder, tmp_path, monkeypatch):
    model, archive, other = tmp_path / "小模型.gguf", tmp_path / "a.clrag", tmp_path / "别处"
    model.write_bytes(b"GGUF" + bytes(1000))
    monkeypatch.setenv("CHINESE_LLM_RAG_MODEL_PATH", str(model))
    assert "1 models" in clrag("kb", "export", str(archive), "--kb", "资料", "--models")[1]
    _, out, err = clrag("kb", "import", str(archive), "--kb", "新", "--home", str(other))
    placed = other / "models" / "小模型.gguf"
    assert placed.read_bytes() == model.read_bytes()
    assert out.splitlines()[-1] == f'model_path = "{placed}"'
    assert str(other / "config.toml") in err


def test_a_fetched_model_arrives_under_its_name(clrag, folder, tmp_path, home, monkeypatch):
    from chinese_llm_rag.model_tools.installed import FetchedFile, folder_of, installed_model, write_record

    name, other = "chinese-alpaca-2-1.3b", tmp_path / "别处"
    fetched = folder_of(name, home / "models", gguf=True)
    fetched.mkdir(parents=True)
    (fetched / "ggml-model-q4_k.gguf").write_bytes(b"GGUF" + bytes(100))
    file = FetchedFile("ggml-model-q4_k.gguf", 104, "c" * 64)
    write_record(fetched, "modelscope", "hfl/x", {file.path: file})
    monkeypatch.setenv("CHINESE_LLM_RAG_MODEL", name)
    assert clrag("kb", "export", str(tmp_path / "a"), "--kb", "资料", "--models")[0] == 0
    _, out, _ = clrag("kb", "import", str(tmp_path / "a"), "--kb", "新", "--home", str(other))
    assert out.splitlines()[-1] == f'model = "{name}"'
    assert installed_model(name, other / "models").read_bytes() == b"GGUF" + bytes(100)


def test_a_model_that_is_not_here_stops_the_export(clrag, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("CHINESE_LLM_RAG_MODEL_PATH", str(tmp_path / "没有.gguf"))
    status, _, err = clrag("kb", "export", str(tmp_path / "a"), "--kb", "资料", "--models")
    assert status == 1
    assert "没有.gguf" in err
    assert not (tmp_path / "a").exists()
