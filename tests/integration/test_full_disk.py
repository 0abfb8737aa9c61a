"""A disk that fills while a file goes in: an error of ours with a hint, and the base as it was.

The limit on file sizes (RLIMIT_FSIZE) stands for the full disk: the system refuses every further byte in
the same calls, at a place that the test chooses.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from chinese_llm_rag.knowledge_base import KnowledgeBase
from chinese_llm_rag.testing import HashEmbeddings
from chinese_llm_rag.text_splitters import ChineseTextSplitter

resource = pytest.importorskip("resource", reason="file size limits are a POSIX matter")

WRITER = """
import resource, sys
from pathlib import Path
from chinese_llm_rag.errors import KnowledgeBaseError
from chinese_llm_rag.knowledge_base import KnowledgeBase
from chinese_llm_rag.testing import HashEmbeddings
from chinese_llm_rag.text_splitters import ChineseTextSplitter
home, step, limit = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
try:
    with KnowledgeBase.open(home, HashEmbeddings(), ChineseTextSplitter(200)) as base:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        base.reindex(HashEmbeddings(32)) if step == "reindex" else base.ingest([step])
except KnowledgeBaseError as error:
    print("refused:", error, "|", error.hint)
else:
    print("written")
"""


def contents(home: Path) -> set[str]:
    with KnowledgeBase.open(home, HashEmbeddings(), ChineseTextSplitter(200)) as base:
        ids = base.chunk_ids()
        assert base.retriever(1).invoke("第一份文档")
        assert base._derived.vectors.ids() == base._derived.words.ids() == ids
        return ids


def refused(home: Path, step: str, limit: int) -> None:
    """Do one step in a process for which no file can grow beyond the limit; it ends with an error of ours."""
    command = [sys.executable, "-c", WRITER, str(home), step, str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    result = (limit, done.returncode, done.stdout, done.stderr[-800:])
    assert done.returncode == 0, result
    assert done.stdout.startswith("refused:"), result
    assert "None" not in done.stdout.partition("|")[2]


@pytest.mark.slow
def test_wherever_the_disk_fills_the_base_is_as_it_was_and_takes_the_file_later(tmp_path):
    first, second = tmp_path / "first.txt", tmp_path / "second.txt"
    first.write_text("这是第一份文档。" * 20, encoding="utf-8")
    second.write_text(
        "".join(f"这是第二份文档的第{n}句，讲的是第{n * 7}件事。" for n in range(20_000)), encoding="utf-8"
    )
    home = tmp_path / "kb"
    with KnowledgeBase.open(home, HashEmbeddings(), ChineseTextSplitter(200)) as base:
        base.ingest([first])
    before = contents(home)

    for limit in (20_000, 200_000, 500_000, 1_000_000, 2_000_000, 3_000_000):
        refused(home, str(second), limit)
        assert contents(home) == before, limit
    with KnowledgeBase.open(home, HashEmbeddings(), ChineseTextSplitter(200)) as base:
        assert base.ingest([second]).of("added")
    assert contents(home) > before


@pytest.mark.slow
def test_wherever_the_disk_fills_a_new_index_leaves_the_old_one_in_force(tmp_path):
    document, home = tmp_path / "first.txt", tmp_path / "kb"
    document.write_text("这是第一份文档。" + "".join(f"这是它的第{n}句。" for n in range(4000)), encoding="utf-8")
    with KnowledgeBase.open(home, HashEmbeddings(), ChineseTextSplitter(200)) as base:
        base.ingest([document])
    before = contents(home)
    for limit in (20_000, 100_000, 200_000):
        refused(home, "reindex", limit)
        assert contents(home) == before, limit
    with KnowledgeBase.open(home, HashEmbeddings()) as base:
        assert base.reindex(HashEmbeddings(32))
        assert base.verify() == []
