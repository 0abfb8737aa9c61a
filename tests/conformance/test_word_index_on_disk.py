"""WordIndex in a folder: what other handles see, and who may write."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chinese_llm_rag.errors import KnowledgeBaseError
from chinese_llm_rag.retrievers.word_index import WordIndex


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "知识库" / "words"


def found(index: WordIndex, query: str) -> list[str]:
    return [identity for identity, _ in index.search(query, 10)]


def write(folder: Path, identity: str, text: str) -> None:
    index = WordIndex(folder)
    index.add([(identity, text, "f")])
    index.commit()
    index.close()


def test_what_was_committed_is_there_after_reopening(folder):
    write(folder, "a", "苹果")
    write(folder, "b", "苹果 香蕉")
    reopened = WordIndex(folder)
    assert (found(reopened, "苹果"), found(reopened, "香蕉"), reopened.ids()) == (["a", "b"], ["b"], {"a", "b"})


def test_what_was_not_committed_is_lost_on_close(folder):
    index = WordIndex(folder)
    index.add([("a", "苹果", "f")])
    index.close()
    index.commit()
    assert (len(index), len(WordIndex(folder))) == (0, 0)


def test_an_open_handle_sees_each_commit_of_another(folder):
    reader = WordIndex(folder)
    assert found(reader, "苹果") == []
    writer = WordIndex(folder)
    for n in range(1, 4):
        writer.add([(f"a{n}", "苹果", "f")])
        writer.commit()
        assert len(found(reader, "苹果")) == len(reader) == n
    writer.delete(["a1", "a2", "a3"])
    writer.commit()
    assert (found(reader, "苹果"), reader.ids()) == ([], set())


def test_a_second_writer_is_refused_with_the_folder_and_a_hint_until_the_first_closes(folder):
    first, second = WordIndex(folder), WordIndex(folder)
    first.add([("a", "苹果", "f")])
    with pytest.raises(KnowledgeBaseError) as refusal:
        second.add([("b", "香蕉", "f")])
    assert refusal.value.folder == folder
    assert refusal.value.hint
    first.commit()
    assert found(second, "苹果") == ["a"]  # reading needs no lock
    first.close()
    second.add([("b", "香蕉", "f")])
    second.commit()
    assert found(first, "香蕉") == ["b"]


def test_a_handle_writes_again_after_close(folder):
    index = WordIndex(folder)
    for identity in ("a", "b"):
        index.add([(identity, "苹果", "f")])
        index.commit()
        index.close()
    assert found(index, "苹果") == ["a", "b"]


@pytest.mark.parametrize("damage", ["{", "", "no json"])
def test_a_damaged_index_is_an_error_that_names_the_folder(folder, damage):
    write(folder, "a", "苹果")
    (folder / "meta.json").write_text(damage)
    with pytest.raises(KnowledgeBaseError, match="word index") as error:
        WordIndex(folder)
    assert error.value.folder == folder


def test_an_index_whose_files_are_gone_is_an_error(folder):
    write(folder, "a", "苹果")
    index = WordIndex(folder)
    for file in folder.iterdir():
        file.unlink()
    with pytest.raises(KnowledgeBaseError, match="word index"):
        index.search("苹果", 1)


def test_an_index_that_lacks_a_data_file_is_an_error(folder):
    write(folder, "a", "苹果")
    for file in folder.glob("*.idx"):
        file.unlink()
    with pytest.raises(KnowledgeBaseError, match="word index"):
        WordIndex(folder).search("苹果", 1)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(KnowledgeBaseError, match="word index"):
        WordIndex(tmp_path / "file" / "words")


def test_searches_from_many_threads_see_whole_commits_only(folder):
    writer, reader = WordIndex(folder), WordIndex(folder)
    stop = threading.Event()

    def sizes_seen() -> set[int]:
        sizes = set()
        while not stop.is_set():
            sizes.add(len(reader.search("苹果", 1000)))
        return sizes

    with ThreadPoolExecutor(4) as pool:
        searches = [pool.submit(sizes_seen) for _ in range(4)]
        try:
            for commit in range(10):
                writer.add((f"{commit}-{n}", "苹果", "f") for n in range(10))
                writer.commit()
        finally:
            stop.set()
    writer.close()
    assert set().union(*(search.result() for search in searches)) <= set(range(0, 101, 10))
    assert len(reader.search("苹果", 1000)) == 100
