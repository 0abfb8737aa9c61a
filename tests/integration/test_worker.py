"""Worker processes: a parser that crashes, hangs or eats memory costs one file."""

import sys
import time
from pathlib import Path

import pytest

from chinese_llm_rag.document_loaders import LoadedFile, LoadOptions, load_file, load_file_in_worker, load_files
from chinese_llm_rag.document_loaders.page_texts import PageDetails, PageTexts
from chinese_llm_rag.document_loaders.page_texts_json import decode, encode, from_json, to_json
from chinese_llm_rag.document_loaders.worker import WorkerPool
from chinese_llm_rag.errors import ConfigError, DocumentError
from chinese_llm_rag.schema import Mark, Place

MISBEHAVING = """
import ctypes, os, time
from chinese_llm_rag.document_loaders.beat import beat
from chinese_llm_rag.document_loaders.page_texts import NO_OPTIONS, PageTexts
kept = []

def read(data, path, options=NO_OPTIONS):
    if path.stem == "abort":
        os.abort()
    if path.stem == "segfault":
        ctypes.string_at(0)
    if path.stem == "exit":
        os._exit(7)
    if path.stem == "hang":
        while True:
            pass
    if path.stem == "memory":
        while True:
            kept.append(bytearray(50 << 20))
    if path.stem == "leak":
        kept.append(bytearray(200 << 20))
    if path.stem == "bug":
        raise ZeroDivisionError("a bug")
    if path.stem == "slow":
        for _ in range(6):
            time.sleep(0.5)
            beat()
    print("noise on the standard output")
    return PageTexts((f"{path.stem} {os.getpid()}",))
"""


@pytest.fixture
def pool(tmp_path, monkeypatch):
    """Makes a pool whose reader misbehaves by the names of the files."""
    (tmp_path / "misbehaving.py").write_text(MISBEHAVING)
    monkeypatch.syspath_prepend(tmp_path)
    pools: list[WorkerPool] = []

    def make(n_workers: int = 1, **limits) -> WorkerPool:
        pools.append(WorkerPool(n_workers, reader="misbehaving:read", **limits))
        return pools[-1]

    yield make
    for one in pools:
        one.close()


def files(tmp_path: Path, *stems: str) -> list[Path]:
    paths = [tmp_path / f"{stem}.txt" for stem in stems]
    for path in paths:
        path.write_text("x")
    return paths


@pytest.mark.parametrize(
    ("stem", "reason"),
    [("abort", "crashed"), ("segfault", "crashed"), ("exit", "exit code 7"), ("bug", "ZeroDivisionError: a bug")],
)
def test_a_parser_that_fails_costs_one_file(pool, tmp_path, stem, reason):
    paths = files(tmp_path, "a", stem, "b")
    (_, before), (path, error), (_, after) = pool().load_all(paths)
    assert isinstance(before, LoadedFile)
    assert isinstance(after, LoadedFile)
    assert isinstance(error, DocumentError)
    assert error.path == path == paths[1]
    assert reason in str(error)
    assert error.hint


def test_a_parser_that_hangs_is_ended(pool, tmp_path):
    paths = files(tmp_path, "hang", "b")
    begin = time.monotonic()
    (_, error), (_, after) = pool(timeout_s=1.5).load_all(paths)
    assert time.monotonic() - begin < 30
    assert "longer than 1.5 s" in str(error)
    assert isinstance(after, LoadedFile)


def test_a_parser_that_takes_long_for_a_good_reason_is_left_alone(pool, tmp_path):
    assert pool(timeout_s=1.5).load(files(tmp_path, "slow")[0]).pages[0].page_content.startswith("slow")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds the memory of a process")
def test_a_parser_that_eats_memory_is_ended(pool, tmp_path):
    paths = files(tmp_path, "memory", "b")
    (_, error), (_, after) = pool(memory_bytes=300 << 20).load_all(paths)
    assert "more than 300 MiB" in str(error)
    assert isinstance(after, LoadedFile)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds the memory of a process")
