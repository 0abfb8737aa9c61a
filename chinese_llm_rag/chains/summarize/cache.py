"""What a model made of a prompt, kept on disk: an interrupted run resumes, a changed chapter costs one call."""

import hashlib
import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Protocol

from langchain_core.messages import BaseMessage

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say

_TABLE = "CREATE TABLE IF NOT EXISTS steps (key TEXT PRIMARY KEY, text TEXT NOT NULL)"


class SummaryCache(Protocol):
    """Texts by key."""

    def get(self, key: str) -> str | None:
        """The text, or None."""
        ...

    def put(self, key: str, text: str) -> None:
        """Keep a text."""
        ...


class MemoryCache(dict[str, str]):
    """A cache that lasts as long as the process."""

    def put(self, key: str, text: str) -> None:
        """Keep a text."""
        self[key] = text


class FileCache:
    """A cache in one SQLite file; several processes may use it at once.

    Raises:
        ConfigError: the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with closing(self._connection()) as connection:
                connection.execute(_TABLE)
        except (sqlite3.Error, OSError) as error:
            raise ConfigError(
                say(f"cannot use {str(path)!r}: {error}", f"无法使用 {str(path)!r}：{error}"),
                setting="home",
                hint=say(
                    "remove the file: it holds nothing that cannot be made again", "可删除该文件，其内容可重新生成"
                ),
            ) from error

    def get(self, key: str) -> str | None:
        """The text, or None."""
        with self._lock, closing(self._connection()) as connection:
            row = connection.execute("SELECT text FROM steps WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def put(self, key: str, text: str) -> None:
        """Keep a text."""
        with self._lock, closing(self._connection()) as connection:
            connection.execute("INSERT OR REPLACE INTO steps VALUES (?, ?)", (key, text))

    def _connection(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, isolation_level=None, timeout=30)


def step_key(model_id: str, prompt: str | list[BaseMessage]) -> str:
    """The key of what a model makes of a prompt."""
    turns = prompt if isinstance(prompt, str) else [(message.type, message.text) for message in prompt]
    return hashlib.sha256(json.dumps([model_id, turns], ensure_ascii=False).encode()).hexdigest()
