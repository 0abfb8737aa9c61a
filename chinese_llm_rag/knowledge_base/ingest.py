"""How files come into a knowledge base: load, split, embed, and become visible, in groups.

Embeddings are stored under the hash of their text as they are computed. That one rule gives three
things: an interrupted run does not embed again what it had, a changed file embeds only the chunks whose
text changed, and equal texts are embedded once.
"""

import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from langchain_core.documents import Document

from chinese_llm_rag.document_loaders.file_loader import load_file, read_bytes
from chinese_llm_rag.embeddings.base import FingerprintedEmbeddings
from chinese_llm_rag.errors import DocumentError
from chinese_llm_rag.knowledge_base.derived import DerivedIndexes
from chinese_llm_rag.knowledge_base.discover import Discovery
from chinese_llm_rag.knowledge_base.manifest import Manifest
from chinese_llm_rag.knowledge_base.records import (
    FileOutcome,
    FileRecord,
    IngestProgress,
    IngestReport,
    PreparedDocument,
    text_hash,
)
from chinese_llm_rag.language import say
from chinese_llm_rag.text_splitters import ChineseTextSplitter

_EMBED_AT_ONCE = 16  # texts between two steps of progress and two commits of embeddings
_GROUP = 256  # chunks that become visible together: a commit costs as much for one as for many
_PATIENCE_S = 5.0  # how long a finished file may wait for its group


