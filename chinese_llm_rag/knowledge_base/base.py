"""The knowledge base: opening, taking in, removing, searching, listing. What takes long is in rooms of its own."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, cast

from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever

from chinese_llm_rag.document_loaders.page_texts import NO_OPTIONS, LoadOptions
from chinese_llm_rag.embeddings.base import FingerprintedEmbeddings
from chinese_llm_rag.errors import ConfigError, KnowledgeBaseError
from chinese_llm_rag.knowledge_base.archive.sources import FOLDER as SOURCES_FOLDER
from chinese_llm_rag.knowledge_base.archive.sources import forget_sources, source_file
from chinese_llm_rag.knowledge_base.derived import DerivedIndexes
from chinese_llm_rag.knowledge_base.discover import discover
from chinese_llm_rag.knowledge_base.failures import storage_errors
from chinese_llm_rag.knowledge_base.generations import Generations
from chinese_llm_rag.knowledge_base.identity import check_same
from chinese_llm_rag.knowledge_base.index import OpenIndex
from chinese_llm_rag.knowledge_base.ingest import IngestRun
from chinese_llm_rag.knowledge_base.manifest import Manifest
from chinese_llm_rag.knowledge_base.named_files import Paths, listed, names_of
from chinese_llm_rag.knowledge_base.passage_filter import PassageFilter
from chinese_llm_rag.knowledge_base.publisher import Publisher
from chinese_llm_rag.knowledge_base.rebuild import Aim, rebuild
from chinese_llm_rag.knowledge_base.records import (
    FileRecord,
    FurnitureRecord,
    IngestProgress,
    IngestReport,
    KnowledgeBaseStatus,
)
from chinese_llm_rag.knowledge_base.repair import RepairReport, plan_mending
from chinese_llm_rag.knowledge_base.searching import Scope, SearchMode, SearchParts, build_retriever
from chinese_llm_rag.knowledge_base.verify import Finding, sources_of, verify
from chinese_llm_rag.language import say
from chinese_llm_rag.text_splitters import ChineseTextSplitter

if TYPE_CHECKING:
    from chinese_llm_rag.retrievers.synonyms import Synonyms

# An embedding model, or what gives one for the base's record of how its model is had (None for a new base).
EmbeddingsFor = FingerprintedEmbeddings | Callable[[Mapping[str, Any] | None], FingerprintedEmbeddings]


class KnowledgeBase:
    """Documents of one person, cut, embedded and indexed in one folder.

    One process writes at a time; any number read. A file is visible as a whole or not at all. An opened
    base stays with the index it found, also when another has taken its place (`in_force`). Use `open`, and
    `close` or a with statement when done.
    """

    def __init__(
        self, folder: Path, index: OpenIndex, embeddings: EmbeddingsFor | None, splitter: ChineseTextSplitter | None
    ) -> None:
        self.folder = folder
        self._index = index
        self._splitter = splitter
        self._embeddings: FingerprintedEmbeddings | None = None
        if embeddings is not None:
            self._embeddings = (
                embeddings
                if isinstance(embeddings, FingerprintedEmbeddings)
                else embeddings(self._manifest.meta("embedding_setup"))
            )
            check_same("embedding", self._manifest.meta("embedding"), self._embeddings.fingerprint.to_dict(), folder)

    @classmethod
    def open(
        cls,
        folder: Path | str,
        embeddings: EmbeddingsFor | None = None,
        splitter: ChineseTextSplitter | None = None,
        *,
        create: bool = True,
    ) -> Self:
        """Open a knowledge base, and finish what an interrupted run left undone.

        Args:
            folder: where it lives.
            embeddings: needed to ingest and to search; listing and removing work without. May be a
                function from the base's record of the `setup` of its model.
            splitter: the one to ingest with; by default that which the base was built with.
            create: whether a missing knowledge base is made.

        Raises:
            KnowledgeBaseError: missing (with create false), unreadable, of a newer format, or built
                with another embedding model.
        """
        root = Path(folder)
        if not create and not Generations(root).exists():
            raise KnowledgeBaseError(
                say(f"there is no knowledge base in {str(root)!r} yet", f"{str(root)!r} 中还没有知识库"),
                folder=root,
                hint=say("make one with: clrag ingest PATH", "请先导入文档：clrag ingest 路径"),
            )
        with storage_errors(root):
            root.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds the text of private documents
        index = OpenIndex(root)
        try:
            return cls(root, index, embeddings, splitter)
        except BaseException:
            index.close()
            raise

    def close(self) -> None:
        """Let go of all files."""
        self._index.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def ingest(
        self,
        paths: Paths,
        *,
        options: LoadOptions = NO_OPTIONS,
        prune: bool = False,
        reread: bool = False,
        tags: Iterable[str] = (),
        on_progress: Callable[[IngestProgress], None] = lambda _: None,
    ) -> IngestReport:
        """Take in files and folders; unchanged files cost a hash, changed ones replace themselves.

        A file that cannot be taken in is a "failed" outcome of the report, and the others go in. A file
        under a new name whose old one is gone is "moved", which costs no more than a copy.

        Args:
            paths: files and folders.
            options: how the files are read.
            prune: whether files of the base that are gone from the folders are removed; otherwise they
                are reported as "missing".
            reread: whether unchanged files are parsed again, for example after OCR was installed.
            tags: given to all files met that are in the base afterwards, besides those they have.
            on_progress: told now and then.

        Raises:
            DocumentError: a path that does not exist, is of unknown type, or holds no document;
                nothing was ingested then.
            KnowledgeBaseError: another writer, another splitter than the base was built with, or a
                full disk; the base is as it was, or holds the files that were complete by then.
        """
        embeddings, splitter = self._required_embeddings(), self._splitter_in_force()
        found = discover(listed(paths))
        with self._index.writing():
            self._manifest.set_meta("embedding", embeddings.fingerprint.to_dict())
            self._manifest.set_meta("embedding_setup", embeddings.setup)
            self._manifest.set_meta("splitter", splitter.identity)
            run = IngestRun(self._manifest, self._derived, embeddings, splitter, on_progress)
            report = run.ingest(found, options, prune=prune, reread=reread)
            self._manifest.add_tags([outcome.path for outcome in report.outcomes], tags)
            self._forget_sources()
        return report

    def remove(self, paths: Paths) -> list[str]:
        """Remove files by the names they are listed under, or all files of a folder; the names removed.

        What no remaining file shares is gone from all three parts, which is checked.

        Raises:
            KnowledgeBaseError: a name is not there (nothing was removed then), or an index kept something.
        """
        names = self._names(paths)
        with self._index.writing():
            Publisher(self._manifest, self._derived).remove(names)
            self._forget_sources()
        return names

    def tag(self, paths: Paths, tags: Iterable[str]) -> list[str]:
        """Give files, or all files of a folder, these tags in place of those they had; the names of the files."""
        names, given = self._names(paths), sorted(set(tags))
        with self._index.writing():
            for name in names:
                self._manifest.set_tags(name, given)
        return names

    # --- maintenance --------------------------------------------------------------------------

    def reindex(
        self,
        embeddings: FingerprintedEmbeddings | None = None,
        splitter: ChineseTextSplitter | None = None,
        *,
        on_progress: Callable[[IngestProgress], None] = lambda _: None,
    ) -> bool:
        """Build the index anew with another embedding model or splitter, then put it in force in one step.

        Readers go on with the index they opened. An interrupted run leaves the index in force as it is,
        and the next one with the same arguments goes on where it was. No file is read again.

        Args:
            embeddings: another model; None keeps the present one.
            splitter: another splitter; None keeps the cuts as they are.
            on_progress: told now and then.

        Returns:
            False where the base is built with both already, and nothing was done.
        """
        aim = Aim(embeddings or (self._required_embeddings() if splitter else None), splitter)
        if all(self._manifest.meta(key) == value for key, value in aim.record(self._manifest).items()):
            return False
        self._rebuild(aim, on_progress)
        self._embeddings, self._splitter = embeddings or self._embeddings, splitter or self._splitter
        return True

    def compact(self) -> int:
        """Build the index anew without what removed and changed files have left behind; the bytes won."""
        before = self._size_bytes()
        self._rebuild(Aim())
        return before - self._size_bytes()

    def verify(self) -> list[Finding]:
        """What is not as it should be: stored texts, embeddings, vectors, words; empty when all is."""
        with storage_errors(self.folder):
            return verify(self._manifest, self._derived).findings

    def repair(self) -> RepairReport:
        """Mend what `verify` finds, without reading a file again or embedding a text again."""
        with storage_errors(self.folder):
            found = verify(self._manifest, self._derived)
            mending = plan_mending(found, self._derived)
            again = sources_of(self._manifest, mending.lost)
        if found.findings:
            self._rebuild(Aim(mend=mending))
        return RepairReport(tuple(found.findings), tuple(again))

    def _rebuild(self, aim: Aim, on_progress: Callable[[IngestProgress], None] = lambda _: None) -> None:
        generations = Generations(self.folder)
        with self._index.holding_lock():
            generations.switch(rebuild(generations, self._manifest, aim, on_progress))
        self._index.close()
        self._index = OpenIndex(self.folder)
        with self._index.holding_lock():
            generations.collect()

    def _forget_sources(self) -> None:
        """Nothing of a removed file may be left, the copies that came with an archive among it."""
        if (self.folder / SOURCES_FOLDER).is_dir():
            forget_sources(self.folder, {record.content_hash for record in self.files() if record.content_hash})

    def _names(self, paths: Paths) -> list[str]:
        return names_of(paths, [record.path for record in self.files()], self.folder)

    def files(self) -> list[FileRecord]:
        """All files by path, failed ones too."""
        return self._manifest.files()

    def chunks(self, ids: Iterable[str]) -> dict[str, Document]:
        """Visible chunks by id, with their metadata; others are left out."""
        return self._manifest.chunks(list(ids))

    def chunk_ids(self) -> set[str]:
        """The ids of all visible chunks."""
        return self._manifest.chunk_ids()

    def pages_of(self, chunk: Document) -> list[Document]:
        """The pages of the document that a chunk comes from, with PageMetadata, in order."""
        return self._manifest.pages(chunk.metadata["content_hash"])

    def chunks_of(self, chunk: Document) -> list[Document]:
        """All chunks of the document that a chunk comes from, in order."""
        return [document for document, _ in self._manifest.chunks_of(chunk.metadata["content_hash"])]

    def furniture(self, text: str) -> list[FurnitureRecord]:
        """Running headers and footers, which are in no chunk, that hold a text."""
        return self._manifest.furniture(text)

    def retriever(
        self,
        k: int = 4,
        *,
        mode: SearchMode = "hybrid",
        filter: PassageFilter | None = None,  # noqa: A002  (what LangChain calls it)
        synonyms: "Synonyms | None" = None,
        reranker: BaseDocumentCompressor | Literal["builtin"] | None = "builtin",
    ) -> BaseRetriever:
        """A LangChain retriever over this base.

        Args:
            k: how many passages it gives.
            mode: "bm25" (words), "dense" (meaning) or "hybrid" (both, fused).
            filter: what a passage must meet; files are looked at now, not at each search.
            synonyms: words that the search by words looks for besides those of the query.
            reranker: of what "hybrid" finds: EvidenceReranker, which needs no model, or another one.
        """
        if k < 1:
            raise ConfigError(say(f"k={k!r}, expected at least 1", f"k={k!r}，应至少为 1"), setting="k")
        self._index.ensure_searchable()
        derived, vectors = self._derived, self._manifest.vectors
        parts = SearchParts(derived.words, self.vector_store, self.chunks, vectors, derived.vectors.nearest)
        scope = Scope.of(filter, self.files() if filter else ())
        return build_retriever(parts, scope, k=k, mode=mode, synonyms=synonyms, reranker=reranker)

    def matching(self, filter: PassageFilter) -> list[FileRecord]:  # noqa: A002  (what LangChain calls it)
        """The files whose passages a filter lets through; of pages nothing is asked."""
        return [record for record in self.files() if record.status == "indexed" and filter.takes(record)]

    def vector_store(self) -> Any:  # noqa: ANN401  (langchain_chroma.Chroma, imported when used)
        """The vectors as LangChain's Chroma store, for code that wants them by themselves."""
        embeddings = self._required_embeddings()
        self._index.ensure_searchable()
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
            size_bytes=self._size_bytes(),
            embedding=self._manifest.meta("embedding"),
            splitter=self._manifest.meta("splitter"),
            clean=not self._manifest.meta("dirty"),
        )

    def source_file(self, name: str) -> Path | None:
        """The very file that the base was made of: under its own name, or the copy that came with an archive.

        Args:
            name: as the base lists it.

        Returns:
            None where it is gone or was changed since, or the base has no such file.
        """
        record = next((record for record in self.files() if record.path == name), None)
        return None if record is None else source_file(self.folder, record)

    @property
    def embedding_setup(self) -> dict[str, Any] | None:
        """How the base's embedding model is had; None for a base that never had one."""
        setup: dict[str, Any] | None = self._manifest.meta("embedding_setup")
        return setup

    @property
    def in_force(self) -> bool:
        """Whether the index that was opened is still the base's; False when another has taken its place."""
        return self._index.in_force

    def _size_bytes(self) -> int:
        return sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file())

    # --- identity -----------------------------------------------------------------------------

    @property
    def _manifest(self) -> Manifest:
        return self._index.manifest

    @property
    def _derived(self) -> DerivedIndexes:
        return self._index.derived

    def _required_embeddings(self) -> FingerprintedEmbeddings:
        if self._embeddings is None:
            raise ConfigError(
                say("no embedding model was given", "没有指定嵌入模型"),
                setting="embeddings",
                hint="KnowledgeBase.open(folder, embeddings=...)",
            )
        return self._embeddings

    def _splitter_in_force(self) -> ChineseTextSplitter:
        """The splitter that was given, which must be that of the record; else the record's, or the default one."""
        stored = self._manifest.meta("splitter")
        if self._splitter is None:
            return ChineseTextSplitter.from_identity(stored) if stored else ChineseTextSplitter()
        check_same("splitter", stored, self._splitter.identity, self.folder)
        return self._splitter
