"""The knowledge base: opening, searching, listing, removing. How files come in is ingest.py's."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, Self, cast

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever

from chinese_llm_rag.embeddings.base import FingerprintedEmbeddings
from chinese_llm_rag.errors import ConfigError, KnowledgeBaseBusyError, KnowledgeBaseError
from chinese_llm_rag.knowledge_base.derived import DerivedIndexes
from chinese_llm_rag.knowledge_base.discover import discover
from chinese_llm_rag.knowledge_base.failures import storage_errors
from chinese_llm_rag.knowledge_base.identity import check_format, check_same
from chinese_llm_rag.knowledge_base.ingest import IngestRun
from chinese_llm_rag.knowledge_base.lock import writer_lock
from chinese_llm_rag.knowledge_base.manifest import Manifest
from chinese_llm_rag.knowledge_base.records import FileRecord, IngestProgress, IngestReport, KnowledgeBaseStatus
from chinese_llm_rag.language import say
from chinese_llm_rag.text_splitters import ChineseTextSplitter

SearchMode = Literal["hybrid", "bm25", "dense"]


class KnowledgeBase:
    """Documents of one person, cut, embedded and indexed in one folder.

    One process writes at a time; any number read. A file is visible as a whole or not at all. Use
    `open`, and `close` or a with statement when done.
    """

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        embeddings: FingerprintedEmbeddings | None,
        splitter: ChineseTextSplitter,
    ) -> None:
        self.folder = folder
        self._manifest = manifest
        self._embeddings = embeddings
        self._splitter = splitter
        self._derived = DerivedIndexes(folder)
        self._indexes_checked = False

    @classmethod
    def open(
        cls,
        folder: Path | str,
        embeddings: FingerprintedEmbeddings | None = None,
        splitter: ChineseTextSplitter | None = None,
        *,
        create: bool = True,
    ) -> Self:
        """Open a knowledge base, and finish what an interrupted run left undone.

        Args:
            folder: where it lives.
            embeddings: needed to ingest and to search; listing and removing work without.
            splitter: needed to ingest; the default one otherwise.
            create: whether a missing knowledge base is made.

        Raises:
            KnowledgeBaseError: missing (with create false), unreadable, of a newer format, or built
                with another embedding model.
        """
        root = Path(folder)
        if not create and not (root / "manifest.sqlite3").exists():
            raise KnowledgeBaseError(
                say(f"there is no knowledge base in {str(root)!r} yet", f"{str(root)!r} 中还没有知识库"),
                folder=root,
                hint=say("make one with: clrag ingest PATH", "请先导入文档：clrag ingest 路径"),
            )
        with storage_errors(root):
            root.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds the text of private documents
            manifest = Manifest(root / "manifest.sqlite3")
            if manifest.is_new:
                manifest.create()
        base = cls(root, manifest, embeddings, splitter or ChineseTextSplitter())
        try:
            check_format(manifest.meta("format_version"), root)
            if embeddings is not None:
                check_same("embedding", manifest.meta("embedding"), embeddings.fingerprint.to_dict(), root)
            base._recover()
        except BaseException:
            base.close()
            raise
        return base

    def close(self) -> None:
        """Let go of all files."""
        self._derived.close()
        self._manifest.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # --- writing ------------------------------------------------------------------------------

    def ingest(
        self,
        paths: Iterable[Path | str] | Path | str,
        *,
        on_progress: Callable[[IngestProgress], None] = lambda _: None,
    ) -> IngestReport:
        """Take in files and folders; unchanged files cost a hash, changed ones replace themselves.

        A file that cannot be taken in is a "failed" outcome of the report, and the others go in.

        Raises:
            DocumentError: a path that does not exist, is of unknown type, or holds no document;
                nothing was ingested then.
            KnowledgeBaseError: another writer, another splitter than the base was built with, or a
                full disk; the base is as it was, or holds the files that were complete by then.
        """
        embeddings = self._required_embeddings()
        check_same("splitter", self._manifest.meta("splitter"), self._splitter.identity, self.folder)
        found = discover(_listed(paths))
        with self._writing():
            self._manifest.set_meta("embedding", embeddings.fingerprint.to_dict())
            self._manifest.set_meta("splitter", self._splitter.identity)
            return IngestRun(self._manifest, self._derived, embeddings, self._splitter, on_progress).ingest(found)

    def remove(self, paths: Iterable[Path | str] | Path | str) -> list[str]:
        """Remove files by the names they are listed under, or all files of a folder; the names removed.

        What no remaining file shares is gone from all three parts, which is checked.

        Raises:
            KnowledgeBaseError: a name is not there (nothing was removed then), or an index kept something.
        """
        known = [record.path for record in self.files()]
        removed: dict[str, None] = {}
        for path in _listed(paths):
            names = _names_of(path, known)
            if not names:
                raise KnowledgeBaseError(
                    say(f"{str(path)!r} is not in the knowledge base", f"知识库中没有 {str(path)!r}"),
                    folder=self.folder,
                    hint=say("see its files with: clrag list", "用 clrag list 查看已有文件"),
                )
            removed.update(dict.fromkeys(names))
        with self._writing():
            self._manifest.set_meta("dirty", value=True)
            with self._manifest.transaction():
                for name in removed:
                    self._manifest.delete_file(name)
                ids = self._manifest.drop_unreferenced()
            self._derived.delete(ids)
            if remaining := self._derived.remaining(ids):
                raise KnowledgeBaseError(
                    say(f"{len(remaining)} chunks are still indexed", f"仍有 {len(remaining)} 个片段留在索引中"),
                    folder=self.folder,
                    hint=say("open the base again to finish the removal", "重新打开知识库即可完成删除"),
                )
            self._manifest.drop_unused_embeddings()
            self._manifest.set_meta("dirty", value=False)
        return list(removed)

    # --- reading ------------------------------------------------------------------------------

    def files(self) -> list[FileRecord]:
        """All files by path, failed ones too."""
        return self._manifest.files()

    def chunks(self, ids: Iterable[str]) -> dict[str, Document]:
        """Visible chunks by id, with their metadata; others are left out."""
        return self._manifest.chunks(list(ids))

    def chunk_ids(self) -> set[str]:
        """The ids of all visible chunks."""
        return self._manifest.chunk_ids()

    def retriever(self, k: int = 4, *, mode: SearchMode = "hybrid") -> BaseRetriever:
        """A LangChain retriever over this base.

        Args:
            k: how many passages it gives.
            mode: "bm25" (words), "dense" (meaning) or "hybrid" (both, fused).
        """
        from chinese_llm_rag.retrievers.bm25 import BM25Retriever  # noqa: PLC0415

        if k < 1:
            raise ConfigError(say(f"k={k!r}, expected at least 1", f"k={k!r}，应至少为 1"), setting="k")
        self._ensure_indexes()
        bm25 = BM25Retriever(index=self._derived.words, resolve=self.chunks, k=k)
        if mode == "bm25":
            return bm25
        from chinese_llm_rag.retrievers.dense import DenseRetriever  # noqa: PLC0415
        from chinese_llm_rag.retrievers.hybrid import HybridRetriever  # noqa: PLC0415

        dense = DenseRetriever(vector_store=self.vector_store(), resolve=self.chunks, k=k)
        return dense if mode == "dense" else HybridRetriever(bm25=bm25, dense=dense, k=k)

    def vector_store(self) -> Any:  # noqa: ANN401  (langchain_chroma.Chroma, imported when used)
        """The vectors as LangChain's Chroma store, for code that wants them by themselves."""
        embeddings = self._required_embeddings()
        self._ensure_indexes()
        return self._derived.vectors.vector_store(cast("Embeddings", embeddings))

    def status(self) -> KnowledgeBaseStatus:
        """Counts, size on disk and identity."""
        records = self.files()
        indexed = [record for record in records if record.status == "indexed"]
        return KnowledgeBaseStatus(
            folder=str(self.folder),
            n_files=len(indexed),
            n_failed=len(records) - len(indexed),
            n_documents=len({record.content_hash for record in indexed}),
            n_chunks=self._manifest.n_chunks(),
            size_bytes=sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file()),
            embedding=self._manifest.meta("embedding"),
            splitter=self._manifest.meta("splitter"),
            clean=not self._manifest.meta("dirty"),
        )

    # --- identity and recovery ----------------------------------------------------------------

    def _required_embeddings(self) -> FingerprintedEmbeddings:
        if self._embeddings is None:
            raise ConfigError(
                say("no embedding model was given", "没有指定嵌入模型"),
                setting="embeddings",
                hint="KnowledgeBase.open(folder, embeddings=...)",
            )
        return self._embeddings

    def _recover(self) -> None:
        """Finish an interrupted run, unless a living writer is at it."""
        if self._manifest.meta("dirty"):
            with suppress(KnowledgeBaseBusyError), self._writing():
                pass

    def _ensure_indexes(self) -> None:
        """Rebuild an index that was thrown away or lost chunks, unless a living writer is at it."""
        if not self._indexes_checked:
            with storage_errors(self.folder):
                agree = self._derived.agrees_with(self._manifest)
            if not agree:
                with suppress(KnowledgeBaseBusyError), self._writing():
                    pass
            self._indexes_checked = True

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the writer lock over a base whose three parts agree, before and, on failure, after."""
        with storage_errors(self.folder), writer_lock(self.folder):
            try:
                self._settle()
                yield
            except BaseException:
                # Where the disk is still full this fails too; the mark stays, and the next opening settles it.
                with suppress(KnowledgeBaseError), storage_errors(self.folder):
                    self._settle()
                raise
            finally:
                self._derived.release()

    def _settle(self) -> None:
        if self._manifest.meta("dirty") or not self._derived.agrees_with(self._manifest):
            self._manifest.set_meta("dirty", value=True)
            self._derived.reconcile(self._manifest)
            self._manifest.set_meta("dirty", value=False)


def _listed(paths: Iterable[Path | str] | Path | str) -> list[Path]:
    return [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]


def _names_of(path: Path, known: list[str]) -> list[str]:
    absolute = os.path.abspath(path)  # noqa: PTH100  (as ingest names files: links are not resolved)
    return [name for name in known if name in (str(path), absolute) or Path(absolute) in Path(name).parents]
