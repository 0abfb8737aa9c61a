"""Chroma over a folder that other processes read and write too, and that a process may die over.

Chroma keeps texts and a log of all changes in SQLite, where nothing is lost. Its graph of neighbours is another matter:

- The graph is written in place, into several files. A process that is killed meanwhile leaves files that Chroma cannot
  read, or that crash the process that tries; one that opens them meanwhile meets the same. So the graph is written and
  read under a lock, and a mark lies beside it while it is written. Whoever finds the mark under the lock knows that the
  writer has died, and throws the folder away: it is derived, and rebuilt from the manifest.
- A graph in memory hears nothing of what other processes write. So the log's end is looked at before each use, and the
  graph is read again when it has moved.
- Changes since the graph was last written are inserted again each time it is read, some milliseconds each, also where
  only a count is asked for: so counts and ids are read from Chroma's tables. Chroma writes the graph every
  `sync_threshold` changes. `save` makes up what is missing to that with deletions of nothing.
- It is written as a whole, so the threshold grows with the graph: 1000 changes up to 100,000 chunks, then a hundredth.
"""

import itertools
import os
import shutil
import sqlite3
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from chinese_llm_rag.errors import KnowledgeBaseBusyError
from chinese_llm_rag.knowledge_base.durable import sync_file, sync_folder
from chinese_llm_rag.language import say
from chinese_llm_rag.offline import forbid_calling_home
from chinese_llm_rag.retrievers.dense import CHROMA_CONFIGURATION

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.collection_configuration import CreateCollectionConfiguration, UpdateCollectionConfiguration
    from chromadb.api.models.Collection import Collection

COLLECTION = "chunks"
_DATABASE = "chroma.sqlite3"
MOST_UNSAVED = 100  # changes that each opening may have to insert again: half a second at 100,000 chunks
_LEAST_THRESHOLD = 1000
_SHARE = 100  # of the graph that changes between two writings of it: one in so many
_PORTION = 1000  # records of one call
_LOCK_S = 600.0  # for a writing of the graph by another process: seconds at a million chunks
_SLOW_S, _PATIENCE = 1.0, 10  # a graph that takes long to read is read again at most in one part of the time
_NUMBERS, _SPELLINGS = itertools.count(), 256
# Of Chroma's own tables: how far the texts have come, whether the log is ahead of them, what there is, and how many
# changes the graph's files lack.
_END = "SELECT s.id, m.seq_id FROM segments s LEFT JOIN max_seq_id m ON m.segment_id = s.id WHERE s.scope = 'METADATA'"
_BEHIND = """SELECT coalesce(max(seq_id), 0) > (SELECT coalesce(max(m.seq_id), 0)
    FROM segments s JOIN max_seq_id m ON m.segment_id = s.id WHERE s.scope = 'METADATA') FROM embeddings_queue"""
_HAS_TABLES = """SELECT count(*) = 4 FROM sqlite_master
    WHERE name IN ('embeddings', 'embeddings_queue', 'max_seq_id', 'segments')"""
_COUNT, _IDS = "SELECT count(*) FROM embeddings", "SELECT embedding_id FROM embeddings"
_UNSAVED = """SELECT count(*) FROM embeddings_queue WHERE seq_id > (SELECT coalesce(max(m.seq_id), -1)
    FROM segments s JOIN max_seq_id m ON m.segment_id = s.id WHERE s.scope = 'VECTOR')"""


