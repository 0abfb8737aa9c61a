"""The complaints of the disk and of the databases, as errors of ours."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chinese_llm_rag.errors import KnowledgeBaseError
from chinese_llm_rag.language import say

_FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# Chroma and tantivy pass the system's message on as text inside exceptions of their own.
_FULL_DISK_WORDS = ("no space left", "disk is full", "disk full", "file too large", "quota exceeded")


@contextmanager
def storage_errors(folder: Path) -> Iterator[None]:
    """Map what the storage below the knowledge base in `folder` raises to KnowledgeBaseError."""
    try:
        yield
    except sqlite3.Error as error:
        raise _storage_error(folder, str(error)) from error
    except OSError as error:
        if error.errno not in _FULL_DISK and not isinstance(error, PermissionError):
            raise
        raise _storage_error(folder, error.strerror or str(error)) from error
    except Exception as error:
        if not is_storage_failure(error):
            raise
        raise _storage_error(folder, str(error)) from error


def is_storage_failure(error: BaseException) -> bool:
    """Whether the error comes from a full or read-only disk, and not from a mistake of ours."""
    if type(error).__module__.partition(".")[0] == "chromadb":
        return True
    return any(word in str(error).lower() for word in _FULL_DISK_WORDS)


def _storage_error(folder: Path, reason: str) -> KnowledgeBaseError:
    return KnowledgeBaseError(
        say(f"cannot use the storage in {str(folder)!r}: {reason}", f"无法使用 {str(folder)!r} 中的存储：{reason}"),
        folder=folder,
        hint=say("free some space on the disk, check its permissions, and run again", "请检查磁盘空间和权限后重试"),
    )
