"""The complaints of the disk and of the databases, as errors of ours."""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chinese_llm_rag.errors import KnowledgeBaseError
from chinese_llm_rag.language import say


@contextmanager
def storage_errors(folder: Path) -> Iterator[None]:
    """Map what the storage below the knowledge base in `folder` raises to KnowledgeBaseError."""
    try:
        yield
    except sqlite3.Error as error:
        raise _storage_error(folder, str(error)) from error
    except OSError as error:
        raise _storage_error(folder, error.strerror or str(error)) from error
    except _chroma_errors() as error:
        raise _storage_error(folder, str(error)) from error


def _chroma_errors() -> tuple[type[Exception], ...]:
    """Chroma's own errors, without loading Chroma where nothing has."""
    errors = sys.modules.get("chromadb.errors")
    return (errors.ChromaError,) if errors is not None else ()


def _storage_error(folder: Path, reason: str) -> KnowledgeBaseError:
    return KnowledgeBaseError(
        say(f"cannot use the storage in {str(folder)!r}: {reason}", f"无法使用 {str(folder)!r} 中的存储：{reason}"),
        folder=folder,
        hint=say("free some space on the disk, check its permissions, and run again", "请检查磁盘空间和权限后重试"),
    )
