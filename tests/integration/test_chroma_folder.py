"""Chroma's graph on the disk: what other processes write is found, and one left half written is not trusted."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from langchain_core.documents import Document

from chinese_llm_rag import knowledge_base
from chinese_llm_rag.knowledge_base import KnowledgeBase, chroma_folder
from chinese_llm_rag.knowledge_base.chroma_folder import MOST_UNSAVED, ChromaFolder
from chinese_llm_rag.knowledge_base.vectors import VectorIndex
from chinese_llm_rag.testing import HashEmbeddings
from chinese_llm_rag.text_splitters import ChineseTextSplitter

DIMENSION = 64
GRAPH = ("header.bin", "data_level0.bin", "length.bin", "link_lists.bin", "index_metadata.pickle")

PUT = """
import sys
from pathlib import Path
import numpy as np
sys.path.insert(0, sys.argv[1])
from test_chroma_folder import chunks_of, vectors_of
from chinese_llm_rag.knowledge_base.vectors import VectorIndex
index = VectorIndex(Path(sys.argv[2]))
for first, last in zip(map(int, sys.argv[3::2]), map(int, sys.argv[4::2])):
    index.put(chunks_of(first, last), vectors_of(first, last))
"""

# Dies a given time after the mark of a writing of the graph has appeared.
DYING = """
import os, signal, sys, threading, time
from pathlib import Path
from chinese_llm_rag.knowledge_base import KnowledgeBase
from chinese_llm_rag.testing import HashEmbeddings

home, documents, delay = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
mark = home / "chroma" / "graph.unfinished"

def die():
    while not mark.exists():
        time.sleep(0)
    time.sleep(delay)
    os.kill(os.getpid(), signal.SIGKILL)

threading.Thread(target=die, daemon=True).start()
with KnowledgeBase.open(home, HashEmbeddings(64)) as base:
    base.ingest([documents])
