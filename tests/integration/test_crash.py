"""SIGKILL at random moments: the base opens, answers, and the next run finishes what was begun."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chinese_llm_rag.knowledge_base import KnowledgeBase
from chinese_llm_rag.testing import HashEmbeddings

N_KILLS = int(os.environ.get("CRASH_KILLS", "20"))  # `make test-crash` asks for 200
TOPICS = ("长江", "黄河", "泰山", "西湖", "长城", "故宫", "敦煌", "丝绸之路", "造纸术", "指南针")

# All that a base goes through. The embedder costs nothing, so nearly all the time is spent writing.
WRITER = """
import sys
from pathlib import Path
from chinese_llm_rag.knowledge_base import KnowledgeBase, ingest
from chinese_llm_rag.testing import HashEmbeddings
from chinese_llm_rag.text_splitters import ChineseTextSplitter

class Sized(HashEmbeddings):
    setup = property(lambda self: {"dimension": self.fingerprint.dimension})

ingest._GROUP = 8
home, before, after = map(Path, sys.argv[1:])
old = not (home / "manifest.sqlite3").exists() and not (home / "current").exists()
with KnowledgeBase.open(
    home, lambda setup: Sized((setup or {"dimension": 64})["dimension"]), ChineseTextSplitter(40) if old else None
) as base:
    print("open", flush=True)
    base.ingest([before])
    for file in sorted(after.iterdir()):
        (before / file.name).write_bytes(file.read_bytes())
    (before / "泰山.txt").rename(before / "东岳.txt")
    (before / "西湖.txt").unlink()
    base.ingest([before], prune=True)
    known = [record.path for record in base.files() if record.path.endswith("长江.txt")]
    if known:
        base.remove(known)
    base.reindex(Sized(32), ChineseTextSplitter(80))
    base.compact()
"""


class Sized(HashEmbeddings):
    """Hashed vectors whose length is in the base's record, so that a reader has them as the index needs them."""

    @property
    def setup(self) -> dict[str, int]:
        return {"dimension": self.fingerprint.dimension}


def as_built(setup) -> Sized:
    return Sized((setup or {"dimension": 64})["dimension"])


def write_documents(folder: Path, *, edition: int) -> None:
    folder.mkdir(parents=True)
    for n, topic in enumerate(TOPICS):
        sentences = [f"{topic}的第{i}条记录写于第{edition if i % 3 else 0}版，编号为{n * 100 + i}。" for i in range(30)]
        (folder / f"{topic}.txt").write_text("".join(sentences), encoding="utf-8")


def state(home: Path) -> set[str]:
    """The chunk ids, after checking that search works, and that all three parts hold exactly these and nothing else."""
    with KnowledgeBase.open(home, as_built) as base:
        found = base.retriever(3).invoke("黄河的第3条记录")
        ids = base.chunk_ids()
        assert bool(found) == bool(ids)
        assert base._derived.vectors.ids() == base._derived.words.ids() == ids
        assert base.status().clean
        assert base.verify() == []
        return ids


def kill_at_random_moments(start, duration: float, seed: int) -> Iterator[int]:
    """Start, and kill after a random part of the duration; yields after each of N_KILLS real kills.

    `start` takes the number of the trial and gives a running process.
    """
    moments = random.Random(seed)
    n_killed, trial = 0, 0
    while n_killed < N_KILLS:
        assert trial < 3 * N_KILLS, "the process always ends before it is killed"
        with start(trial) as process:
            time.sleep(moments.uniform(0, duration))
            process.kill()
            killed = process.wait() == -signal.SIGKILL
        if killed:
            n_killed += 1
            yield trial
        else:
            duration *= 0.8  # the machine was busier while the duration was measured
        trial += 1


def start_writer(folder: Path, after: Path) -> subprocess.Popen[str]:
    """The writer at the moment when its base is open."""
    shutil.rmtree(folder / "documents", ignore_errors=True)
    write_documents(folder / "documents", edition=1)
    command = [sys.executable, "-c", WRITER, str(folder / "kb"), str(folder / "documents"), str(after)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "open\n"
    return process


def seconds_of(process: subprocess.Popen[str]) -> float:
    """How long the process takes to end well."""
    started = time.monotonic()
    with process:
        assert process.wait(900) == 0  # alone it takes some ten seconds; a busy machine is no reason to fail
    return time.monotonic() - started


@pytest.mark.slow
def test_killed_at_any_moment_of_its_life_the_base_answers_and_ends_as_if_undisturbed(tmp_path):
    after = tmp_path / "after"
    write_documents(after, edition=2)
    duration = seconds_of(start_writer(tmp_path / "undisturbed", after))
    expected = state(tmp_path / "undisturbed" / "kb")
    assert len(expected) > 50
    with KnowledgeBase.open(tmp_path / "undisturbed" / "kb") as base:
        assert {Path(record.path).stem for record in base.files()} == {*TOPICS, "东岳"} - {"泰山", "西湖", "长江"}
        assert (base.status().embedding["dimension"], base.status().splitter["chunk_size"]) == (32, 80)

    for trial in kill_at_random_moments(lambda n: start_writer(tmp_path / f"trial-{n}", after), duration, seed=11):
        folder = tmp_path / f"trial-{trial}"
        state(folder / "kb")  # it opens, answers, and its three parts agree
        seconds_of(start_writer(folder, after))
        assert state(folder / "kb") == expected, f"trial {trial}"  # ids do not depend on the folder
        shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.models
def test_clrag_ingest_killed_at_twenty_moments_ends_each_time_with_the_same_chunks(tmp_path):
    documents = tmp_path / "documents"
    write_documents(documents, edition=1)

    def ingest(home: Path) -> subprocess.Popen[str]:
        environment = {**os.environ, "CHINESE_LLM_RAG_HOME": str(home), "CHINESE_LLM_RAG_CHUNK_SIZE": "200"}
        command = [sys.executable, "-m", "chinese_llm_rag", "ingest", str(documents)]
        return subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
        )

    def chunk_ids(home: Path) -> set[str]:
        with KnowledgeBase.open(home / "kb" / "default") as base:
            ids = base.chunk_ids()
            assert base._derived.vectors.ids() == base._derived.words.ids() == ids
            return ids

    duration = seconds_of(ingest(tmp_path / "undisturbed"))
    expected = chunk_ids(tmp_path / "undisturbed")
    assert len(expected) >= 30

    for trial in kill_at_random_moments(lambda n: ingest(tmp_path / f"home-{n}"), duration, seed=7):
        home = tmp_path / f"home-{trial}"
        seconds_of(ingest(home))
        assert chunk_ids(home) == expected, f"trial {trial}"
