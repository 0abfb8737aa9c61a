"""The SQLite file below the manifest: connection, transactions, tables, and the step from an older format.

Format 1 knew no headings, places, table headers, running headers or tags; its tables get the columns,
empty, since what they would hold was not read when the files went in.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chinese_llm_rag.knowledge_base.identity import FORMAT_VERSION

_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE documents (
    content_hash TEXT PRIMARY KEY, n_pages INTEGER NOT NULL, n_chars INTEGER NOT NULL, loader TEXT NOT NULL,
    pages_hash TEXT
);
CREATE TABLE files (
    path TEXT PRIMARY KEY, content_hash TEXT REFERENCES documents, size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, status TEXT NOT NULL CHECK (status IN ('indexed', 'failed')), problems TEXT NOT NULL,
    tags TEXT NOT NULL DEFAULT '[]'
);
CREATE INDEX files_by_hash ON files (content_hash);
CREATE TABLE pages (
    content_hash TEXT NOT NULL REFERENCES documents ON DELETE CASCADE, page INTEGER NOT NULL,
    start INTEGER NOT NULL, text TEXT NOT NULL, details TEXT NOT NULL DEFAULT '{}', PRIMARY KEY (content_hash, page)
);
CREATE TABLE chunks (
    chunk_id TEXT PRIMARY KEY, content_hash TEXT NOT NULL REFERENCES documents ON DELETE CASCADE,
    ordinal INTEGER NOT NULL, "start" INTEGER NOT NULL, "end" INTEGER NOT NULL, page_start INTEGER NOT NULL,
    page_end INTEGER NOT NULL, page_offsets TEXT NOT NULL, text_hash TEXT NOT NULL, text TEXT NOT NULL,
    details TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX chunks_by_document ON chunks (content_hash, ordinal);
CREATE INDEX chunks_by_text ON chunks (text_hash);
CREATE TABLE embeddings (text_hash TEXT PRIMARY KEY, vector BLOB NOT NULL);
"""
_FURNITURE = """
CREATE TABLE furniture (
    content_hash TEXT NOT NULL REFERENCES documents ON DELETE CASCADE, text TEXT NOT NULL, normal TEXT NOT NULL,
    page_start INTEGER NOT NULL, page_end INTEGER NOT NULL
);
CREATE INDEX furniture_by_document ON furniture (content_hash);
"""
_FROM_1_TO_2 = f"""
ALTER TABLE documents ADD COLUMN pages_hash TEXT;
ALTER TABLE files ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
ALTER TABLE pages ADD COLUMN details TEXT NOT NULL DEFAULT '{{}}';
ALTER TABLE chunks ADD COLUMN details TEXT NOT NULL DEFAULT '{{}}';
{_FURNITURE}
"""
_MOST_PARAMETERS = 500  # of one statement


class Database:
    """One connection to a manifest's file; may be used from several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA foreign_keys = ON")

    def create(self) -> None:
        """Make the tables of a new manifest, unless another process has just done so."""
        with self.transaction():
            if self.is_new:
                self._execute_all(_TABLES + _FURNITURE)
                self.set_meta("format_version", FORMAT_VERSION)

    def migrate(self) -> None:
        """From format 1 to this one, at once or not at all."""
        with self.transaction():
            if self.meta("format_version") == 1:
                self._execute_all(_FROM_1_TO_2)
                self.set_meta("format_version", FORMAT_VERSION)

    def _execute_all(self, script: str) -> None:
        """Statements within the transaction; `executescript` would commit it."""
        for statement in filter(str.strip, script.split(";")):
            self._connection.execute(statement)

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

    def backup(self, path: Path) -> None:
        """Copy what is committed into a new file, without what deleted rows have left behind."""
        with self._lock:
            self._connection.execute("VACUUM INTO ?", (str(path),))

    def damage(self) -> list[str]:
        """What SQLite's own checks of the file and of the references between its tables complain about."""
        found = [str(row[0]) for row in self._rows("PRAGMA integrity_check") if row[0] != "ok"]
        return found + [f"{row[0]}: row {row[1]} without {row[2]}" for row in self._rows("PRAGMA foreign_key_check")]

    # --- rows ---------------------------------------------------------------------------------

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
