"""The life of a base: what moves, goes, is read again; another model or splitter; checks and mending."""

import json
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from chinese_llm_rag.errors import DocumentError, KnowledgeBaseError
from chinese_llm_rag.knowledge_base import KnowledgeBase
from chinese_llm_rag.knowledge_base.generations import Generations
from chinese_llm_rag.retrievers.word_index import IndexedText
from chinese_llm_rag.testing import HashEmbeddings
from chinese_llm_rag.text_splitters import ChineseTextSplitter

TEXTS = {
    "茶.md": "# 龙井茶\n\n龙井茶产于杭州西湖一带。冲泡龙井茶的水温以八十五度为宜。\n",
    "江.txt": "长江发源于唐古拉山脉，全长约六千三百公里。长江流域有许多古城。\n",
    "书/史.txt": "《史记》由司马迁撰写，共一百三十篇。它是第一部纪传体通史。\n",
}


class CountingEmbeddings(HashEmbeddings):
    """Hashed vectors, and the texts that were embedded."""

    def __init__(self, dimension: int = 64) -> None:
        super().__init__(dimension)
        self.embedded: list[str] = []

    def embed_documents(self, texts):
        self.embedded.extend(texts)
        return super().embed_documents(texts)


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "文档"
    for name, text in TEXTS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def embeddings() -> CountingEmbeddings:
    return CountingEmbeddings()


@pytest.fixture
def base(home: Path, documents, embeddings):
    with KnowledgeBase.open(home / "kb", embeddings, ChineseTextSplitter(30)) as opened:
        opened.ingest([documents])
        embeddings.embedded.clear()
        yield opened


def names(base: KnowledgeBase) -> set[str]:
    return {Path(record.path).name for record in base.files()}


def in_order(base: KnowledgeBase) -> bool:
    parts = base._manifest.chunk_ids(), base._derived.vectors.ids(), base._derived.words.ids()
    return base.verify() == [] and parts[0] == parts[1] == parts[2]


def outcome(report, kind: str) -> dict[str, str | None]:
    return {Path(o.path).name: o.detail for o in report.of(kind)}


def test_a_moved_file_keeps_its_chunks_and_embeds_nothing(base, documents, embeddings):
    before = base.chunk_ids()
    (documents / "江.txt").rename(documents / "书/大江.txt")
    report = base.ingest([documents])
    assert outcome(report, "moved") == {"大江.txt": str(documents / "江.txt")}
    assert (names(base), base.chunk_ids(), embeddings.embedded) == ({"茶.md", "大江.txt", "史.txt"}, before, [])
    assert base.retriever(1).invoke("长江发源")[0].metadata["source"] == str(documents / "书/大江.txt")


def test_a_moved_folder_moves_its_files(base, documents):
    (documents / "书").rename(documents / "史书")
    report = base.ingest([documents])
    assert outcome(report, "moved") == {"史.txt": str(documents / "书/史.txt")}
    assert not report.of("missing")


def test_a_copy_whose_original_is_still_there_is_a_duplicate_and_no_move(base, documents):
    shutil.copy(documents / "江.txt", documents / "江2.txt")
    report = base.ingest([documents])
    assert outcome(report, "duplicate") == {"江2.txt": str(documents / "江.txt")}
    assert names(base) == {"茶.md", "江.txt", "江2.txt", "史.txt"}


def test_of_two_new_names_of_one_that_is_gone_one_is_moved_and_one_a_copy(base, documents):
    shutil.copy(documents / "江.txt", documents / "甲.txt")
    (documents / "江.txt").rename(documents / "乙.txt")
    report = base.ingest([documents])
    assert len(report.of("moved")) == len(report.of("duplicate")) == 1
    assert names(base) == {"茶.md", "甲.txt", "乙.txt", "史.txt"}


