"""The manifest: the SQLite file that is the truth of a knowledge base.

A row is visible as soon as it is committed; a document's rows are written and removed in one
transaction. The two derived indexes may lag behind between `mark_dirty` and `mark_clean` only.
"""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from langchain_core.documents import Document

from chinese_llm_rag.knowledge_base.identity import FORMAT_VERSION
from chinese_llm_rag.knowledge_base.records import FileRecord, PreparedDocument

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS documents (
    content_hash TEXT PRIMARY KEY, n_pages INTEGER NOT NULL, n_chars INTEGER NOT NULL, loader TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, content_hash TEXT REFERENCES documents, size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, status TEXT NOT NULL CHECK (status IN ('indexed', 'failed')), problems TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS files_by_hash ON files (content_hash);
CREATE TABLE IF NOT EXISTS pages (
    content_hash TEXT NOT NULL REFERENCES documents ON DELETE CASCADE, page INTEGER NOT NULL,
    start INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY (content_hash, page)
);
CREATE TABLE IF NOT EXISTS chunks (
    chunk_id TEXT PRIMARY KEY, content_hash TEXT NOT NULL REFERENCES documents ON DELETE CASCADE,
    ordinal INTEGER NOT NULL, "start" INTEGER NOT NULL, "end" INTEGER NOT NULL, page_start INTEGER NOT NULL,
    page_end INTEGER NOT NULL, page_offsets TEXT NOT NULL, text_hash TEXT NOT NULL, text TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS chunks_by_document ON chunks (content_hash, ordinal);
CREATE INDEX IF NOT EXISTS chunks_by_text ON chunks (text_hash);
CREATE TABLE IF NOT EXISTS embeddings (text_hash TEXT PRIMARY KEY, vector BLOB NOT NULL);
"""
_FILES = (
    "SELECT f.*, d.n_pages, (SELECT count(*) FROM chunks c WHERE c.content_hash = f.content_hash) AS n_chunks"
    " FROM files f LEFT JOIN documents d USING (content_hash)"
)
_MOST_PARAMETERS = 500  # of one statement


class Manifest:
    """One connection to the manifest; may be used from several threads."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA foreign_keys = ON")

    def create(self) -> None:
        """Make the tables of a new manifest."""
        self._connection.executescript(_SCHEMA)
        self.set_meta("format_version", FORMAT_VERSION)

    @property
    def is_new(self) -> bool:
        """Whether the file holds no manifest yet."""
        row = self._one("SELECT count(*) AS n FROM sqlite_master WHERE name = 'meta'")
        return bool(row["n"] == 0) or self.meta("format_version") is None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. Not nested."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.rollback()
                raise
            self._connection.execute("COMMIT")

    def _rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        with self._lock:
            return self._connection.execute(sql, parameters).fetchall()

    def _one(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Row:
        return self._rows(sql, parameters)[0]

    def _rows_in(self, sql: str, keys: Sequence[str]) -> Iterator[sqlite3.Row]:
        """Rows of a statement with `IN ({})`, in portions that SQLite takes."""
        for i in range(0, len(keys), _MOST_PARAMETERS):
            portion = keys[i : i + _MOST_PARAMETERS]
            yield from self._rows(sql.format(",".join("?" * len(portion))), portion)

    # --- meta ---------------------------------------------------------------------------------

    def meta(self, key: str) -> Any:  # noqa: ANN401  (any JSON value)
        """The JSON value stored under a key, or None."""
        rows = self._rows("SELECT value FROM meta WHERE key = ?", (key,))
        return json.loads(rows[0]["value"]) if rows else None

    def set_meta(self, key: str, value: object) -> None:
        """Store a JSON value under a key."""
        with self._lock:
            self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))

    # --- files and documents ------------------------------------------------------------------

    def files(self) -> list[FileRecord]:
        """All files by path, failed ones too."""
        return [_file_record(row) for row in self._rows(f"{_FILES} ORDER BY path")]

    def file(self, path: str) -> FileRecord | None:
        """The record of one path."""
        return next((_file_record(row) for row in self._rows(f"{_FILES} WHERE path = ?", (path,))), None)

    def paths_of(self, content_hash: str) -> list[str]:
        """The names under which a document was ingested, the first one first; empty when it is not there."""
        rows = self._rows("SELECT path FROM files WHERE content_hash = ? ORDER BY rowid", (content_hash,))
        return [row["path"] for row in rows]

    def put_file(self, record: FileRecord) -> None:
        """Insert or replace a file's row. Call `drop_unreferenced` in the same transaction."""
        self._connection.execute(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)",
            (
                record.path,
                record.content_hash,
                record.size_bytes,
                record.mtime_ns,
                record.status,
                json.dumps(record.problems, ensure_ascii=False),
            ),
        )

    def delete_file(self, path: str) -> None:
        """Delete a file's row. Call `drop_unreferenced` in the same transaction."""
        self._connection.execute("DELETE FROM files WHERE path = ?", (path,))

    def put_document(self, document: PreparedDocument) -> None:
        """Insert a document with its pages and chunks; its embeddings are stored already."""
        text_length = sum(len(page.page_content) for page in document.pages)
        self._connection.execute(
            "INSERT OR IGNORE INTO documents VALUES (?, ?, ?, ?)",
            (document.content_hash, len(document.pages), text_length, document.loader),
        )
        self._connection.executemany(
            "INSERT OR REPLACE INTO pages VALUES (?, ?, ?, ?)",
            [
                (document.content_hash, page.metadata["page"], page.metadata["start"], page.page_content)
                for page in document.pages
            ],
        )
        self._connection.executemany(
            "INSERT OR REPLACE INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", document.chunk_rows()
        )

    def drop_unreferenced(self) -> list[str]:
        """Delete documents that no file refers to; the ids of the chunks that went with them."""
        orphaned = self._rows(
            "SELECT content_hash FROM documents EXCEPT SELECT content_hash FROM files WHERE content_hash IS NOT NULL"
        )
        hashes = [row["content_hash"] for row in orphaned]
        ids = [
            row["chunk_id"] for row in self._rows_in("SELECT chunk_id FROM chunks WHERE content_hash IN ({})", hashes)
        ]
        self._connection.executemany("DELETE FROM documents WHERE content_hash = ?", [(h,) for h in hashes])
        return ids

    # --- chunks -------------------------------------------------------------------------------

    def chunk_ids(self) -> set[str]:
        """The ids of all chunks."""
        return {row["chunk_id"] for row in self._rows("SELECT chunk_id FROM chunks")}

    def n_chunks(self) -> int:
        """How many chunks there are."""
        return int(self._one("SELECT count(*) AS n FROM chunks")["n"])

    def chunks(self, ids: Sequence[str]) -> dict[str, Document]:
        """Chunks by id, with ChunkMetadata; ids that are not there are left out."""
        sql = (
            "SELECT c.*, (SELECT path FROM files f WHERE f.content_hash = c.content_hash ORDER BY rowid LIMIT 1)"
            " AS source FROM chunks c WHERE chunk_id IN ({})"
        )
        return {row["chunk_id"]: _chunk_document(row) for row in self._rows_in(sql, list(ids))}

    def vectors(self, ids: Sequence[str]) -> dict[str, npt.NDArray[np.float32]]:
        """The stored embeddings of chunks by chunk id."""
        sql = "SELECT chunk_id, vector FROM chunks JOIN embeddings USING (text_hash) WHERE chunk_id IN ({})"
        return {
            row["chunk_id"]: np.frombuffer(row["vector"], dtype=np.float32) for row in self._rows_in(sql, list(ids))
        }

    # --- embeddings, by the hash of the text ----------------------------------------------------

    def embeddings(self, text_hashes: Iterable[str]) -> dict[str, npt.NDArray[np.float32]]:
        """Those of the texts' embeddings that are stored."""
        rows = self._rows_in("SELECT * FROM embeddings WHERE text_hash IN ({})", list(text_hashes))
        return {row["text_hash"]: np.frombuffer(row["vector"], dtype=np.float32) for row in rows}

    def put_embeddings(self, vectors: dict[str, npt.NDArray[np.float32]]) -> None:
        """Store embeddings at once, so that an interrupted run need not compute them again."""
        with self.transaction():
            self._connection.executemany(
                "INSERT OR REPLACE INTO embeddings VALUES (?, ?)",
                [(text_hash, vector.astype(np.float32).tobytes()) for text_hash, vector in vectors.items()],
            )

    def drop_unused_embeddings(self) -> None:
        """Delete embeddings that no chunk uses."""
        with self._lock:
            self._connection.execute("DELETE FROM embeddings WHERE text_hash NOT IN (SELECT text_hash FROM chunks)")


def _file_record(row: sqlite3.Row) -> FileRecord:
    return FileRecord(
        path=row["path"],
        content_hash=row["content_hash"],
        size_bytes=row["size_bytes"],
        mtime_ns=row["mtime_ns"],
        status=row["status"],
        problems=tuple(json.loads(row["problems"])),
        n_pages=row["n_pages"] or 0,
        n_chunks=row["n_chunks"],
    )


def _chunk_document(row: sqlite3.Row) -> Document:
    metadata = {
        key: row[key] for key in ("source", "content_hash", "page_start", "page_end", "start", "end", "chunk_id")
    }
    metadata["page_offsets"] = json.loads(row["page_offsets"])
    return Document(row["text"], id=row["chunk_id"], metadata=metadata)
