"""How long BM25 takes for a question over many chunks, beside SQLite FTS5 over the same terms.

    python benchmarks/bm25.py [--chunks 100000] [--queries 500]

The text is made here: words of one to three characters, their frequencies falling as 1/rank as they
do in real text, led by the commonest function words. A question takes some words of a chunk and wraps
them in question words. Times of a query include cutting it into terms.
"""

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from langchain_core.documents import Document

from chinese_llm_rag.chinese_text import search_terms
from chinese_llm_rag.retrievers.bm25 import BM25Retriever
from chinese_llm_rag.retrievers.word_index import WordIndex

FUNCTION_WORDS = list("的一是了在和有不为年以人中这个上他于与大到也等月被将后对日由其及而并可至")
QUESTION_FRAMES = ["{}是什么？", "请问{}在哪一年？", "{}的原因是什么", "为什么{}？", "{}有多少个？", "谁{}？"]
N_WORDS = 40_000
N_CHARACTERS = 3_500
WORDS_PER_CHUNK = 190  # some 320 characters


def make_words(random: np.random.Generator) -> list[str]:
    """Words by rank, the commonest first; frequent characters make frequent words."""
    weights = 1 / (np.arange(N_CHARACTERS) + 20.0)
    lengths = random.choice([1, 2, 3], size=N_WORDS, p=[0.1, 0.7, 0.2])
    characters = random.choice(N_CHARACTERS, size=int(lengths.sum()), p=weights / weights.sum())
    words, start = list(FUNCTION_WORDS), 0
    for length in lengths:
        words.append("".join(chr(0x4E00 + int(c) * 5) for c in characters[start : start + length]))
        start += length
    return words


def iter_chunks(random: np.random.Generator, words: list[str], n_chunks: int) -> Iterator[list[str]]:
    """The words of one chunk after another; a chunk has its topic, whose words come again and again."""
    ranks = np.arange(len(words)) + 1.0
    common = (1 / ranks) / (1 / ranks).sum()
    for _ in range(n_chunks // 100):
        drawn = random.choice(len(words), size=(100, WORDS_PER_CHUNK), p=common)
        topics = random.integers(len(FUNCTION_WORDS), len(words), size=(100, 8))
        is_topic = random.random((100, WORDS_PER_CHUNK)) < 0.12
        picks = np.take_along_axis(topics, random.integers(8, size=(100, WORDS_PER_CHUNK)), axis=1)
        for row in np.where(is_topic, picks, drawn):
            yield [words[i] for i in row]


def make_text(random: np.random.Generator, words: list[str]) -> str:
    marks = np.where(random.random(len(words)) < 0.12, "，", "")
    return "".join(f"{word}{mark}" for word, mark in zip(words, marks, strict=True)) + "。"


def make_question(random: np.random.Generator, words: list[str]) -> str:
    start = random.integers(len(words) - 8)
    return str(random.choice(QUESTION_FRAMES)).format("".join(words[start : start + random.integers(3, 9)]))


class Fts5:
    """The baseline: the same terms in SQLite's full-text index, ranked by its bm25()."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path)
        self._connection.execute("CREATE VIRTUAL TABLE chunks USING fts5(body, id UNINDEXED)")

    def add(self, items: Iterator[tuple[str, str, str]]) -> None:
        """Take in all chunks at once."""
        rows = ((" ".join(search_terms(text)), identity) for identity, text, _ in items)
        with self._connection:
            self._connection.executemany("INSERT INTO chunks VALUES (?, ?)", rows)

    def search(self, query: str, k: int) -> list[str]:
        """The ids of the k best."""
        match = " OR ".join(f'"{term}"' for term in dict.fromkeys(search_terms(query)))
        sql = "SELECT id FROM chunks WHERE chunks MATCH ? ORDER BY rank LIMIT ?"
        return [row[0] for row in self._connection.execute(sql, (match, k))]


def times_ms(search: Callable[[str], object], queries: list[str]) -> np.ndarray:
    """Wall time and processor time of each query, shape [2, n]; on a busy machine they part."""
    for query in queries[:20]:
        search(query)
    taken = []
    for query in queries:
        wall, processor = time.perf_counter(), time.thread_time()
        search(query)
        taken.append((time.perf_counter() - wall, time.thread_time() - processor))
    return np.array(taken).T * 1000


def report(name: str, taken: np.ndarray) -> float:
    (wall_p50, wall_p95), (cpu_p50, cpu_p95) = (np.percentile(times, [50, 95]) for times in taken)
    print(f"{name:36} p50 {wall_p50:7.2f} ms   p95 {wall_p95:7.2f} ms   processor {cpu_p50:7.2f} / {cpu_p95:7.2f} ms")
    return float(cpu_p95)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--no-baseline", action="store_true", help="leave SQLite FTS5 out")
    arguments = parser.parse_args()

    random = np.random.default_rng(2024)
    words = make_words(random)
    chunks = list(iter_chunks(random, words, arguments.chunks))
    items = [(f"{n:032x}", make_text(random, chunk), f"{n // 500}.pdf") for n, chunk in enumerate(chunks)]
    queries = [make_question(random, chunks[i]) for i in random.integers(len(chunks), size=arguments.queries)]
    n_terms = [len(search_terms(query)) for query in queries]
    print(f"{len(items)} chunks of {np.mean([len(text) for _, text, _ in items]):.0f} characters on average")
    print(f"{len(queries)} questions of {np.mean(n_terms):.0f} terms on average, {max(n_terms)} at most")

    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        index = WordIndex(Path(folder) / "words")
        index.add(items)
        index.commit()
        index.close()
        print(f"tantivy index built in {time.perf_counter() - start:.1f} s")
        documents = {identity: Document(text, metadata={"chunk_id": identity}) for identity, text, _ in items}
        retriever = BM25Retriever(
            index=index, resolve=lambda ids: {i: documents[i] for i in ids if i in documents}, k=50
        )
        ours = report("WordIndex.search, k=10", times_ms(lambda query: index.search(query, 10), queries))
        ours = max(ours, report("WordIndex.search, k=50", times_ms(lambda query: index.search(query, 50), queries)))
        report("BM25Retriever.invoke, k=50", times_ms(retriever.invoke, queries))
        page = "".join(text for _, text, _ in items[:40])[:10_000]
        report("WordIndex.search, 10,000 characters", times_ms(lambda query: index.search(query, 10), [page] * 20))
        if not arguments.no_baseline:
            start = time.perf_counter()
            baseline = Fts5(Path(folder) / "fts5.sqlite3")
            baseline.add(iter(items))
            print(f"SQLite FTS5 index built in {time.perf_counter() - start:.1f} s")
            theirs = report("SQLite FTS5, k=10", times_ms(lambda query: baseline.search(query, 10), queries))
            print(f"p95 of processor time: SQLite FTS5 takes {theirs / ours:.0f} times as long as WordIndex")


if __name__ == "__main__":
    main()