class IngestRun:
    """One run over a set of files. The caller holds the writer lock."""

    def __init__(
        self,
        manifest: Manifest,
        derived: DerivedIndexes,
        embeddings: FingerprintedEmbeddings,
        splitter: ChineseTextSplitter,
        on_progress: Callable[[IngestProgress], None],
    ) -> None:
        self._manifest = manifest
        self._derived = derived
        self._embeddings = embeddings
        self._splitter = splitter
        self._on_progress = on_progress
        self._waiting: list[PreparedDocument] = []
        self._published_at = time.monotonic()
        self._outcomes: list[FileOutcome] = []
        self._progress = IngestProgress("", 0, 0, 0, 0, 0, 0)

    def ingest(self, found: Discovery) -> IngestReport:
        """Take in the files found; what became of each."""
        self._outcomes.extend(
            FileOutcome(
                str(folder),
                "failed",
                detail=say(f"cannot read the folder: {reason}", f"无法读取文件夹：{reason}"),
                hint=say("check that you may read it", "请检查是否有读取权限"),
            )
            for folder, reason in found.unreadable
        )
        sizes = {path: _size(path) for path in found.files}
        self._progress = replace(self._progress, n_files=len(sizes), total_bytes=sum(sizes.values()))
        done_bytes = 0
        for path, size in sizes.items():
            self._report(path=str(path), done_bytes=done_bytes)
            self._take(path)
            done_bytes += size
            self._report(n_files_done=self._progress.n_files_done + 1, done_bytes=done_bytes)
        self._publish()
        self._manifest.drop_unused_embeddings()
        return IngestReport(tuple(self._outcomes), tuple(str(path) for path in found.ignored))

    def _report(self, **changes: str | int) -> None:
        self._progress = replace(self._progress, **changes)  # type: ignore[arg-type]
        self._on_progress(self._progress)

    def _take(self, path: Path) -> None:
        name = str(path)
        try:
            data = read_bytes(path)
            content_hash = hashlib.sha256(data).hexdigest()
            known = self._manifest.file(name)
            if known is not None and known.content_hash == content_hash:
                self._outcomes.append(FileOutcome(name, "unchanged", known.n_chunks, problems=known.problems))
                return
            record = FileRecord(name, content_hash, len(data), path.stat().st_mtime_ns, "indexed")
            if twin := self._twin(content_hash):
                self._publish()
                self._write_rows(lambda: self._manifest.put_file(replace(record, problems=self._problems_of(twin))))
                self._outcomes.append(FileOutcome(name, "duplicate", detail=twin))
                return
            document = self._prepare(path, data, record)
        except DocumentError as error:
            self._fail(path, error)
            return
        updated = known is not None and known.status == "indexed"
        self._outcomes.append(
            FileOutcome(name, "updated" if updated else "added", len(document.chunks), problems=document.file.problems)
        )
        self._waiting.append(document)
        n_waiting = sum(len(waiting.chunks) for waiting in self._waiting)
        if n_waiting >= _GROUP or time.monotonic() - self._published_at > _PATIENCE_S:
            self._publish()

    def _twin(self, content_hash: str) -> str | None:
        """Another file with the same content, in the base or about to be."""
        waiting = (document.file.path for document in self._waiting if document.content_hash == content_hash)
        return next(iter(self._manifest.paths_of(content_hash)), None) or next(waiting, None)

    def _problems_of(self, name: str) -> tuple[str, ...]:
        record = self._manifest.file(name)
        return record.problems if record else ()

    def _fail(self, path: Path, error: DocumentError) -> None:
        """Note the failure; what the base had under this name before stays, marked as out of date."""
        name, reason = str(path), str(error)
        known = self._manifest.file(name)
        if known is not None and known.status == "indexed":
            kept = say("the former content is kept", "保留此前的内容")
            record = replace(known, problems=(f"{reason}; {kept}",))
        else:
            record = FileRecord(name, None, _size(path), 0, "failed", (reason,))
        self._write_rows(lambda: self._manifest.put_file(record))
        self._outcomes.append(FileOutcome(name, "failed", detail=reason, hint=error.hint))

    def _prepare(self, path: Path, data: bytes, record: FileRecord) -> PreparedDocument:
        loaded = load_file(path, data)
        chunks = self._splitter.split_documents(loaded.pages)
        self._report(n_pages=self._progress.n_pages + len(loaded.pages))
        if len(chunks) >= _GROUP:
            self._publish()  # what is finished does not wait for a large file
        self._embed([chunk.page_content for chunk in chunks], size_bytes=len(data))
        return PreparedDocument(
            file=replace(record, problems=loaded.problems, n_pages=len(loaded.pages), n_chunks=len(chunks)),
            content_hash=record.content_hash or "",
            loader=path.suffix.lower().removeprefix("."),
            pages=loaded.pages,
            chunks=tuple(chunks),
        )

    def _embed(self, texts: list[str], *, size_bytes: int) -> None:
        """Store the embeddings of those texts that have none yet."""
        by_hash = {text_hash(text): text for text in texts}
        stored = self._manifest.embeddings(by_hash)
        missing = [key for key in by_hash if key not in stored]
        base = self._progress
        done = len(texts) - len(missing)
        for i in range(0, len(missing), _EMBED_AT_ONCE):
            keys = missing[i : i + _EMBED_AT_ONCE]
            vectors = np.asarray(self._embeddings.embed_documents([by_hash[key] for key in keys]), dtype=np.float32)
            self._manifest.put_embeddings(dict(zip(keys, vectors, strict=True)))
            done += len(keys)
            self._report(n_chunks=base.n_chunks + done, done_bytes=base.done_bytes + size_bytes * done // len(texts))
        self._report(n_chunks=base.n_chunks + len(texts))

    def _publish(self) -> None:
        """Make the waiting documents visible, all at once."""
        self._published_at = time.monotonic()
        if not self._waiting:
            return
        group, self._waiting = self._waiting, []
        chunks = [chunk for document in group for chunk in _with_ids(document)]
        stored = self._manifest.embeddings({text_hash(chunk.page_content) for chunk in chunks})
        self._manifest.set_meta("dirty", value=True)
        if chunks:
            vectors = np.stack([stored[text_hash(chunk.page_content)] for chunk in chunks])
            self._derived.put(chunks, vectors)

        def rows() -> None:
            for document in group:
                self._manifest.put_document(document)
                self._manifest.put_file(document.file)

        self._write_rows(rows)

    def _write_rows(self, write: Callable[[], None]) -> None:
        """Write rows in one transaction, then delete from the indexes what no file refers to any more."""
        self._manifest.set_meta("dirty", value=True)
        with self._manifest.transaction():
            write()
            ids = self._manifest.drop_unreferenced()
        self._derived.delete(ids)
        self._manifest.set_meta("dirty", value=False)


def _with_ids(document: PreparedDocument) -> Iterable[Document]:
    for identity, chunk in zip(document.chunk_ids(), document.chunks, strict=True):
        yield Document(chunk.page_content, id=identity, metadata={**chunk.metadata, "chunk_id": identity})


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
