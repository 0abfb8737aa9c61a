"""Conversations kept by name, in one SQLite file.

A turn is there with all that was answered, or not at all, whatever ends the process. Several processes may read and
write at once: each waits for its turn, and turns of one session stand in the order in which they were answered.
Connections are opened for one step and closed, so a store may be shared by threads.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chinese_llm_rag.chains.conversation.reply import Reply
from chinese_llm_rag.chains.exchange import Exchange
from chinese_llm_rag.errors import ConfigError, SessionError
from chinese_llm_rag.language import say

FILE_NAME = "sessions.sqlite3"
MOST_RECALLED = 100  # turns: more than any window holds
_FORMAT = 1
_LONGEST_NAME = 100
_BUSY_S = 30
_TABLES = """
CREATE TABLE sessions (name TEXT PRIMARY KEY, created_at TEXT NOT NULL);
CREATE TABLE turns (
    session TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE, ordinal INTEGER NOT NULL, asked_at TEXT NOT NULL,
    reply TEXT NOT NULL, PRIMARY KEY (session, ordinal)
)
"""


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """A session as a list shows it; times are UTC, ISO 8601."""

    name: str
    n_turns: int
    created_at: str
    changed_at: str

    def to_dict(self) -> dict[str, Any]:
        """The form in which it is printed as JSON."""
        return {
            "name": self.name,
            "turns": self.n_turns,
            "created_at": self.created_at,
            "changed_at": self.changed_at,
        }


@dataclass(frozen=True, slots=True)
class SessionTurn:
    """One question with its answer: when it was asked, and a Reply's `to_dict`."""

    asked_at: str
    reply: dict[str, Any]

    @property
    def exchange(self) -> Exchange:
        """What a later question may lean on."""
        return Exchange(self.reply["question"], self.reply["answer"]["text"], self.reply["query"])


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation, oldest turn first."""

    name: str
    created_at: str
    turns: tuple[SessionTurn, ...]

    def to_dict(self) -> dict[str, Any]:
        """The form in which it is exported as JSON."""
        turns = [{"asked_at": turn.asked_at, **turn.reply} for turn in self.turns]
        return {"name": self.name, "created_at": self.created_at, "turns": turns}


class SessionStore:
    """The sessions of a file, which is made with the first turn.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> list[str]:
        """Names of all sessions, the last used first."""
        return [summary.name for summary in self.summaries()]

    def summaries(self) -> list[SessionSummary]:
        """All sessions, the last used first."""
        with self._reading() as connection:
            if connection is None:
                return []
            rows = connection.execute(
                "SELECT name, count(*), created_at, max(asked_at) AS changed_at FROM sessions JOIN turns"
                " ON session = name GROUP BY name ORDER BY changed_at DESC, name"
            )
            return [SessionSummary(*row) for row in rows]

    def get(self, name: str) -> Session:
        """A session with all its turns.

        Raises:
            SessionError: there is none of this name.
        """
        with self._reading() as connection:
            found = (
                connection and connection.execute("SELECT created_at FROM sessions WHERE name = ?", (name,)).fetchone()
            )
            if not connection or not found:
                raise _unknown(name)
            rows = connection.execute("SELECT asked_at, reply FROM turns WHERE session = ? ORDER BY ordinal", (name,))
            return Session(name, found[0], tuple(SessionTurn(at, json.loads(reply)) for at, reply in rows))

    def exchanges(self, name: str, last: int = MOST_RECALLED) -> tuple[Exchange, ...]:
        """The last exchanges of a session, oldest first; none of one that has not begun."""
        check_name(name)
        with self._reading() as connection:
            if connection is None:
                return ()
            rows = connection.execute(
                "SELECT asked_at, reply FROM turns WHERE session = ? ORDER BY ordinal DESC LIMIT ?", (name, last)
            ).fetchall()
        return tuple(SessionTurn(at, json.loads(reply)).exchange for at, reply in reversed(rows))

    def add(self, name: str, reply: Reply) -> None:
        """Keep a reply as the last turn of a session, which begins with its first."""
        check_name(name)
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self._writing() as connection:
            connection.execute("INSERT OR IGNORE INTO sessions VALUES (?, ?)", (name, now))
            connection.execute(
                "INSERT INTO turns SELECT ?, coalesce(max(ordinal), 0) + 1, ?, ? FROM turns WHERE session = ?",
                (name, now, json.dumps(reply.to_dict()), name),
            )

    def delete(self, name: str) -> None:
        """Delete a session; what it held is overwritten in the file.

        Raises:
            SessionError: there is none of this name.
        """
        with self._reading() as connection:
            if not connection:
                raise _unknown(name)
        with self._writing() as connection:
            if not connection.execute("DELETE FROM sessions WHERE name = ?", (name,)).rowcount:
                raise _unknown(name)

    # --- the file ---------------------------------------------------------------------------------

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """One state of the file; None where nothing was ever kept."""
        if not self.path.exists():
            yield None
            return
        with self._connected() as connection:
            connection.execute("BEGIN")
            yield connection if self._format(connection) else None

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """All or nothing."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from error
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            if not self._format(connection):
                for statement in _TABLES.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {_FORMAT}")
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """A connection that is closed at the end, which undoes what was not committed."""
        try:
            connection = sqlite3.connect(self.path, isolation_level=None, timeout=_BUSY_S)
            try:
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA foreign_keys = ON")
                connection.execute("PRAGMA secure_delete = ON")
                yield connection
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise self._unusable(str(error)) from error

    def _format(self, connection: sqlite3.Connection) -> int:
        """The format of the file, 0 for a new one."""
        found = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if found > _FORMAT:
            raise self._unusable(say("a later version of this program made it", "它由更高版本的程序创建"))
        return found

    def _unusable(self, reason: str) -> SessionError:
        return SessionError(
            say(
                f"cannot use the sessions in {str(self.path)!r}: {reason}",
                f"无法使用 {str(self.path)!r} 中的会话：{reason}",
            ),
            hint=say(
                "free some space, check its permissions, or move the file away", "请检查磁盘空间和权限，或移走该文件"
            ),
        )


def check_name(name: object) -> str:
    """The name, where a session can have it.

    Raises:
        ConfigError: it is empty, too long, or holds what cannot be printed.
    """
    if isinstance(name, str) and name.strip() == name and 0 < len(name) <= _LONGEST_NAME and name.isprintable():
        return name
    raise ConfigError(
        say(
            f"session={name!r}, expected a name of 1 to {_LONGEST_NAME} printable characters",
            f"session={name!r} 无效，应为 1 到 {_LONGEST_NAME} 个可显示字符",
        ),
        setting="session",
    )


def _unknown(name: str) -> SessionError:
    return SessionError(
        say(f"there is no session {name!r}", f"没有名为 {name!r} 的会话"),
        session=name,
        hint=say("see all with: clrag sessions list", "用 clrag sessions list 查看所有会话"),
    )
