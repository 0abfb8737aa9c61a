"""A reader asks while another process changes the embedding model and the splitter, forth and back."""

import subprocess
import sys
from pathlib import Path

import pytest

from chinese_llm_rag.knowledge_base import KnowledgeBase
from chinese_llm_rag.testing import HashEmbeddings
from chinese_llm_rag.text_splitters import ChineseTextSplitter

QUESTIONS = ("黄河的第3条记录", "泰山的第17条记录写于哪一版", "编号为205的是什么")
SIZES = {64: 40, 32: 80}  # characters of a chunk, by the dimension of the vectors beside which they stand
N_SWITCHES = 6

WRITER = f"""
import sys
from chinese_llm_rag.knowledge_base import KnowledgeBase
from chinese_llm_rag.testing import HashEmbeddings
from chinese_llm_rag.text_splitters import ChineseTextSplitter

class Sized(HashEmbeddings):
    setup = property(lambda self: {{"dimension": self.fingerprint.dimension}})

with KnowledgeBase.open(sys.argv[1], lambda setup: Sized(setup["dimension"])) as base:
    for n in range({N_SWITCHES}):
        dimension, size = ((32, 80), (64, 40))[n % 2]
        assert base.reindex(Sized(dimension), ChineseTextSplitter(size))
        print("switched", flush=True)
"""


class Sized(HashEmbeddings):
    """Hashed vectors whose length is in the base's record."""

    @property
    def setup(self) -> dict[str, int]:
        return {"dimension": self.fingerprint.dimension}


def answers(base: KnowledgeBase) -> list[tuple[str, ...]]:
    return [
        tuple(f"{found.id} {found.page_content}" for found in base.retriever(5, mode=mode).invoke(question))
        for question in QUESTIONS
        for mode in ("hybrid", "bm25", "dense")
    ]


@pytest.mark.slow
def test_every_answer_comes_from_one_whole_index_or_the_other(tmp_path: Path):
    documents = tmp_path / "文档"
    documents.mkdir()
    for topic in ("长江", "黄河", "泰山"):
        text = "".join(f"{topic}的第{n}条记录写于第{n % 7}版，编号为{n * 5}。" for n in range(60))
        (documents / f"{topic}.txt").write_text(text, encoding="utf-8")
    expected = {}
    for dimension, size in SIZES.items():
        with KnowledgeBase.open(tmp_path / str(size), Sized(dimension), ChineseTextSplitter(size)) as base:
            base.ingest([documents])
            expected[dimension] = answers(base)
    assert all(a != b for a, b in zip(*expected.values(), strict=True))

    folder, seen = tmp_path / "40", set()
    command = [sys.executable, "-c", WRITER, str(folder)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer,
        KnowledgeBase.open(folder, Sized(64)) as faithful,
    ):
        while writer.poll() is None:
            with KnowledgeBase.open(folder, lambda setup: Sized(setup["dimension"])) as reader:
                dimension = reader.status().embedding["dimension"]
                assert answers(reader) == expected[dimension]
                seen.add(dimension)
            assert answers(faithful) == expected[64], "an opened base stays with the index it found"
        assert writer.stdout.read().count("switched") == N_SWITCHES
        assert writer.returncode == 0
    assert seen == set(SIZES)