class ChromaFolder:
    """One collection, as it is now. May be used from several threads, of which one writes.

    Args:
        folder: made where it is missing.

    Raises:
        KnowledgeBaseBusyError: another process writes the graph for longer than ten minutes.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._lock_file, self._mark_file = folder / "graph.lock", folder / "graph.unfinished"
        self._turn = threading.Condition()
        self._n_users = 0
        self._writing = False
        self.client: ClientAPI | None = None  # of the present collection
        self._collection: Collection | None = None
        self._file: object = None  # which file SQLite has open
        self._seen: object = None  # the end of the log that the graph in memory has come to
        self._read_at, self._took_s = 0.0, 0.0
        self._n_unsaved, self._threshold = 0, _LEAST_THRESHOLD

    # --- use ------------------------------------------------------------------------------------

    @contextmanager
    def reading(self) -> Iterator["Collection"]:
        """The collection, for as long as the block runs."""
        with self._turn:
            while not self._is_present():
                if not self._n_users:
                    self._open()
                    break  # it may have moved on already, where another process writes all the time
                self._turn.wait()
            self._n_users += 1
        try:
            yield cast("Collection", self._collection)
        finally:
            with self._turn:
                self._n_users -= 1
                self._turn.notify_all()

    @contextmanager
    def writing(self, n: int) -> Iterator["Collection"]:
        """The collection, for one call that changes n records. The caller holds the base's writer lock."""
        with self.reading() as collection:
            self._writing = True
            try:
                due = self._n_unsaved + n >= self._threshold
                if due or not self._graph_files():  # the first call of all makes the files
                    with self._graph_lock(), self._marked():
                        yield collection
                else:
                    yield collection
                self._n_unsaved = 0 if due else self._n_unsaved + n
            finally:
                self._writing = False
            self._seen = self._table(_END)
        if not self._n_unsaved:
            self._raise_threshold()

    def portions(self, n: int) -> Iterator[slice]:
        """How n changes are to be made, so that the graph is written in the shortest of calls."""
        start = 0
        if n:
            with self.reading():
                pass  # from now on it is known how much the graph's files lack
        while start < n:
            room = self._threshold - self._n_unsaved - 1
            size = min(n - start, _PORTION, max(room, 1))
            yield slice(start, start + size)
            start += size

    def save(self) -> None:
        """Have the graph written, if its files lack much. The caller holds the base's writer lock."""
        if self._collection is None or self._n_unsaved <= MOST_UNSAVED:
            return
        for portion in self.portions(self._threshold - self._n_unsaved):
            with self.writing(portion.stop - portion.start) as collection:
                collection.delete(ids=[f"nothing-{i}" for i in range(portion.start, portion.stop)])

    def close(self) -> None:
        """Let go of Chroma's files, so that the folder can be opened again or removed."""
        with self._turn:
            if self.client is not None:
                self.client.close()  # type: ignore[attr-defined]  # only concrete clients declare it
            self.client = self._collection = None

    # --- what is in it, without the graph ---------------------------------------------------------

    def count(self) -> int:
        """How many records there are."""
        return int(self._table(_COUNT)[0][0]) if self._is_there() else 0

    def ids(self) -> set[str]:
        """The ids of all records."""
        return {row[0] for row in self._table(_IDS)} if self._is_there() else set()

    def present(self, ids: Sequence[str]) -> set[str]:
        """Those of the ids that are there."""
        found: set[str] = set()
        for i in range(0, len(ids) if self._is_there() else 0, _PORTION):
            portion = ids[i : i + _PORTION]
            among = f"{_IDS} WHERE embedding_id IN ({','.join('?' * len(portion))})"
            found.update(row[0] for row in self._table(among, portion))
        return found

    def _is_there(self) -> bool:
        """Whether there are tables; what a dead writer has left undone is done, or thrown away, first."""
        if self._present_file() is None or not self._table(_HAS_TABLES)[0][0]:
            return False
        if self._mark_file.exists() or self._table(_BEHIND)[0][0]:
            with self.reading():
                pass
        return True

    # --- opening --------------------------------------------------------------------------------

    def _is_present(self) -> bool:
        if self._collection is None or self._file != self._present_file():
            return False
        recent = self._took_s > _SLOW_S and time.monotonic() - self._read_at < _PATIENCE * self._took_s
        return self._writing or recent or self._seen == self._table(_END)

    def _open(self) -> None:
        """Open the collection as it is now; where a writer has left the graph unfinished, one in memory is kept."""
        with self._graph_lock():
            unfinished = self._mark_file.exists()
            if unfinished and self._collection is not None and self._file == self._present_file():
                self._seen = self._table(_END)
                return
            started = time.monotonic()
            self.close()
            if unfinished:
                self._discard()
            self._connect()
            self._read_graph()
            self._read_at, self._took_s = time.monotonic(), time.monotonic() - started

    def _connect(self) -> None:
        forbid_calling_home()
        import chromadb  # noqa: PLC0415  (takes most of a second)
        from chromadb.config import Settings  # noqa: PLC0415
        from chromadb.errors import NotFoundError  # noqa: PLC0415

        # Within a process Chroma shares what was opened by the same path, however old it is: no two are the same here.
        path = str(self._folder) + f"{os.sep}." * (1 + next(_NUMBERS) % _SPELLINGS)
        self.client = chromadb.PersistentClient(path, settings=Settings(anonymized_telemetry=False))
        self._file = self._present_file()
        try:
            self._collection = self.client.get_collection(COLLECTION, embedding_function=None)
        except NotFoundError:
            configuration = cast("CreateCollectionConfiguration", CHROMA_CONFIGURATION)
            self._collection = self.client.get_or_create_collection(
                COLLECTION, embedding_function=None, configuration=configuration
            )

    def _read_graph(self) -> None:
        collection = cast("Collection", self._collection)
        self._threshold = int(collection.configuration_json["hnsw"]["sync_threshold"])
        self._n_unsaved = int(self._table(_UNSAVED)[0][0])
        # A writer that died between its log and its graph leaves so much to do that reading the graph writes it too.
        with self._marked() if self._n_unsaved >= self._threshold else nullcontext():
            collection.get(limit=1, include=["embeddings"])
        self._n_unsaved = int(self._table(_UNSAVED)[0][0])
        self._seen = self._table(_END)

    def _raise_threshold(self) -> None:
        with self.reading() as collection:
            wanted = self.count() // _SHARE
            if wanted < 2 * self._threshold:
                return
            changed = cast("UpdateCollectionConfiguration", {"hnsw": {"sync_threshold": wanted}})
            with warnings.catch_warnings():  # Chroma complains of its own record of "no embedding function"
                warnings.simplefilter("ignore", DeprecationWarning)
                collection.modify(configuration=changed)
        with self._turn:
            self._turn.wait_for(lambda: not self._n_users)
            self.close()  # Chroma looks at it when it reads the graph

    def _discard(self) -> None:
        for part in self._folder.iterdir():
            if part.is_dir():
                shutil.rmtree(part)
            elif part not in (self._lock_file, self._mark_file):
                part.unlink()
        self._mark_file.unlink()

    # --- the graph's files ----------------------------------------------------------------------

    @contextmanager
    def _graph_lock(self) -> Iterator[None]:
        from filelock import FileLock, Timeout  # noqa: PLC0415  (keeps `--help` instant)

        lock = FileLock(self._lock_file, timeout=_LOCK_S)
        try:
            lock.acquire()
        except Timeout as error:
            raise KnowledgeBaseBusyError(
                say(
                    f"another process has been writing to {str(self._folder)!r} for {_LOCK_S:.0f} s",
                    f"另一进程占用 {str(self._folder)!r} 已达 {_LOCK_S:.0f} 秒",
                ),
                folder=self._folder,
                hint=say("wait until it has finished, or end that process", "请等它完成，或结束该进程"),
            ) from error
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _marked(self) -> Iterator[None]:
        """While the graph may be written. Where that began and failed the mark stays: the files are no good."""
        before = self._graph_files()
        self._mark_file.touch()
        sync_folder(self._folder)
        try:
            yield
        except BaseException:
            if self._graph_files() == before:
                self._mark_file.unlink()
            raise
        for file in self._folder.glob("*/*"):
            sync_file(file)
        self._mark_file.unlink()

    def _graph_files(self) -> dict[Path, tuple[int, int]]:
        stats = {file: file.stat() for file in self._folder.glob("*/*")}
        return {file: (stat.st_size, stat.st_mtime_ns) for file, stat in stats.items()}

    # --- Chroma's tables ------------------------------------------------------------------------

    def _present_file(self) -> object:
        """Another one where another process has thrown the folder away."""
        try:
            return (self._folder / _DATABASE).stat().st_ino
        except FileNotFoundError:
            return None

    def _table(self, sql: str, parameters: Sequence[str] = ()) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self._folder / _DATABASE, timeout=30)) as database:
            return database.execute(sql, parameters).fetchall()
