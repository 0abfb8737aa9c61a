"""How files come into a knowledge base: sorted out, parsed, cut, embedded, and made visible in groups."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from chinese_llm_rag.document_loaders.page_texts import LoadOptions
from chinese_llm_rag.embeddings.base import FingerprintedEmbeddings
from chinese_llm_rag.errors import DocumentError
from chinese_llm_rag.knowledge_base.derived import DerivedIndexes
from chinese_llm_rag.knowledge_base.discover import Discovery
from chinese_llm_rag.knowledge_base.embed import store_embeddings
from chinese_llm_rag.knowledge_base.manifest import Manifest
from chinese_llm_rag.knowledge_base.parsing import ParsedFile, parse_ahead
from chinese_llm_rag.knowledge_base.publisher import Publisher
from chinese_llm_rag.knowledge_base.records import (
    FileOutcome,
    FileRecord,
    IngestProgress,
    IngestReport,
    PreparedDocument,
)
from chinese_llm_rag.knowledge_base.rows import text_hash, with_ids
from chinese_llm_rag.knowledge_base.triage import Triage, triage
from chinese_llm_rag.language import say
from chinese_llm_rag.text_splitters import ChineseTextSplitter, text_with_context

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
        self._publisher = Publisher(manifest, derived)
        self._embeddings = embeddings
        self._splitter = splitter
        self._on_progress = on_progress
        self._waiting: list[PreparedDocument] = []
        self._published_at = time.monotonic()
        self._outcomes: list[FileOutcome] = []
        self._failed: dict[str | None, DocumentError] = {}  # by content
        self._bytes_of_done_files = 0
        self._progress = IngestProgress("", 0, 0, 0, 0, 0, 0)

    def ingest(
        self, found: Discovery, options: LoadOptions, *, prune: bool = False, reread: bool = False
    ) -> IngestReport:
        """Take in the files found; what became of each, by path.

        Args:
            found: the files.
            options: for all of them.
            prune: whether files of the base that are gone from the folders are removed.
            reread: whether unchanged files are parsed again.
        """
        self._outcomes.extend(_unreadable(folder, reason) for folder, reason in found.unreadable)
        work = triage(found, self._manifest, reread=reread)
        self._outcomes.extend(FileOutcome(r.path, "unchanged", r.n_chunks, problems=r.problems) for r in work.unchanged)
        self._progress = replace(
            self._progress,
            n_files=len(found.files),
            n_files_done=len(found.files) - len(work.to_parse),
            total_bytes=sum(record.size_bytes for record in work.to_parse.values()),
        )
        self._report()
        for path, error in work.failed.items():
            self._fail(path, error)
        self._move(work)
        self._parse(work.to_parse, options)
        self._copy(work.copies, options)
        self._lose(work.missing, prune=prune)
        self._manifest.drop_unused_embeddings()
        ordered = sorted(self._outcomes, key=lambda outcome: outcome.path)
        return IngestReport(tuple(ordered), tuple(str(path) for path in found.ignored))

    def _report(self, **changes: str | int) -> None:
        self._progress = replace(self._progress, **changes)  # type: ignore[arg-type]
        self._on_progress(self._progress)

    # --- new and changed content ----------------------------------------------------------------

    def _parse(self, records: dict[Path, FileRecord], options: LoadOptions) -> None:
        if not records:
            return
        for path, parsed in parse_ahead(records, self._splitter, options):
            self._report(path=str(path))
            if isinstance(parsed, DocumentError):
                self._failed[records[path].content_hash] = parsed
                self._fail(path, parsed)
                self._done(records[path])
            else:
                self._take(records[path], parsed)
        self._publish()

    def _take(self, record: FileRecord, parsed: ParsedFile) -> None:
        known = self._manifest.file(record.path)
        updated = known is not None and known.status == "indexed"
        self._outcomes.append(
            FileOutcome(record.path, "updated" if updated else "added", len(parsed.chunks), problems=parsed.problems)
        )
        self._report(n_pages=self._progress.n_pages + len(parsed.pages))
        if len(parsed.chunks) >= _GROUP:
            self._publish()  # what is finished does not wait for a large file
        self._waiting.append(
            PreparedDocument(
                file=replace(record, content_hash=parsed.content_hash, problems=parsed.problems),
                content_hash=parsed.content_hash,
                loader=Path(record.path).suffix.lower().removeprefix("."),
                pages=parsed.pages,
                chunks=tuple(with_ids(parsed.content_hash, parsed.chunks)),
            )
        )
        n_waiting = sum(len(waiting.chunks) for waiting in self._waiting)
        if n_waiting >= _GROUP or time.monotonic() - self._published_at > _PATIENCE_S:
            self._publish()

    def _publish(self) -> None:
        """Embed the waiting documents, and make them visible, all at once."""
        if self._waiting:
            group, self._waiting = self._waiting, []
            self._embed(group)
            self._publisher.publish(group)
            self._done(*(document.file for document in group))
        self._published_at = time.monotonic()

    def _embed(self, group: list[PreparedDocument]) -> None:
        texts = [text_with_context(chunk) for document in group for chunk in document.chunks]
        n_of = Counter(map(text_hash, texts))
        size_bytes, n_all = sum(document.file.size_bytes for document in group), max(len(texts), 1)
        n_chunks, done = self._progress.n_chunks, 0

        def on_stored(keys: list[str]) -> None:
            nonlocal done
            done += sum(n_of[key] for key in keys)
            done_bytes = self._bytes_of_done_files + size_bytes * done // n_all
            self._report(n_chunks=n_chunks + done, done_bytes=done_bytes)

        store_embeddings(self._manifest, self._embeddings, texts, on_stored)

    def _done(self, *records: FileRecord) -> None:
        self._bytes_of_done_files += sum(record.size_bytes for record in records)
        n_done = self._progress.n_files_done + len(records)
        self._report(n_files_done=n_done, done_bytes=max(self._bytes_of_done_files, self._progress.done_bytes))

    def _fail(self, path: Path, error: DocumentError) -> None:
        """Note the failure; what the base had under this name before stays, marked as out of date."""
        name, reason = str(path), str(error)
        known = self._manifest.file(name)
        if known is not None and known.status == "indexed":
            kept = say("the former content is kept", "保留此前的内容")
            record = replace(known, problems=(f"{reason}; {kept}",))
        else:
            size_bytes = path.stat().st_size if path.exists() else 0
            record = FileRecord(name, None, size_bytes, 0, "failed", (reason,))
        self._publisher.write_rows(lambda: self._manifest.put_file(record))
        self._outcomes.append(FileOutcome(name, "failed", detail=reason, hint=error.hint))

    # --- names ----------------------------------------------------------------------------------

    def _move(self, work: Triage) -> None:
        """Content that is in the base under a name that is gone: it gets the new name, and nothing else is done."""
        for record in work.moved_records:
            before = work.moved[record.path]
            self._publisher.write_rows(lambda record=record, before=before: self._manifest.rename_file(before, record))  # type: ignore[misc]
            self._outcomes.append(FileOutcome(record.path, "moved", detail=before))

    def _copy(self, records: list[FileRecord], options: LoadOptions) -> None:
        """Content that is in the base under another name; the twin was parsed in this run, or before."""
        without_twin: dict[Path, FileRecord] = {}  # it was written to between its hash and its parser
        for record in records:
            twins = self._manifest.paths_of(record.content_hash or "")
            if record.content_hash in self._failed:  # as its twin, which came first
                self._fail(Path(record.path), self._failed[record.content_hash])
                continue
            if not twins:
                without_twin[Path(record.path)] = record
                continue
            twin = self._manifest.file(twins[0])
            problems = twin.problems if twin else ()
            self._publisher.write_rows(lambda r=record, p=problems: self._manifest.put_file(replace(r, problems=p)))  # type: ignore[misc]
            self._outcomes.append(FileOutcome(record.path, "duplicate", detail=twins[0]))
        self._parse(without_twin, options)

    def _lose(self, names: list[str], *, prune: bool) -> None:
        if prune and names:
            self._publisher.remove(names)
        self._outcomes.extend(FileOutcome(name, "removed" if prune else "missing") for name in names)


def _unreadable(folder: Path, reason: str) -> FileOutcome:
    return FileOutcome(
        str(folder),
        "failed",
        detail=say(f"cannot read the folder: {reason}", f"无法读取文件夹：{reason}"),
        hint=say("check that you may read it", "请检查是否有读取权限"),
    )