def test_a_missing_file_is_reported_and_stays_until_it_is_pruned(base, documents):
    (documents / "江.txt").unlink()
    assert outcome(base.ingest([documents]), "missing") == {"江.txt": None}
    assert "江.txt" in names(base)
    assert outcome(base.ingest([documents], prune=True), "removed") == {"江.txt": None}
    assert names(base) == {"茶.md", "史.txt"}
    assert all("长江" not in found.page_content for found in base.retriever(9).invoke("长江"))
    assert in_order(base)


def test_pruning_one_folder_leaves_what_lies_elsewhere(base, documents, tmp_path):
    elsewhere = tmp_path / "别处.txt"
    elsewhere.write_text("别处的文字与此无关。", encoding="utf-8")
    base.ingest([elsewhere])
    elsewhere.unlink()
    base.ingest([documents], prune=True)
    assert "别处.txt" in names(base)


def test_an_emptied_folder_prunes_nothing(base, documents):
    for name in TEXTS:
        (documents / name).unlink()
    with pytest.raises(DocumentError, match="holds no documents") as caught:
        base.ingest([documents], prune=True)
    assert "clrag remove" in caught.value.hint
    assert len(base.files()) == 3


def test_reading_again_replaces_a_document_and_its_chunks(base, documents, embeddings):
    with KnowledgeBase.open(base.folder, embeddings) as other:
        report = other.ingest([documents], reread=True)
    assert len(report.of("updated")) == 3
    assert embeddings.embedded == []
    assert in_order(base)


def test_headings_places_and_furniture_are_kept_and_found(base, documents):
    found = base.retriever(3).invoke("冲泡龙井茶的水温")[0]
    assert found.metadata["headings"] == ["龙井茶"]
    assert base.pages_of(found)[0].page_content.startswith("# 龙井茶")
    assert base.furniture("龙井") == []


def test_tags_replace_each_other(base, documents):
    assert base.tag([documents / "书"], ["史学", "古籍", "史学"]) == [str(documents / "书/史.txt")]
    assert {record.tags for record in base.files()} == {(), ("古籍", "史学")}
    base.tag([documents], [])
    assert {record.tags for record in base.files()} == {()}


# --- another index beside the one in force -------------------------------------------------------


def test_another_embedding_model_takes_over_in_one_step_while_a_reader_stays_with_the_old_one(base, embeddings):
    with KnowledgeBase.open(base.folder, HashEmbeddings()) as reader:
        other = CountingEmbeddings(32)
        assert base.reindex(other)
        assert len(other.embedded) == len(base.chunk_ids())
        assert base._derived.vectors.vectors(list(base.chunk_ids())).popitem()[1].shape == (32,)
        assert not reader.in_force
        assert reader.retriever(1, mode="dense").invoke("长江发源")[0].page_content.startswith("长江")
        old = reader._index.folder
        assert (old / "manifest.sqlite3").exists()
    assert base.retriever(1, mode="dense").invoke("长江发源")[0].page_content.startswith("长江")
    with base._index.holding_lock():
        Generations(base.folder).collect()
    assert not (old / "manifest.sqlite3").exists()
    with pytest.raises(KnowledgeBaseError, match="another embedding model"):
        KnowledgeBase.open(base.folder, HashEmbeddings())
    assert in_order(base)


def test_another_splitter_cuts_the_stored_pages_again_without_reading_a_file(base, documents, embeddings):
    shutil.rmtree(documents)
    before = base.chunk_ids()
    assert base.reindex(splitter=ChineseTextSplitter(60))
    assert base.chunk_ids() != before
    assert base.status().splitter["chunk_size"] == 60
    assert all(len(text) <= 60 for text in (d.page_content for d in base.chunks(base.chunk_ids()).values()))
    assert in_order(base)


def test_what_is_built_so_already_is_left_alone(base):
    folder = base._index.folder
    assert not base.reindex(HashEmbeddings(), ChineseTextSplitter(30))
    assert base._index.folder == folder


