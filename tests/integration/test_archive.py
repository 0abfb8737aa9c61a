"""A base carried to another machine in one file: the same answers there, or a clear refusal and nothing changed."""

import json
import shutil
import sqlite3
import zipfile
from pathlib import Path

import numpy as np
import pytest

from chinese_llm_rag.errors import KnowledgeBaseBusyError, KnowledgeBaseError
from chinese_llm_rag.knowledge_base import CarriedModel, KnowledgeBase, export_base, import_base
from chinese_llm_rag.knowledge_base.archive.contents import INDEX, MANIFEST, is_member_name, repeated
from chinese_llm_rag.testing import HashEmbeddings
from chinese_llm_rag.text_splitters import ChineseTextSplitter

TEXTS = {
    "茶.md": "# 龙井茶\n\n龙井茶产于杭州西湖一带。冲泡龙井茶的水温以八十五度为宜。\n",
    "江.txt": "长江发源于唐古拉山脉，全长约六千三百公里。长江流域有许多古城。\n" * 20,
    "书/史.txt": "《史记》由司马迁撰写，共一百三十篇。它是第一部纪传体通史。\n",
}
QUESTIONS = ("泡茶用多热的水", "长江有多长", "史记是谁写的")


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "文档"
    for name, text in TEXTS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def base(home: Path, documents) -> Path:
    folder = home / "kb" / "资料"
    with KnowledgeBase.open(folder, HashEmbeddings(), ChineseTextSplitter(60)) as opened:
        opened.ingest([documents])
    return folder


@pytest.fixture
def archive(base, tmp_path: Path) -> Path:
    path = tmp_path / "资料.clrag"
    export_base(base, path, sources=True)
    return path


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    return tmp_path / "another"


def brought(archive: Path, elsewhere: Path, name: str = "资料"):
    return import_base(archive, elsewhere / "kb" / name, models_folder=elsewhere / "models")


def answers(folder: Path) -> list[list[tuple]]:
    with KnowledgeBase.open(folder, HashEmbeddings()) as opened:
        return [
            [(found.id, found.page_content, found.metadata["score"]) for found in opened.retriever(5).invoke(question)]
            for question in QUESTIONS
        ]


def rewritten(archive: Path, change) -> Path:
    """The archive with its members as `change` leaves them (a dict of names to bytes)."""
    with zipfile.ZipFile(archive) as whole:
        members = {name: whole.read(name) for name in whole.namelist()}
    changed = change(members) or members
    with zipfile.ZipFile(archive, "w") as whole:
        for name, content in changed.items():
            whole.writestr(name, content)
    return archive


def untouched(elsewhere: Path) -> bool:
    return not elsewhere.exists() or not any(path.is_file() for path in elsewhere.rglob("*"))


def test_the_same_questions_find_the_same_passages_elsewhere(base, archive, elsewhere, documents):
    before = answers(base)
    shutil.rmtree(base)
    shutil.rmtree(documents)
    report = brought(archive, elsewhere)
    folder = elsewhere / "kb" / "资料"
    assert (report.n_files, report.n_sources) == (3, 3)
    assert [[found[:2] for found in each] for each in answers(folder)] == [[f[:2] for f in each] for each in before]
    scores = [[f[2] for each in side for f in each] for side in (before, answers(folder))]
    assert np.allclose(*scores, atol=1e-6)
    with KnowledgeBase.open(folder, HashEmbeddings()) as opened:
        assert opened.verify() == []
        assert opened.status().clean


def test_the_source_files_are_had_where_the_originals_are_gone(base, archive, elsewhere, documents):
    brought(archive, elsewhere)
    name = str(documents / "江.txt")
    with KnowledgeBase.open(elsewhere / "kb/资料", HashEmbeddings()) as opened:
        assert opened.source_file(name) == documents / "江.txt"
        shutil.rmtree(documents)
        copy = opened.source_file(name)
        assert copy.read_text(encoding="utf-8") == TEXTS["江.txt"]
        opened.remove([name])
        assert not copy.exists()
        assert opened.source_file(name) is None


def test_a_source_that_has_changed_is_not_passed_off_as_what_was_read(base, documents, tmp_path):
    (documents / "江.txt").write_text("另一份内容", encoding="utf-8")
    (documents / "书/史.txt").unlink()
    report = export_base(base, tmp_path / "a.clrag", sources=True)
    assert {Path(missing.file).name: missing.reason for missing in report.missing_sources} == {
        "江.txt": "changed",
        "史.txt": "gone",
    }
    assert report.n_sources == 1


