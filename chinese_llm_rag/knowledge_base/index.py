"""One index of a base, opened: manifest, vectors and words that belong together, and how they are made to agree."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from chinese_llm_rag.errors import KnowledgeBaseBusyError, KnowledgeBaseError
from chinese_llm_rag.knowledge_base.derived import DerivedIndexes
from chinese_llm_rag.knowledge_base.failures import storage_errors
from chinese_llm_rag.knowledge_base.generations import MANIFEST, Generations, Hold
from chinese_llm_rag.knowledge_base.identity import check_format
from chinese_llm_rag.knowledge_base.lock import writer_lock
from chinese_llm_rag.knowledge_base.manifest import Manifest
from chinese_llm_rag.language import say

_LOG = logging.getLogger("chinese_llm_rag.knowledge_base")
_MANY = 2_000  # chunks: what takes so long that whoever opens the base is told


class OpenIndex:
    """The index in force of the base in `root`, held until `close`.

    Raises:
        KnowledgeBaseError: unreadable, or of a newer format.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        with storage_errors(root):
            self._hold: Hold | None = Generations(root).hold()
            self.folder = self._hold.folder
            try:
                self.manifest = Manifest(self.folder / MANIFEST)
            except BaseException:
                self._hold.release()
                raise
        self.derived = DerivedIndexes(self.folder)
        self._checked = False
        try:
            with storage_errors(root):
                if self.manifest.is_new:
                    self.manifest.create()
                if self.manifest.meta("format_version") == 1:
                    self.manifest.migrate()
                check_format(self.manifest.meta("format_version"), root)
            self._recover()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of all files."""
        self.derived.close()
        self.manifest.close()
        if self._hold is not None:
            self._hold.release()
            self._hold = None

    @property
    def in_force(self) -> bool:
        """Whether no other index has taken its place."""
        return Generations(self._root).current() == self.folder

    def ensure_searchable(self) -> None:
        """Rebuild a part that was thrown away or lost chunks, unless a living writer is at it."""
        if not self._checked:
            with storage_errors(self._root):
                agree = self.derived.agrees_with(self.manifest)
            if not agree:
                with suppress(KnowledgeBaseBusyError), self.writing():
                    pass
            self._checked = True

    @contextmanager
    def holding_lock(self) -> Iterator[None]:
        """Hold the writer lock over the index in force; its parts may disagree."""
        with storage_errors(self._root), writer_lock(self._root):
            if not self.in_force:
                raise KnowledgeBaseError(
                    say(
                        f"the index of {str(self._root)!r} was replaced meanwhile",
                        f"{str(self._root)!r} 的索引已被替换",
                    ),
                    folder=self._root,
                    hint=say("open the base again", "请重新打开知识库"),
                )
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the writer lock over an index whose three parts agree, before and, on failure, after."""
        with self.holding_lock():
            try:
                self._settle()
                yield
                with storage_errors(self._root):
                    self.derived.save()
            except BaseException:
                # Where the disk is still full this fails too; the mark stays, and the next opening settles it.
                with suppress(KnowledgeBaseError), storage_errors(self._root):
                    self._settle()
                raise
            finally:
                self.derived.release()

    def _recover(self) -> None:
        """Finish an interrupted run, unless a living writer is at it."""
        if self.manifest.meta("dirty"):
            with suppress(KnowledgeBaseBusyError), self.writing():
                pass

    def _settle(self) -> None:
        if self.manifest.meta("dirty") or not self.derived.agrees_with(self.manifest):
            self.manifest.set_meta("dirty", value=True)
            if (n := self.manifest.n_chunks() - len(self.derived.vectors)) > _MANY:
                _LOG.warning(
                    say(
                        f"{str(self._root)!r}: the vectors of {n} chunks are put into their index again, "
                        "some hundred a second",
                        f"{str(self._root)!r}：正在把 {n} 个片段的向量重新写入索引，每秒约数百个",
                    )
                )
            self.derived.reconcile(self.manifest)
            self.manifest.set_meta("dirty", value=False)
