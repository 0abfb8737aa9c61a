"""The knowledge base on a real disk, with real Chroma and real tantivy."""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from chinese_llm_rag.errors import ConfigError, DocumentError, KnowledgeBaseBusyError, KnowledgeBaseError
from chinese_llm_rag.knowledge_base import KnowledgeBase
from chinese_llm_rag.knowledge_base.lock import writer_lock
from chinese_llm_rag.retrievers.word_index import TERMS_VERSION
from chinese_llm_rag.testing import HashEmbeddings
from chinese_llm_rag.text_splitters import ChineseTextSplitter

RIVER = "长江发源于唐古拉山脉，全长约6300公里。长江流经十一个省级行政区，最后注入东海。"
TEA = "龙井茶产于杭州西湖一带，属于绿茶。冲泡龙井茶的水温以八十度左右为宜。"
PAPER = "造纸术在东汉时期得到改进。改进后的纸张便宜而且轻便。"


class CountingEmbeddings(HashEmbeddings):
    """Real vectors, and a count of the texts they were made for."""

    def __init__(self) -> None:
        super().__init__()
        self.embedded: list[str] = []

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.embedded.extend(texts)
        return super().embed_documents(texts)


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    for name, text in {"长江.txt": RIVER, "茶.md": TEA, "纸.txt": PAPER}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def embeddings() -> CountingEmbeddings:
    return CountingEmbeddings()


@pytest.fixture
def base(home: Path, embeddings: CountingEmbeddings):
    with KnowledgeBase.open(home / "kb", embeddings, ChineseTextSplitter(30)) as opened:
        yield opened


def sizes(base: KnowledgeBase) -> tuple[int, int, int]:
    """Chunks in manifest, vectors, words."""
    return len(base.chunk_ids()), len(base._derived.vectors), len(base._derived.words)


def test_a_folder_goes_in_and_each_retriever_finds_the_passage_with_its_place(base, documents):
    report = base.ingest([documents])
    assert [outcome.outcome for outcome in report.outcomes] == ["added"] * 3
    assert len(set(sizes(base))) == 1
    for mode in ("bm25", "dense", "hybrid"):
        best = base.retriever(2, mode=mode).invoke("冲泡龙井茶的水温")[0]
        assert best.metadata["source"] == str(documents / "茶.md")
        assert TEA[best.metadata["start"] : best.metadata["end"]] == best.page_content
        assert best.metadata["page_start"] == best.metadata["page_end"] == 1


def test_chromas_own_retriever_works_on_the_same_vectors(base, documents):
    base.ingest([documents])
    found = base.vector_store().as_retriever(search_kwargs={"k": 1}).invoke(PAPER)
    assert found[0].page_content in PAPER


def test_what_was_ingested_is_there_after_reopening(base, documents, home):
    base.ingest([documents])
    before = base.chunk_ids()
    base.close()
    with KnowledgeBase.open(home / "kb", HashEmbeddings(), ChineseTextSplitter(30)) as reopened:
        assert reopened.chunk_ids() == before
        assert reopened.retriever(1).invoke("长江注入哪里")[0].metadata["source"].endswith("长江.txt")


def test_an_unchanged_file_is_skipped_without_embedding(base, documents, embeddings):
    base.ingest([documents])
    embeddings.embedded.clear()
    report = base.ingest([documents])
    assert {outcome.outcome for outcome in report.outcomes} == {"unchanged"}
    assert embeddings.embedded == []


def test_a_touched_file_with_the_same_content_is_unchanged(base, documents):
    base.ingest([documents])
    os.utime(documents / "茶.md", (1, 1))
    assert {outcome.outcome for outcome in base.ingest([documents]).outcomes} == {"unchanged"}


def test_a_changed_file_replaces_itself_and_embeds_only_its_new_chunks(base, documents, embeddings):
    base.ingest([documents])
    embeddings.embedded.clear()
    (documents / "茶.md").write_text(TEA.replace("八十度", "七十度"), encoding="utf-8")
    report = base.ingest([documents])
    assert [outcome.outcome for outcome in report.outcomes if outcome.outcome != "unchanged"] == ["updated"]
    assert embeddings.embedded == ["冲泡龙井茶的水温以七十度左右为宜。"]
    texts = {document.page_content for document in base.chunks(base.chunk_ids()).values()}
    assert "冲泡龙井茶的水温以八十度左右为宜。" not in texts
    assert len(set(sizes(base))) == 1


