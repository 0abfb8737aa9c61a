"""Commands that keep a base in order."""

import io
import json
import sqlite3
import zipfile
from pathlib import Path

import pytest

from chinese_llm_rag import wiring
from chinese_llm_rag.embeddings.base import EmbeddingFingerprint
from chinese_llm_rag.testing import HashEmbeddings


class NamedEmbeddings(HashEmbeddings):
    """What `--embeddings` and `--embedding-model` choose here."""

    def __init__(self, model: str) -> None:
        super().__init__(32 if model == "小" else 64)
        self.model = model

    @property
    def setup(self) -> dict[str, str]:
        return {"embeddings": "sentence-transformers", "embedding_model": self.model}

    @property
    def fingerprint(self) -> EmbeddingFingerprint:
        plain = super().fingerprint
        return EmbeddingFingerprint(f"{plain.model} {self.model}", plain.dimension, "", "", plain.pooling)


def docx_with_header(header: str, text: str) -> bytes:
    """A Word file of one paragraph below a running header."""
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    names = f'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:r="{office}"'
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    parts = {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": f'<Relationships xmlns="{package}"><Relationship Id="r1" Type="{office}/officeDocument" '
        'Target="word/document.xml"/></Relationships>',
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{package}"><Relationship Id="h1" '
        f'Type="{office}/header" Target="header1.xml"/></Relationships>',
        "word/document.xml": f"<w:document {names}><w:body><w:p><w:r><w:t>{text}</w:t></w:r></w:p><w:sectPr>"
        '<w:headerReference w:type="default" r:id="h1"/></w:sectPr></w:body></w:document>',
        "word/header1.xml": f"<w:hdr {names}><w:p><w:r><w:t>{header}</w:t></w:r></w:p></w:hdr>",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, content in parts.items():
            packed.writestr(name, content)
    return out.getvalue()


@pytest.fixture
def folder(tmp_path: Path, clrag) -> Path:
    documents = tmp_path / "文档"
    documents.mkdir()
    (documents / "茶.md").write_text("# 龙井茶\n\n冲泡龙井茶的水温以八十五度为宜。", encoding="utf-8")
    (documents / "江.txt").write_text("长江发源于唐古拉山脉。" * 30, encoding="utf-8")
    assert clrag("ingest", str(documents))[0] == 0
    return documents


def test_missing_files_are_told_and_prune_removes_them(clrag, folder):
    (folder / "江.txt").unlink()
    _, out, err = clrag("ingest", str(folder))
    assert out == "0 added (0 chunks), 1 skipped, 0 failed\n"
    assert "--prune" in err
    assert str(folder / "江.txt") in err
    _, out, _ = clrag("ingest", str(folder), "--prune")
    assert out == "0 added (0 chunks), 1 skipped, 1 removed, 0 failed\n"
    assert "江.txt" not in clrag("list")[1]


def test_a_moved_file_is_told_by_both_names(clrag, folder):
    (folder / "江.txt").rename(folder / "大江.txt")
    _, out, err = clrag("ingest", str(folder))
    assert out == "0 added (0 chunks), 1 skipped, 1 moved, 0 failed\n"
    assert f"{folder / '江.txt'} -> {folder / '大江.txt'}" in err


def test_reread_reads_unchanged_files_again(clrag, folder):
    assert clrag("ingest", str(folder), "--reread")[1].startswith("0 added, 2 updated (")


def test_a_named_encoding_is_used_and_a_wrong_one_is_refused(clrag, folder):
    (folder / "短.txt").write_bytes("简体".encode("gb18030"))
    assert clrag("ingest", str(folder), "--encoding", "没有这种编码")[0] == 1
    assert clrag("ingest", str(folder / "短.txt"), "--encoding", "gb18030")[0] == 0


def test_search_names_the_headings_above_a_passage(clrag, folder):
    assert clrag("search", "水温")[1].splitlines()[0].count("· 龙井茶  ") == 1


def test_search_finds_a_running_header_that_is_in_no_passage(clrag, folder):
    (folder / "办法.docx").write_bytes(docx_with_header("编号 京财〔2023〕17 号", "本办法自发布之日起施行。"))
    clrag("ingest", str(folder))
    _, out, err = clrag("search", "京财〔2023〕17号")
    assert "京财" not in out
    assert f"in the running header or footer of {folder / '办法.docx'}, pages 1-1: 编号 京财〔2023〕17 号" in err


def test_verify_finds_damage_and_repair_mends_it(clrag, folder):
    assert clrag("kb", "verify")[:2] == (0, "everything is in order\n")
    [manifest] = folder.parent.rglob("manifest.sqlite3")
    with sqlite3.connect(manifest) as connection:
        connection.execute("UPDATE chunks SET text = '黄河' WHERE text LIKE '长江%'")
    connection.close()
    status, out, err = clrag("kb", "verify")
    assert (status, "江.txt" in out, "clrag kb repair" in err) == (1, True, True)
    status, out, err = clrag("kb", "repair")
    assert (status, out.endswith("mended\n")) == (0, True)
    assert f"ingest again: {folder / '江.txt'}" in err
    assert clrag("ingest", str(folder))[1].startswith("1 added")
    assert clrag("kb", "verify", "--json")[:2] == (0, "[]\n")


def test_compact_tells_what_was_won(clrag, folder):
    assert "bytes_won" in json.loads(clrag("kb", "compact", "--json")[1])
    assert clrag("search", "水温")[0] == 0


def test_reindex_changes_the_model_and_every_later_command_uses_it_unasked(clrag, folder, monkeypatch):
    def build(settings, setup=None):
        named = settings.embedding_model or (setup or {}).get("embedding_model")
        return NamedEmbeddings(named) if named else HashEmbeddings()

    monkeypatch.setattr(wiring, "build_embeddings", build)
    assert clrag("kb", "reindex", "--embedding-model", "小")[1] == "the new index is in force\n"
    assert json.loads(clrag("status", "--json")[1])["embedding"]["dimension"] == 32
    assert clrag("search", "水温")[0] == 0
    assert clrag("ingest", str(folder))[0] == 0
    assert clrag("kb", "reindex", "--embedding-model", "小")[1] == "the base is built so already\n"
    status, _, err = clrag("ingest", str(folder), "--embedding-model", "大")
    assert (status, "another embedding model" in err, "kb reindex" in err) == (1, True, True)


def test_reindex_changes_the_splitter(clrag, folder):
    assert clrag("kb", "reindex", "--chunk-size", "50")[1] == "the new index is in force\n"
    assert json.loads(clrag("status", "--json")[1])["splitter"]["chunk_size"] == 50
    assert clrag("ingest", str(folder))[0] == 0
    status, _, err = clrag("ingest", str(folder), "--chunk-size", "60")
    assert (status, "another splitter" in err, "kb reindex" in err) == (1, True, True)


def test_reindex_without_saying_what_is_wrong_usage(clrag, folder):
    status, _, err = clrag("kb", "reindex")
    assert status == 2
    assert "--splitter" in err