"""


def vectors_of(first: int, last: int) -> np.ndarray:
    raw = np.stack([np.random.default_rng(n).standard_normal(DIMENSION, dtype=np.float32) for n in range(first, last)])
    return raw / np.linalg.norm(raw, axis=1, keepdims=True)


def chunks_of(first: int, last: int) -> list[Document]:
    place = {"content_hash": "a", "page_start": 1, "page_end": 1, "start": 0, "end": 1}
    return [
        Document(f"第{n}条", id=f"{n:064x}", metadata={"chunk_id": f"{n:064x}", **place}) for n in range(first, last)
    ]


def n_found(index: VectorIndex, numbers: range) -> int:
    """How many of the chunks are the nearest to their own vectors."""
    return sum(
        index.nearest(vectors_of(n, n + 1)[0].tolist(), 1, None)[:1] == [(f"{n:064x}", pytest.approx(0, abs=1e-5))]
        for n in numbers
    )


def put_elsewhere(folder: Path, *ranges: int) -> None:
    command = [sys.executable, "-c", PUT, str(Path(__file__).parent), str(folder), *map(str, ranges)]
    subprocess.run(command, check=True)


def graph_files(folder: Path) -> dict[str, tuple[int, int]]:
    files = (file for file in folder.glob("*/*") if file.name in GRAPH)
    return {file.name: (file.stat().st_size, file.stat().st_mtime_ns) for file in files}


def n_unsaved(folder: Path) -> int:
    """By Chroma's own tables: changes that the graph's files lack."""
    with sqlite3.connect(folder / "chroma.sqlite3") as database:
        last = dict(
            database.execute("SELECT s.scope, m.seq_id FROM max_seq_id m JOIN segments s ON s.id = m.segment_id")
        )
    return last["METADATA"] - last.get("VECTOR", 0)


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "chroma"


@pytest.fixture
def index(folder):
    opened = VectorIndex(folder)
    yield opened
    opened.close()


def test_a_reader_finds_at_once_what_another_process_puts_in_changes_and_deletes(folder, index):
    put_elsewhere(folder, 0, 1200)
    assert n_found(index, range(0, 1200, 50)) == 24
    put_elsewhere(folder, 1200, 1210)
    assert n_found(index, range(1200, 1210)) == 10
    put_elsewhere(folder, 1210, 3500)  # the graph is written twice, and the log cut off
    assert n_found(index, range(0, 3500, 50)) == 70
    other = VectorIndex(folder)
    other.delete([f"{n:064x}" for n in range(0, 3500, 50)])
    assert n_found(index, range(0, 3500, 50)) == 0
    assert n_found(index, range(1, 3500, 50)) == 70
    other.close()


def test_langchains_store_finds_what_another_process_puts_in(folder, index):
    index.put(chunks_of(0, 5), vectors_of(0, 5))
    store = index.vector_store(HashEmbeddings(DIMENSION))
    put_elsewhere(folder, 5, 10)
    found = store.similarity_search_by_vector(vectors_of(7, 8)[0].tolist(), k=1)
    assert [document.page_content for document in found] == ["第7条"]


def test_the_graph_is_written_under_lock_and_mark_alone(folder, monkeypatch):
    seen = []

    class Watched(ChromaFolder):
        @chroma_folder.contextmanager
        def _marked(self):
            assert graph_files(folder) == (seen[-1] if seen else {})
            with super()._marked():
                yield
            seen.append(graph_files(folder))

    index = VectorIndex(folder)
    index._chroma = Watched(folder)
    for first, last in ((0, 999), (999, 1000), (1000, 1400), (1400, 3700), (3700, 3701)):
        index.put(chunks_of(first, last), vectors_of(first, last))
    index.delete([f"{n:064x}" for n in range(700)])
    assert len(seen) == 5  # when the files are made, then at 1000, 2000, 3000 and 4000 changes
    assert len(set(map(str, seen))) == 5
    assert graph_files(folder) == seen[-1]
    index.close()
    index = VectorIndex(folder)
    index._chroma = Watched(folder)
    index.put(chunks_of(3701, 4300), vectors_of(3701, 4300))  # with 401 from before it is 1000
    assert len(seen) == 6
    assert graph_files(folder) == seen[-1]
    assert n_found(index, range(700, 4300, 100)) == 36
    index.close()


@pytest.mark.parametrize("n", [MOST_UNSAVED, MOST_UNSAVED + 1, 1150, 1777])
def test_after_saving_little_is_left_to_be_inserted_again(folder, index, n):
    index.put(chunks_of(0, n), vectors_of(0, n))
    index.save()
    expected = n % 1000 if n % 1000 <= MOST_UNSAVED else 0
    assert n_unsaved(folder) == expected
    assert len(index) == n
    index.close()
    assert n_found(index, range(0, n, 25)) == len(range(0, n, 25))


def test_the_larger_the_graph_the_more_changes_between_two_writings(folder, index, monkeypatch):
    monkeypatch.setattr(chroma_folder, "_SHARE", 1)  # thresholds at the graph's size, not a hundredth
    sizes = []
    for first in range(0, 9000, 500):
        before = graph_files(folder)
        index.put(chunks_of(first, first + 500), vectors_of(first, first + 500))
        if graph_files(folder) != before:
            sizes.append(first + 500)
    assert sizes == [500, 1000, 2000, 4000, 8000]  # at first the files are made
    assert n_found(index, range(0, 9000, 300)) == 30


def test_many_threads_ask_while_another_process_writes(folder, index):
    put_elsewhere(folder, 0, 1100)
    wrong, done = [], threading.Event()

    def ask(seed: int) -> None:
        numbers = np.random.default_rng(seed)
        while not done.is_set():
            n = int(numbers.integers(1100))
            if n_found(index, range(n, n + 1)) != 1:
                wrong.append(n)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    put_elsewhere(folder, *(part for first in range(1100, 4100, 250) for part in (first, first + 250)))
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert n_found(index, range(1100, 4100, 100)) == 30


# --- a graph that was left half written ----------------------------------------------------------


@pytest.fixture(scope="module")
def documents(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("records")
    for n in range(5):
        text = "".join(f"这是第{n}卷第{i}条记录，编号为{n * 1000 + i}。" for i in range(300))
        (folder / f"{n}.txt").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def whole(documents, tmp_path_factory) -> Path:
    """A base of some 1,500 chunks, whose graph is on the disk."""
    home = tmp_path_factory.mktemp("whole") / "kb"
    with KnowledgeBase.open(home, HashEmbeddings(DIMENSION), ChineseTextSplitter(30)) as base:
        base.ingest([documents])
        assert 1200 < base.status().n_chunks < 1900
    assert len(graph_files(home / "chroma")) == len(GRAPH)
    return home


def answers(base: KnowledgeBase) -> list[list[str]]:
    retriever = base.retriever(3, mode="dense")
    return [[str(d.id) for d in retriever.invoke(f"第{n}卷第{n * 31}条记录的编号")] for n in range(5)]


def state(home: Path) -> tuple[set[str], list[list[str]]]:
    with KnowledgeBase.open(home, HashEmbeddings(DIMENSION)) as base:
        found = answers(base)
        assert base.verify() == []
        return base.chunk_ids(), found


@pytest.mark.parametrize("share", [0.0, 0.5])
@pytest.mark.parametrize("name", GRAPH)
def test_a_graph_cut_off_by_a_power_cut_is_rebuilt_from_the_manifest(whole, tmp_path, name, share, monkeypatch, caplog):
    monkeypatch.setattr(knowledge_base.index, "_MANY", 1000)
    home = tmp_path / "kb"
    shutil.copytree(whole, home)
    (file,) = home.glob(f"chroma/*/{name}")
    os.truncate(file, int(file.stat().st_size * share))
    (home / "chroma" / "graph.unfinished").touch()
    assert state(home) == state(whole)
    assert not (home / "chroma" / "graph.unfinished").exists()
    assert [record.getMessage() for record in caplog.records if "put into their index again" in record.getMessage()]
    assert len(list((home / "chroma").glob("*/header.bin"))) == 1  # what was thrown away takes no space


def test_one_that_reads_goes_on_with_its_graph_when_the_writer_has_died(whole, tmp_path):
    home = tmp_path / "kb"
    shutil.copytree(whole, home)
    with KnowledgeBase.open(home, HashEmbeddings(DIMENSION)) as reader:
        expected = answers(reader)
        put_elsewhere(home / "chroma", 0, 5)  # which the manifest knows nothing of
        for file in home.glob("chroma/*/header.bin"):
            os.truncate(file, 50)  # Chroma would end the process that reads this
        (home / "chroma" / "graph.unfinished").touch()
        assert answers(reader) == expected
        assert state(home) == state(whole)  # another one, who has no graph yet, begins anew
        assert answers(reader) == expected
    assert state(home) == state(whole)


@pytest.mark.slow
@pytest.mark.parametrize("delay_ms", [0, 1, 2, 4, 6, 9, 13, 20])
def test_killed_while_chroma_writes_its_graph_the_base_ends_as_if_undisturbed(documents, whole, tmp_path, delay_ms):
    home = tmp_path / "kb"
    with KnowledgeBase.open(home, HashEmbeddings(DIMENSION), ChineseTextSplitter(30)) as base:
        base.ingest([documents / "0.txt"])
    command = [sys.executable, "-c", DYING, str(home), str(documents), str(delay_ms / 1000)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    state(home)
    with KnowledgeBase.open(home, HashEmbeddings(DIMENSION)) as base:
        base.ingest([documents])
    assert state(home) == state(whole)