def test_equal_bases_give_equal_archives(base, tmp_path):
    for name in ("a", "b"):
        export_base(base, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_models_travel_along_and_the_base_finds_its_embedding_model_there(base, tmp_path, elsewhere):
    model = tmp_path / "bge"
    model.mkdir()
    (model / "weights.bin").write_bytes(b"1234" * 1000)
    with sqlite3.connect(base / MANIFEST) as manifest:
        setup = json.dumps({"embeddings": "sentence-transformers", "embedding_model": str(model)})
        manifest.execute("UPDATE meta SET value = ? WHERE key = 'embedding_setup'", (setup,))
    manifest.close()
    carried = CarriedModel("embedding_model", "bge", ("bge/weights.bin",)), {"bge/weights.bin": model / "weights.bin"}
    export_base(base, tmp_path / "a.clrag", models=[carried])
    report = brought(tmp_path / "a.clrag", elsewhere)
    placed = elsewhere / "models" / "bge"
    assert report.settings == {"embedding_model": str(placed)}
    assert (placed / "weights.bin").read_bytes() == b"1234" * 1000
    with KnowledgeBase.open(elsewhere / "kb/资料") as opened:
        assert opened.embedding_setup == {"embeddings": "sentence-transformers", "embedding_model": str(placed)}
    assert brought(tmp_path / "a.clrag", elsewhere, "又一个").n_files == 3  # the model that is there is the same
    (placed / "weights.bin").write_bytes(b"another")
    with pytest.raises(KnowledgeBaseError, match="is not the file in the archive"):
        brought(tmp_path / "a.clrag", elsewhere, "第三个")
    assert not (elsewhere / "kb/第三个").exists()


def test_an_existing_base_is_not_overwritten(archive, elsewhere):
    brought(archive, elsewhere)
    with pytest.raises(KnowledgeBaseError, match="already") as refused:
        brought(archive, elsewhere)
    assert "--kb" in refused.value.hint


def test_an_existing_file_is_overwritten_only_when_asked_for(base, archive):
    with pytest.raises(KnowledgeBaseError, match="exists"):
        export_base(base, archive)
    before = archive.stat().st_size
    export_base(base, archive, overwrite=True)
    assert archive.stat().st_size < before  # without sources this time


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_an_archive_that_is_cut_short_is_refused(archive, elsewhere, share):
    archive.write_bytes(archive.read_bytes()[: int(archive.stat().st_size * share)])
    with pytest.raises(KnowledgeBaseError, match="damaged"):
        brought(archive, elsewhere)
    assert untouched(elsewhere)


def test_one_flipped_byte_anywhere_is_found(archive, elsewhere, tmp_path):
    whole = archive.read_bytes()
    for position in range(50, len(whole), len(whole) // 12):
        damaged = tmp_path / "damaged.clrag"
        damaged.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        try:
            brought(damaged, elsewhere)
        except KnowledgeBaseError:
            assert untouched(elsewhere)
        else:  # a byte that says nothing, as in a ZIP header's times
            assert answers(elsewhere / "kb/资料") == answers(brought_from(archive, tmp_path))
            shutil.rmtree(elsewhere)


def brought_from(archive: Path, tmp_path: Path) -> Path:
    place = tmp_path / "reference"
    if not place.exists():
        brought(archive, place)
    return place / "kb/资料"


def test_a_file_that_is_no_archive_is_refused(elsewhere, tmp_path):
    (tmp_path / "text").write_text("不是归档", encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr("a.txt", "x")
    for name in ("text", "other.zip"):
        with pytest.raises(KnowledgeBaseError, match="is not an archive"):
            brought(tmp_path / name, elsewhere)
    with pytest.raises(KnowledgeBaseError, match="cannot read"):
        brought(tmp_path / "missing", elsewhere)
    assert untouched(elsewhere)


def test_an_archive_of_a_newer_format_is_refused_by_name(archive, elsewhere):
    def newer(members):
        members[INDEX] = members[INDEX].replace(b'"version": 1', b'"version": 9')

    with pytest.raises(KnowledgeBaseError, match="has format 9"):
        brought(rewritten(archive, newer), elsewhere)


def test_a_manifest_of_a_newer_format_is_refused_by_name(base, tmp_path, elsewhere):
    export_base(base, tmp_path / "a.clrag")

    def newer(members):
        file = tmp_path / "m"
        file.write_bytes(members[MANIFEST])
        with sqlite3.connect(file) as manifest:
            manifest.execute("UPDATE meta SET value = '7' WHERE key = 'format_version'")
        manifest.close()
        import hashlib

        index = json.loads(members[INDEX])
        index["members"][0] |= {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
        return {MANIFEST: file.read_bytes(), INDEX: json.dumps(index).encode()}

    with pytest.raises(KnowledgeBaseError, match="format 7"):
        brought(rewritten(tmp_path / "a.clrag", newer), elsewhere)
    assert untouched(elsewhere)


@pytest.mark.parametrize(
    "name", ["../../escaped", "/etc/escaped", "models/../escaped", "models/a/../../b", "sources/../x", "models/con.txt"]
)
def test_a_member_that_leads_out_of_its_folder_is_refused(archive, elsewhere, name):
    def added(members):
        members[name] = b"x"

    with pytest.raises(KnowledgeBaseError, match="no export writes"):
        brought(rewritten(archive, added), elsewhere)
    assert untouched(elsewhere)
    assert not is_member_name(name)


def test_a_link_in_an_archive_is_refused(archive, elsewhere):
    with zipfile.ZipFile(archive, "a") as whole:
        link = zipfile.ZipInfo("models/link")
        link.external_attr = 0o120777 << 16
        whole.writestr(link, "/etc/passwd")
    with pytest.raises(KnowledgeBaseError, match="no export writes"):
        brought(archive, elsewhere)


def test_names_that_some_system_takes_for_one_are_refused():
    assert repeated(["models/A", "models/a"]) == "models/a"
    assert repeated(["models/a", "models/a/b"]) == "models/a/b"
    assert repeated(["models/a", "models/b"]) is None


def test_two_imports_into_one_place_do_not_meet(archive, elsewhere):
    from chinese_llm_rag.knowledge_base.workplace import workplace

    with (
        workplace(elsewhere / "kb" / ".资料.import"),
        pytest.raises(KnowledgeBaseBusyError, match="another process is at work"),
    ):
        brought(archive, elsewhere)


def test_what_a_killed_import_left_is_cleared_by_the_next(archive, elsewhere):
    left = elsewhere / "kb" / ".资料.import" / "base"
    left.mkdir(parents=True)
    (left / MANIFEST).write_bytes(b"half")
    assert brought(archive, elsewhere).n_files == 3
    assert not left.parent.exists()
