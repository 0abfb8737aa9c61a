"""A copy of a manifest that is nobody's base yet: looked at without being changed."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chinese_llm_rag.language import say

_VECTORS = "SELECT count(*) FROM chunks LEFT JOIN embeddings USING (text_hash) WHERE length(vector) IS NOT 4 * ?"
_OWN = ("format_version", "dirty", "rebuild_aim")  # of the index that a manifest is in, not of its content


@dataclass(frozen=True, slots=True)
class CopiedManifest:
    """What a manifest's file says of itself.

    Attributes:
        meta: its records of embedding model and splitter.
        problems: what makes an index that cannot be built from it.
        n_files: how many files are indexed.
        n_chunks: how many chunks.
    """

    meta: dict[str, Any]
    problems: tuple[str, ...]
    n_files: int
    n_chunks: int


def format_of(path: Path) -> object:
    """The format that a manifest's file says it has; None where it says nothing.

    Raises:
        sqlite3.Error: it is no database, or not one with records.
        ValueError: what it says is no JSON.
    """
    with _reading(path) as connection:
        row = connection.execute("SELECT value FROM meta WHERE key = 'format_version'").fetchone()
    return json.loads(row[0]) if row else None


def look_at(path: Path) -> CopiedManifest:
    """Read a manifest's file.

    Raises:
        sqlite3.Error: it is no database, or has not the tables of one.
        ValueError: its records are no JSON.
    """
    with _reading(path) as connection:
        meta = {key: json.loads(value) for key, value in connection.execute("SELECT key, value FROM meta")}
        embedding = meta.get("embedding")
        dimension = embedding.get("dimension") if isinstance(embedding, dict) else None
        return CopiedManifest(
            meta={key: value for key, value in meta.items() if key not in _OWN},
            problems=tuple(_problems(connection, dimension)),
            n_files=_count(connection, "SELECT count(*) FROM files WHERE status = 'indexed'"),
            n_chunks=_count(connection, "SELECT count(*) FROM chunks"),
        )


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    # Immutable: nobody else has the file, and no journal is made beside it.
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        connection.execute("PRAGMA trusted_schema = OFF")
        yield connection


def _problems(connection: sqlite3.Connection, dimension: Any) -> Iterator[str]:  # noqa: ANN401
    for (detail,) in connection.execute("PRAGMA integrity_check"):
        if detail != "ok":
            yield str(detail)
    if connection.execute("PRAGMA foreign_key_check").fetchone():
        yield say("rows refer to others that are missing", "有记录引用了缺失的内容")
    if n := _count(connection, _VECTORS, dimension):
        yield say(f"{n} chunks without their embedding", f"{n} 个片段缺少嵌入向量")


def _count(connection: sqlite3.Connection, sql: str, *parameters: Any) -> int:  # noqa: ANN401
    return int(connection.execute(sql, parameters).fetchone()[0])