def test_an_interrupted_reindex_leaves_the_index_in_force_and_goes_on_from_what_it_had(base, monkeypatch):
    monkeypatch.setattr("chinese_llm_rag.knowledge_base.rebuild._PORTION", 1)
    other = CountingEmbeddings(32)
    n_chunks = len(base.chunk_ids())

    def interrupt(at):
        if at.n_chunks == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        base.reindex(other, on_progress=interrupt)
    assert base.retriever(1, mode="dense").invoke("长江发源")[0].page_content.startswith("长江")
    assert base.status().embedding["dimension"] == 64
    assert base.reindex(other)
    assert len(other.embedded) == n_chunks, "the second run embedded again what the first had"
    assert in_order(base)


def test_a_change_between_two_attempts_is_in_the_new_index(base, documents, monkeypatch):
    monkeypatch.setattr("chinese_llm_rag.knowledge_base.rebuild._PORTION", 1)

    def interrupt(at):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        base.reindex(CountingEmbeddings(32), on_progress=interrupt)
    (documents / "新.txt").write_text("黄河流经九个省区。", encoding="utf-8")
    base.ingest([documents])
    base.remove([documents / "江.txt"])
    base.reindex(CountingEmbeddings(32))
    assert names(base) == {"茶.md", "史.txt", "新.txt"}
    assert base.retriever(1, mode="dense").invoke("黄河流经")[0].page_content.startswith("黄河")
    assert in_order(base)


def test_going_back_to_the_first_model_while_its_old_index_is_still_read_builds_another(base):
    with KnowledgeBase.open(base.folder, HashEmbeddings()) as reader:
        base.reindex(HashEmbeddings(32))
        base.reindex(HashEmbeddings())
        assert reader._index.folder != base._index.folder
        assert reader.retriever(1, mode="dense").invoke("长江发源")[0].page_content.startswith("长江")
        assert in_order(base)


def test_a_replaced_index_is_not_written_to(base, documents):
    with KnowledgeBase.open(base.folder, HashEmbeddings(), ChineseTextSplitter(30)) as other:
        base.compact()
        with pytest.raises(KnowledgeBaseError, match="replaced"):
            other.remove([documents / "江.txt"])


def test_compacting_gives_space_back_and_changes_nothing(base, documents):
    ids = base.chunk_ids()
    many = documents / "多.txt"
    many.write_text("".join(f"第{n}条记录说明了第{n * 7}件事情的来龙去脉。" for n in range(3000)), encoding="utf-8")
    base.ingest([documents])
    many.unlink()
    base.ingest([documents], prune=True)
    size = base.status().size_bytes
    won = base.compact()
    assert won > 0.3 * size
    assert base.status().size_bytes == size - won
    assert base.chunk_ids() == ids
    assert in_order(base)


# --- checks and mending --------------------------------------------------------------------------


def spoil(base: KnowledgeBase, *statements: str) -> None:
    with sqlite3.connect(base._index.folder / "manifest.sqlite3") as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def test_a_lost_vector_comes_back_from_chroma(base, embeddings):
    spoil(base, "DELETE FROM embeddings WHERE rowid = 1")
    assert {finding.part for finding in base.verify()} == {"embedding"}
    report = base.repair()
    assert report.to_read_again == ()
    assert embeddings.embedded == []
    assert in_order(base)


def test_a_damaged_vector_that_chroma_has_not_either_sends_its_file_to_be_read_again(base, documents, embeddings):
    victim = next(iter(base.chunk_ids()))
    base._derived.vectors.delete([victim])
    source = base.chunks([victim])[victim].metadata["source"]
    spoil(base, f"DELETE FROM embeddings WHERE text_hash = (SELECT text_hash FROM chunks WHERE chunk_id = '{victim}')")
    report = base.repair()
    assert report.to_read_again == (source,)
    assert next(record for record in base.files() if record.path == source).status == "failed"
    assert in_order(base)
    assert outcome(base.ingest([documents]), "added") == {Path(source).name: None}
    assert len(base.files()) == 3
    assert in_order(base)