def test_a_second_name_for_the_same_content_is_reported_and_costs_nothing(base, documents, embeddings):
    base.ingest([documents])
    embeddings.embedded.clear()
    shutil.copy(documents / "茶.md", documents / "茶-副本.md")
    report = base.ingest([documents])
    [twin] = report.of("duplicate")
    assert twin.detail == str(documents / "茶.md")
    assert embeddings.embedded == []
    base.remove([documents / "茶.md"])
    assert base.retriever(1).invoke("龙井茶")[0].metadata["source"] == str(documents / "茶-副本.md")


def test_two_new_files_with_the_same_content_in_one_run_are_one_document(base, documents):
    shutil.copy(documents / "茶.md", documents / "茶-副本.md")
    report = base.ingest([documents])
    assert len(report.of("duplicate")) == 1
    assert len({record.content_hash for record in base.files()}) == 3


def test_a_removed_file_is_gone_from_all_three_parts(base, documents):
    base.ingest([documents])
    n_before = sizes(base)[0]
    assert base.remove([documents / "茶.md"]) == [str(documents / "茶.md")]
    assert len(set(sizes(base))) == 1
    assert sizes(base)[0] < n_before
    for mode in ("bm25", "dense", "hybrid"):
        assert all("茶" not in found.page_content for found in base.retriever(10, mode=mode).invoke("龙井茶"))


def test_removing_a_folder_removes_its_files(base, documents):
    base.ingest([documents])
    assert len(base.remove([documents])) == 3
    assert sizes(base) == (0, 0, 0)
    assert base.retriever(3).invoke("长江") == []


def test_removing_an_unknown_name_changes_nothing(base, documents):
    base.ingest([documents])
    before = base.chunk_ids()
    with pytest.raises(KnowledgeBaseError, match="not in the knowledge base"):
        base.remove([documents / "茶.md", documents / "无.txt"])
    assert base.chunk_ids() == before


def test_a_bad_file_is_listed_with_its_reason_and_the_others_go_in(base, documents):
    (documents / "坏.txt").write_bytes("中文".encode() + b"\xff")
    (documents / "空.txt").write_bytes(b"")
    report = base.ingest([documents])
    assert len(report.of("added")) == 3
    assert {Path(outcome.path).name for outcome in report.of("failed")} == {"坏.txt", "空.txt"}
    failed = [record for record in base.files() if record.status == "failed"]
    assert all(record.problems for record in failed)
    assert len(failed) == 2


def test_a_file_that_became_unreadable_keeps_its_former_content(base, documents):
    base.ingest([documents])
    (documents / "茶.md").write_bytes(b"\xff\xfe\x00")
    report = base.ingest([documents])
    assert len(report.of("failed")) == 1
    assert base.retriever(1).invoke("龙井茶")[0].metadata["source"] == str(documents / "茶.md")
    record = next(record for record in base.files() if record.path.endswith("茶.md"))
    assert "former content is kept" in record.problems[0]


def test_a_failed_file_that_was_mended_goes_in(base, documents):
    (documents / "坏.txt").write_bytes(b"\xff\xff")
    base.ingest([documents])
    (documents / "坏.txt").write_text("修好了的文件。", encoding="utf-8")
    assert len(base.ingest([documents]).of("added")) == 1
    assert all(record.status == "indexed" for record in base.files())


@pytest.mark.parametrize(
    ("name", "message"), [("没有", "does not exist"), ("空文件夹", "no documents"), ("a.exe", "unknown type")]
)
def test_a_path_that_cannot_be_meant_is_refused_before_anything_goes_in(base, documents, name, message):
    (documents.parent / "空文件夹").mkdir()
    (documents.parent / "a.exe").write_bytes(b"x")
    with pytest.raises(DocumentError, match=message):
        base.ingest([documents, documents.parent / name])
    assert base.files() == []