def test_memory_that_former_files_left_behind_is_not_held_against_a_file(pool, tmp_path):
    paths = files(tmp_path, "leak")
    one = pool(memory_bytes=300 << 20)
    first, second = (one.load(paths[0]).pages[0].page_content for _ in range(2))
    assert first != second  # another process


def test_results_come_in_order_and_from_several_processes(pool, tmp_path):
    paths = files(tmp_path, "slow", *(f"f{i}" for i in range(9)))
    loaded = list(pool(2).load_all(paths))
    assert [path for path, _ in loaded] == paths
    texts = [file.pages[0].page_content.split() for _, file in loaded]
    assert [stem for stem, _ in texts] == [path.stem for path in paths]
    assert len({pid for _, pid in texts}) == 2


def test_paths_are_taken_as_they_are_needed(pool, tmp_path):
    taken = []

    def source():
        for path in files(tmp_path, *(f"f{i}" for i in range(30))):
            taken.append(path)
            yield path

    results = pool(1).load_all(source())
    next(results)
    assert len(taken) < 6


def test_a_pool_that_is_closed_early_leaves_no_process(pool, tmp_path):
    one = pool(2)
    results = one.load_all(files(tmp_path, "a", "hang", "hang", "hang"))
    next(results)
    begin = time.monotonic()
    one.close()
    assert time.monotonic() - begin < 10
    assert all(worker._process.poll() is not None for worker in one._all)


# The readers of this package


def test_a_worker_gives_what_load_file_gives(tmp_path):
    path = tmp_path / "笔记.md"
    path.write_bytes("# 标题\n\n| 甲 | 乙 |\n|---|---|\n| 1 | 2 |\n他们说这个问题很重要。".encode("gb18030"))
    assert load_file_in_worker(path) == load_file(path)


def test_refusals_keep_their_reason_and_hint(tmp_path):
    (tmp_path / "空.txt").write_bytes(b"")
    (tmp_path / "坏.pdf").write_bytes(b"MZ\0\0")
    paths = [tmp_path / "空.txt", tmp_path / "坏.pdf", tmp_path / "没有.txt", tmp_path / "a.odt"]
    for path, result in load_files(paths, 1):
        with pytest.raises(DocumentError) as caught:
            load_file(path)
        assert isinstance(result, DocumentError)
        assert (str(result), result.hint, result.path) == (str(caught.value), caught.value.hint, path)


def test_options_reach_the_worker(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("é".encode("latin-1"))
    assert load_file_in_worker(path, options=LoadOptions(encoding="latin-1")).pages[0].page_content == "é"
    with pytest.raises(ConfigError, match="klingon"):
        load_file_in_worker(path, options=LoadOptions(encoding="klingon"))


def test_a_worker_starts_without_langchain_and_models(tmp_path, monkeypatch):
    (tmp_path / "modules.py").write_text(
        "import sys\nfrom chinese_llm_rag.document_loaders.page_texts import PageTexts\n"
        "def read(data, path, options=None):\n    return PageTexts((' '.join(sys.modules),))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with WorkerPool(1, reader="modules:read") as one:
        loaded = one.load(files(tmp_path, "a")[0]).pages[0].page_content.split()
    assert "chinese_llm_rag.document_loaders.readers" in loaded
    heavy = {"langchain_core", "pydantic", "torch", "onnxruntime", "chromadb", "unstructured", "pandas", "rapidocr"}
    assert not heavy & set(loaded)


def test_texts_survive_the_pipe():
    read = PageTexts(
        ("甲\ud800乙\n", ""),
        ("问题",),
        (
            PageDetails(Place("sheet", "预算"), (Mark("table", 0, 2, 0, 1, 7),), ("页眉",)),
            PageDetails(problem="garbled"),
        ),
        "gb18030",
    )
    assert from_json(decode(encode(to_json(read)))) == read