@pytest.mark.parametrize(
    ("statement", "part"),
    [
        ("UPDATE pages SET text = replace(text, '长江', '黄河') WHERE text LIKE '长江%'", "document"),
        ("UPDATE chunks SET text = replace(text, '长江', '黄河') WHERE text LIKE '长江%'", "chunk"),
        ("UPDATE chunks SET details = '{\"headings\": [\"别的\"]}' WHERE text LIKE '长江%'", "chunk"),
    ],
)
def test_a_text_that_contradicts_its_hash_is_found_and_its_file_read_again(base, documents, statement, part):
    spoil(base, statement)
    found = base.verify()
    assert part in {finding.part for finding in found}
    assert {finding.source for finding in found if finding.source} == {str(documents / "江.txt")}
    assert base.repair().to_read_again == (str(documents / "江.txt"),)
    base.ingest([documents])
    assert base.retriever(1).invoke("长江发源")[0].page_content.startswith("长江")
    assert in_order(base)


def test_a_vector_that_differs_from_the_manifests_is_put_back(base):
    identity, vector = base._derived.vectors.vectors(list(base.chunk_ids())).popitem()
    base._derived.vectors.put([base.chunks([identity])[identity]], -vector[np.newaxis, :])
    assert {finding.part for finding in base.verify()} == {"vectors"}
    base.repair()
    assert np.allclose(base._derived.vectors.vectors([identity])[identity], vector)
    assert in_order(base)


def test_words_that_are_not_those_of_the_text_are_found_and_put_right(base):
    found = base.retriever(1, mode="bm25").invoke("长江发源")[0]
    at = found.metadata
    other = IndexedText(str(found.id), "黄河发源于巴颜喀拉山", at["content_hash"], at["page_start"], at["page_end"])
    base._derived.words.add([other])
    base._derived.words.commit()
    base._derived.words.close()
    assert [finding.part for finding in base.verify()] == ["words"]
    base.repair()
    assert base.retriever(1, mode="bm25").invoke("长江发源")[0].id == found.id
    assert in_order(base)


def test_deleted_chunks_that_are_not_merged_away_are_no_damage(base, documents):
    (documents / "江.txt").unlink()
    base.ingest([documents], prune=True)
    assert base.verify() == []


@pytest.mark.parametrize("part", ["vectors", "words"])
def test_chunks_that_one_index_lacks_are_found_and_put_back(base, part):
    index = getattr(base._derived, part)
    index.delete([next(iter(base.chunk_ids()))])
    if part == "words":
        index.commit()
        index.close()
    assert [finding.part for finding in base.verify()] == [part]
    base.repair()
    assert in_order(base)


def test_a_sound_base_is_not_rebuilt_by_a_repair(base):
    folder = base._index.folder
    assert base.repair().findings == ()
    assert base._index.folder == folder


def test_a_base_of_the_first_format_opens_keeps_its_splitter_and_takes_new_files(home, documents):
    first = Path(__file__).parent / "format_1.sql"
    (home / "kb").mkdir(parents=True)
    with sqlite3.connect(home / "kb" / "manifest.sqlite3") as connection:
        connection.executescript(first.read_text(encoding="utf-8"))
    connection.close()
    with KnowledgeBase.open(home / "kb", HashEmbeddings(4)) as base:
        assert base.retriever(1, mode="bm25").invoke("长江")[0].page_content == "长江是中国第一大河。"
        assert base.verify() == []
        base.ingest([documents])
        assert base.status().splitter["splitter"] == "chinese-1"
        assert len(base.files()) == 4
        assert in_order(base)
        assert json.loads(base._manifest._rows("SELECT value FROM meta WHERE key = 'format_version'")[0][0]) == 2


def test_an_index_that_current_names_and_is_not_there_is_an_error_of_ours(base):
    base.compact()
    folder = base._index.folder
    base.close()
    shutil.rmtree(folder)
    with pytest.raises(KnowledgeBaseError, match="index-1"):
        KnowledgeBase.open(base.folder)