def test_another_embedding_model_is_refused_with_both_named(base, documents, home):
    base.ingest([documents])
    with pytest.raises(KnowledgeBaseError, match="another embedding model") as caught:
        KnowledgeBase.open(home / "kb", HashEmbeddings(dimension=32))
    assert "64" in str(caught.value)
    assert "32" in str(caught.value)
    assert caught.value.hint


def test_another_splitter_is_refused_for_writing_only(base, documents, home):
    base.ingest([documents])
    with KnowledgeBase.open(home / "kb", HashEmbeddings(), ChineseTextSplitter(200)) as other:
        assert other.retriever(1).invoke("长江")
        with pytest.raises(KnowledgeBaseError, match="another splitter"):
            other.ingest([documents])


def test_a_second_writer_is_told_who_holds_the_base(base, documents, home):
    with writer_lock(home / "kb"), pytest.raises(KnowledgeBaseBusyError, match=str(os.getpid())):
        base.ingest([documents])
    assert base.ingest([documents]).of("added")


def test_readers_go_on_while_another_process_holds_the_writer_lock(base, documents, home):
    base.ingest([documents])
    code = (
        "import sys; from pathlib import Path; from chinese_llm_rag.knowledge_base.lock import writer_lock\n"
        "with writer_lock(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(home / "kb")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "held\n"
        with KnowledgeBase.open(home / "kb", HashEmbeddings()) as reader:
            assert reader.retriever(1).invoke("长江")
            with pytest.raises(KnowledgeBaseBusyError, match=str(holder.pid)):
                reader.remove([documents])
    finally:
        holder.communicate("")


@pytest.mark.parametrize("mode", ["bm25", "dense", "hybrid"])
def test_a_retriever_finds_what_another_process_takes_in_and_no_longer_what_it_removes(base, documents, home, mode):
    base.ingest([documents])
    retriever = base.retriever(1, mode=mode)
    assert retriever.invoke("龙井茶的水温")[0].page_content in TEA
    desert = "塔克拉玛干沙漠位于塔里木盆地，是中国最大的沙漠。"
    (documents / "沙漠.txt").write_text(desert, encoding="utf-8")
    (documents / "茶.md").unlink()
    code = (
        "import sys; from pathlib import Path; from chinese_llm_rag.knowledge_base import KnowledgeBase\n"
        "from chinese_llm_rag.testing import HashEmbeddings\n"
        "with KnowledgeBase.open(Path(sys.argv[1]), HashEmbeddings()) as base: base.ingest([sys.argv[2]], prune=True)"
    )
    subprocess.run([sys.executable, "-c", code, str(home / "kb"), str(documents)], check=True)
    assert retriever.invoke("塔里木盆地的沙漠")[0].page_content in desert
    assert all(found.page_content not in TEA for found in retriever.invoke("龙井茶的水温"))


@pytest.mark.parametrize("part", ["chroma", f"words-{TERMS_VERSION}"])
def test_an_index_that_was_thrown_away_is_rebuilt_without_embedding(base, documents, home, embeddings, part):
    base.ingest([documents])
    n = sizes(base)[0]
    base.close()
    shutil.rmtree(home / "kb" / part)
    embeddings.embedded.clear()
    with KnowledgeBase.open(home / "kb", embeddings, ChineseTextSplitter(30)) as reopened:
        for mode in ("bm25", "dense"):
            assert reopened.retriever(1, mode=mode).invoke("冲泡龙井茶的水温")[0].page_content in TEA
        assert sizes(reopened) == (n, n, n)
    assert embeddings.embedded == []


def test_an_index_of_the_terms_of_another_version_is_built_anew_without_embedding(base, documents, home, embeddings):
    base.ingest([documents])
    n = sizes(base)[0]
    base.close()
    (home / "kb" / f"words-{TERMS_VERSION}").rename(home / "kb" / f"words-{TERMS_VERSION - 1}")
    embeddings.embedded.clear()
    with KnowledgeBase.open(home / "kb", embeddings, ChineseTextSplitter(30)) as reopened:
        assert "唐古拉" in reopened.retriever(1, mode="bm25").invoke("長江發源於哪裡")[0].page_content
        assert sizes(reopened) == (n, n, n)
    assert embeddings.embedded == []


def test_a_base_of_a_newer_format_is_refused_by_name(base, home):
    base.close()
    with sqlite3.connect(home / "kb" / "manifest.sqlite3") as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'format_version'")
    connection.close()
    with pytest.raises(KnowledgeBaseError, match="format 99"):
        KnowledgeBase.open(home / "kb")


def test_a_damaged_manifest_is_an_error_of_ours(home):
    (home / "kb").mkdir(parents=True)
    (home / "kb" / "manifest.sqlite3").write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(KnowledgeBaseError, match="not a database"):
        KnowledgeBase.open(home / "kb")


def test_a_missing_base_is_not_made_by_a_reader(home):
    with pytest.raises(KnowledgeBaseError, match="no knowledge base"):
        KnowledgeBase.open(home / "kb", create=False)
    assert not home.exists()


def test_searching_without_an_embedding_model_is_a_config_error(base, documents, home):
    base.ingest([documents])
    with KnowledgeBase.open(home / "kb") as plain, pytest.raises(ConfigError, match="embedding"):
        plain.retriever(1).invoke("长江")


def test_progress_reaches_the_end_and_never_goes_back(base, documents):
    seen = []
    base.ingest([documents], on_progress=seen.append)
    assert [at.done_bytes for at in seen] == sorted(at.done_bytes for at in seen)
    assert seen[-1].done_bytes == seen[-1].total_bytes
    assert seen[-1].n_files_done == seen[-1].n_files == 3
    assert seen[-1].n_chunks == len(base.chunk_ids())


def test_an_interruption_leaves_whole_files_only(base, documents, embeddings, monkeypatch):
    monkeypatch.setattr("chinese_llm_rag.knowledge_base.ingest._GROUP", 1)

    def interrupt(at):
        if at.n_files_done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        base.ingest([documents], on_progress=interrupt)
    assert len(set(sizes(base))) == 1
    base.ingest([documents])
    assert len(embeddings.embedded) == len(set(embeddings.embedded)), "a text was embedded twice"
    assert len(base.files()) == 3


def test_finished_files_do_not_wait_for_a_large_one(base, documents, embeddings):
    (documents / "巨.txt").write_text(
        "".join(f"这是一个很长的文件的第{n}个句子。" for n in range(600)), encoding="utf-8"
    )
    (documents / "茶.md").rename(documents / "0茶.md")
    visible = []

    def look(at):
        if at.path.endswith("巨.txt") and at.n_chunks > 10:
            visible.append({Path(record.path).name for record in base.files()})

    base.ingest([documents], on_progress=look)
    assert {"0茶.md"} <= visible[0]
    assert "巨.txt" not in visible[0]


def test_a_single_path_and_a_path_with_dots_are_understood(base, documents):
    base.ingest(str(documents / "茶.md"))
    assert base.remove(documents / ".." / "documents" / "茶.md") == [str(documents / "茶.md")]


def test_a_copy_is_cited_under_the_name_that_came_first(base, documents):
    base.ingest(documents)
    shutil.copy(documents / "茶.md", documents / "0茶.md")
    base.ingest(documents)
    assert base.retriever(1).invoke("龙井茶")[0].metadata["source"] == str(documents / "茶.md")


def test_a_folder_that_cannot_be_read_is_a_failure_and_the_rest_goes_in(base, documents, monkeypatch):
    (documents / "锁").mkdir()
    real = os.scandir

    def scandir(path):
        if str(path).endswith("锁"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    report = base.ingest(documents)
    assert len(report.of("added")) == 3
    [failed] = report.of("failed")
    assert failed.path == str(documents / "锁")
    assert "Permission denied" in failed.detail


def test_the_folder_of_the_base_is_private(base, home):
    assert (home / "kb").stat().st_mode & 0o077 == 0
