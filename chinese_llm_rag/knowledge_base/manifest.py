"""The manifest: the SQLite file that is the truth of a knowledge base.

A row is visible as soon as it is committed; a document's rows are written and removed in one
transaction. The two derived indexes may lag behind while `meta("dirty")` is set, and only then.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from langchain_core.documents import Document

from chinese_llm_rag.chinese_text import normalize
from chinese_llm_rag.knowledge_base.database import Database
from chinese_llm_rag.knowledge_base.records import FileRecord, FurnitureRecord, PreparedDocument
from chinese_llm_rag.knowledge_base.rows import chunk_rows, document_row, furniture_rows, page_rows

_FILES = (
    "SELECT f.*, d.n_pages, (SELECT count(*) FROM chunks c WHERE c.content_hash = f.content_hash) AS n_chunks"
    " FROM files f LEFT JOIN documents d USING (content_hash)"
)
_SOURCE = "(SELECT path FROM files n WHERE n.content_hash = {}.content_hash ORDER BY n.rowid LIMIT 1) AS source"


class Manifest(Database):
    """Files, documents, pages, chunks and embeddings of a knowledge base."""

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
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                record.path,
                record.content_hash,
                record.size_bytes,
                record.mtime_ns,
                record.status,
                json.dumps(record.problems, ensure_ascii=False),
                json.dumps(record.tags, ensure_ascii=False),
            ),
        )

    def rename_file(self, path: str, record: FileRecord) -> None:
        """Give a file's row another name and what goes with it, in its old place among the names of its content."""
        self._connection.execute("DELETE FROM files WHERE path = ?", (record.path,))
        self._connection.execute(
            "UPDATE files SET path = ?, size_bytes = ?, mtime_ns = ? WHERE path = ?",
            (record.path, record.size_bytes, record.mtime_ns, path),
        )

    def set_tags(self, path: str, tags: Sequence[str]) -> None:
        """Give a file other tags."""
        with self.transaction():
            self._connection.execute(
                "UPDATE files SET tags = ? WHERE path = ?", (json.dumps(tags, ensure_ascii=False), path)
            )

    def add_tags(self, paths: Iterable[str], tags: Iterable[str]) -> None:
        """Give files these tags besides those they have; paths that are not there are passed over."""
        given = frozenset(tags)
        for record in [self.file(path) for path in paths] if given else ():
            if record is not None and not given <= set(record.tags):
                self.set_tags(record.path, sorted(given.union(record.tags)))

    def delete_file(self, path: str) -> None:
        """Delete a file's row. Call `drop_unreferenced` in the same transaction."""
        self._connection.execute("DELETE FROM files WHERE path = ?", (path,))

    def put_document(self, document: PreparedDocument) -> list[str]:
        """Insert or replace a document with its pages and chunks; its embeddings are stored already.

        Returns:
            the ids of chunks that it had, and has no more.
        """
        key, pages = document.content_hash, document.pages
        self._connection.execute(
            "INSERT INTO documents VALUES (?, ?, ?, ?, ?) ON CONFLICT (content_hash) DO UPDATE SET"
            " n_pages = excluded.n_pages, n_chars = excluded.n_chars, loader = excluded.loader,"
            " pages_hash = excluded.pages_hash",
            document_row(key, document.loader, pages),
        )
        for table in ("pages", "furniture"):
            self._connection.execute(f"DELETE FROM {table} WHERE content_hash = ?", (key,))
        self._connection.executemany("INSERT INTO pages VALUES (?, ?, ?, ?, ?)", page_rows(key, pages))
        self._connection.executemany("INSERT INTO furniture VALUES (?, ?, ?, ?, ?)", furniture_rows(key, pages))
        return self.put_chunks(key, document.chunks)

    def put_chunks(self, content_hash: str, chunks: Sequence[Document]) -> list[str]:
        """Insert or replace the chunks of a document; the ids of those that it had, and has no more."""
        had = self._rows("SELECT chunk_id FROM chunks WHERE content_hash = ?", (content_hash,))
        self._connection.execute("DELETE FROM chunks WHERE content_hash = ?", (content_hash,))
        self._connection.executemany(
            "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", chunk_rows(content_hash, chunks)
        )
        return sorted({row["chunk_id"] for row in had}.difference(str(chunk.id) for chunk in chunks))

    def content_hashes(self) -> list[str]:
        """All documents, in the order in which they went in."""
        return [row["content_hash"] for row in self._rows("SELECT content_hash FROM documents ORDER BY rowid")]

    def pages_hash(self, content_hash: str) -> str | None:
        """The hash of a document's text when it went in; None where an older format did not keep it."""
        rows = self._rows("SELECT pages_hash FROM documents WHERE content_hash = ?", (content_hash,))
        return rows[0]["pages_hash"] if rows else None

    def pages(self, content_hash: str) -> list[Document]:
        """The pages of a document with PageMetadata, in order."""
        sql = (
            f"SELECT p.*, d.n_pages, {_SOURCE.format('p')} FROM pages p JOIN documents d USING (content_hash)"
            " WHERE content_hash = ? ORDER BY page"
        )
        return [_page_document(row) for row in self._rows(sql, (content_hash,))]

    def furniture(self, text: str) -> list[FurnitureRecord]:
        """Running headers and footers that hold a text, however it is spaced; none for a text without any letter."""
        wanted = "".join(normalize(text).split())
        if not any(map(str.isalnum, wanted)):
            return []
        sql = f"SELECT f.*, {_SOURCE.format('f')} FROM furniture f WHERE instr(normal, ?) ORDER BY source, page_start"
        return [
            FurnitureRecord(row["source"], row["page_start"], row["page_end"], row["text"])
            for row in self._rows(sql, (wanted,))
        ]

    def drop_document(self, content_hash: str, problem: str) -> None:
        """Delete a document, and put its files on record as failed, so that the next run reads them again."""
        self._connection.execute(
            "UPDATE files SET content_hash = NULL, status = 'failed', problems = ? WHERE content_hash = ?",
            (json.dumps([problem], ensure_ascii=False), content_hash),
        )
        self._connection.execute("DELETE FROM documents WHERE content_hash = ?", (content_hash,))

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
        sql = f"SELECT c.*, {_SOURCE.format('c')} FROM chunks c WHERE chunk_id IN ({{}})"
        return {row["chunk_id"]: _chunk_document(row) for row in self._rows_in(sql, list(ids))}

    def chunks_of(self, content_hash: str) -> list[tuple[Document, str]]:
        """The chunks of a document in order, each with the hash of the text that is embedded for it."""
        sql = f"SELECT c.*, {_SOURCE.format('c')} FROM chunks c WHERE content_hash = ? ORDER BY ordinal"
        return [(_chunk_document(row), row["text_hash"]) for row in self._rows(sql, (content_hash,))]

    def iter_chunks(self, portion: int) -> Iterator[list[Document]]:
        """All chunks, in portions, in the order in which they went in."""
        sql = (
            f"SELECT c.rowid AS number, c.*, {_SOURCE.format('c')} FROM chunks c WHERE c.rowid > ?"
            " ORDER BY c.rowid LIMIT ?"
        )
        last = 0
        while rows := self._rows(sql, (last, portion)):
            yield [_chunk_document(row) for row in rows]
            last = rows[-1]["number"]

    def n_chars_of_chunks(self) -> int:
        """Characters of all chunks together."""
        return int(self._one("SELECT coalesce(sum(length(text)), 0) AS n FROM chunks")["n"])

    def vectors(self, ids: Sequence[str]) -> dict[str, npt.NDArray[np.float32]]:
        """The stored embeddings of chunks by chunk id."""
        sql = "SELECT chunk_id, vector FROM chunks JOIN embeddings USING (text_hash) WHERE chunk_id IN ({})"
        return {
            row["chunk_id"]: np.frombuffer(row["vector"], dtype=np.float32) for row in self._rows_in(sql, list(ids))
        }

    # --- embeddings, by the hash of the text ----------------------------------------------------

    def embedded(self, text_hashes: Iterable[str]) -> set[str]:
        """Those of the texts whose embeddings are stored."""
        rows = self._rows_in("SELECT text_hash FROM embeddings WHERE text_hash IN ({})", list(text_hashes))
        return {row["text_hash"] for row in rows}

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

    # --- another index --------------------------------------------------------------------------

    def copy_from(self, path: Path, *, embeddings: bool, chunks: bool) -> None:
        """Hold what another manifest holds, all of it or nothing; embeddings of this one stay.

        Args:
            path: the other one's file.
            embeddings: whether its embeddings are copied too.
            chunks: whether its chunks are.
        """
        tables = ["documents", "files", "pages", "furniture", *(["chunks"] if chunks else [])]
        self._connection.execute("ATTACH DATABASE ? AS other", (str(path),))
        try:
            with self.transaction():
                for table in ("chunks", "furniture", "pages", "files", "documents"):
                    self._connection.execute(f"DELETE FROM main.{table}")
                for table in tables:
                    self._connection.execute(f"INSERT INTO main.{table} SELECT * FROM other.{table} ORDER BY rowid")
                if embeddings:
                    self._connection.execute("INSERT OR IGNORE INTO main.embeddings SELECT * FROM other.embeddings")
        finally:
            self._connection.execute("DETACH DATABASE other")


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
        tags=tuple(json.loads(row["tags"])),
    )


def _chunk_document(row: sqlite3.Row) -> Document:
    metadata: dict[str, Any] = {
        key: row[key] for key in ("source", "content_hash", "page_start", "page_end", "start", "end", "chunk_id")
    }
    metadata["page_offsets"] = json.loads(row["page_offsets"])
    metadata.update(json.loads(row["details"]))
    return Document(row["text"], id=row["chunk_id"], metadata=metadata)


def _page_document(row: sqlite3.Row) -> Document:
    metadata = {key: row[key] for key in ("source", "content_hash", "page", "n_pages", "start")}
    return Document(row["text"], metadata={**metadata, **json.loads(row["details"])})
