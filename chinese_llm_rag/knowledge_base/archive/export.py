"""A knowledge base, and on demand its source files and models, written into one archive."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chinese_llm_rag.errors import KnowledgeBaseError
from chinese_llm_rag.knowledge_base.archive.contents import (
    ARCHIVE_VERSION,
    FORMAT,
    MANIFEST,
    MODELS,
    ArchiveIndex,
    CarriedModel,
    is_member_name,
    source_member,
)
from chinese_llm_rag.knowledge_base.archive.copied import CopiedManifest, look_at
from chinese_llm_rag.knowledge_base.archive.sources import MissingSource, reason_missing, spooled
from chinese_llm_rag.knowledge_base.archive.writer import ArchiveWriter
from chinese_llm_rag.knowledge_base.generations import Generations
from chinese_llm_rag.knowledge_base.index import OpenIndex
from chinese_llm_rag.knowledge_base.manifest import Manifest
from chinese_llm_rag.knowledge_base.records import FileRecord
from chinese_llm_rag.knowledge_base.workplace import workplace
from chinese_llm_rag.language import say

Move = Callable[[str, int, int], None]  # the member in work, bytes done, bytes in all
ModelOnDisk = tuple[CarriedModel, Mapping[str, Path]]  # each of its files, and where it is


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an archive holds, and what it does not though it was asked for.

    Attributes:
        path: of the archive.
        size_bytes: of the archive.
        n_files: indexed files of the base.
        n_chunks: their chunks, all with their embedding.
        n_sources: source files carried along, each content once.
        missing_sources: files that could not be.
        models: carried along.
    """

    path: str
    size_bytes: int
    n_files: int
    n_chunks: int
    n_sources: int = 0
    missing_sources: tuple[MissingSource, ...] = ()
    models: tuple[CarriedModel, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The form in which `kb export --json` prints it."""
        return asdict(self)


def export_base(
    base_folder: Path | str,
    archive: Path | str,
    *,
    sources: bool = False,
    models: Sequence[ModelOnDisk] = (),
    overwrite: bool = False,
    on_progress: Move = lambda *_: None,
) -> ExportReport:
    """Write the base as it is at this moment into an archive, which appears when it is whole.

    Vectors travel as the embeddings of the manifest. A writer may be at work meanwhile.

    Args:
        base_folder: of the base.
        archive: the file to write.
        sources: whether the files that the base was made of go along.
        models: to go along.
        overwrite: whether an archive of this name is replaced.
        on_progress: told after every block.

    Raises:
        KnowledgeBaseError: no such base, a damaged one, a file of this name, or a disk that cannot take it.
    """
    root, target = Path(base_folder), Path(archive).absolute()
    _check_target(target, overwrite=overwrite)
    if not Generations(root).exists():
        raise KnowledgeBaseError(
            say(f"there is no knowledge base in {str(root)!r}", f"{str(root)!r} 中没有知识库"),
            folder=root,
            hint=say("see all with: clrag kb list", "用 clrag kb list 查看所有知识库"),
        )
    with _write_errors(target), workplace(target.with_name(f".{target.name}.part")) as folder:
        copy, records = _copied_manifest(root, folder / MANIFEST)
        draft = folder / "archive"
        report = _Export(root, folder, records, models, on_progress).write(draft, copy, sources=sources)
        if not overwrite:
            _check_target(target, overwrite=False)  # it may have appeared meanwhile
        size_bytes = draft.stat().st_size
        draft.replace(target)
    return report(str(target), size_bytes)


class _Export:
    """One run."""

    def __init__(
        self,
        root: Path,
        folder: Path,
        records: Sequence[FileRecord],
        models: Sequence[ModelOnDisk],
        on_progress: Move,
    ) -> None:
        self._root, self._folder = root, folder
        self._records = records
        self._models = models
        self._on_progress = on_progress
        self._done = self._total = 0
        self._missing: list[MissingSource] = []

    def write(self, draft: Path, copy: CopiedManifest, *, sources: bool) -> Callable[[str, int], ExportReport]:
        """Write all of it; the report, but for the archive's name and size."""
        from chinese_llm_rag import __version__  # noqa: PLC0415  (the package's own module)

        manifest = self._folder / MANIFEST
        contents = _by_content(self._records) if sources else {}
        files = {name: path for _, paths in self._models for name, path in paths.items()}
        self._total = manifest.stat().st_size + sum(path.stat().st_size for path in files.values())
        self._total += sum(records[0].size_bytes for records in contents.values())
        with ArchiveWriter(draft, self._moved) as archive:
            with manifest.open("rb") as stream:
                archive.add(MANIFEST, stream)
            n_sources = sum(self._add_source(archive, key, records) for key, records in contents.items())
            for name, path in files.items():
                _check_model_name(name, path)
                with path.open("rb") as stream:
                    archive.add(MODELS + name, stream)
            models = tuple(model for model, _ in self._models)
            archive.finish(ArchiveIndex(FORMAT, ARCHIVE_VERSION, __version__, tuple(archive.members), models))
        missing = tuple(sorted(self._missing, key=lambda source: source.file))
        return lambda path, size_bytes: ExportReport(
            path, size_bytes, copy.n_files, copy.n_chunks, n_sources, missing, models
        )

    def _moved(self, name: str, n_bytes: int) -> None:
        self._done += n_bytes
        self._on_progress(name, self._done, max(self._total, self._done))

    def _add_source(self, archive: ArchiveWriter, content_hash: str, records: Sequence[FileRecord]) -> bool:
        copy = spooled(self._root, records, self._folder)
        if copy is None:
            self._missing.extend(map(reason_missing, records))
            return False
        with copy:
            archive.add(source_member(content_hash, records[0].path), copy)  # type: ignore[arg-type]
        return True


def _by_content(records: Iterable[FileRecord]) -> dict[str, list[FileRecord]]:
    grouped: dict[str, list[FileRecord]] = {}
    for record in records:
        if record.status == "indexed" and record.content_hash is not None:
            grouped.setdefault(record.content_hash, []).append(record)
    return grouped


def _copied_manifest(root: Path, target: Path) -> tuple[CopiedManifest, list[FileRecord]]:
    """The manifest in force as one consistent copy, and the files of that very copy."""
    with closing(OpenIndex(root)) as index:
        index.manifest.backup(target)
    copy = look_at(target)
    if copy.problems:
        raise KnowledgeBaseError(
            say(
                f"the knowledge base {str(root)!r} is damaged: {copy.problems[0]}",
                f"知识库 {str(root)!r} 已损坏：{copy.problems[0]}",
            ),
            folder=root,
            hint=say("mend it first with: clrag kb repair", "请先用 clrag kb repair 修复"),
        )
    with closing(Manifest(target)) as manifest:
        records = manifest.files()
    return copy, records


def _check_model_name(name: str, path: Path) -> None:
    if not is_member_name(MODELS + name):
        raise KnowledgeBaseError(
            say(f"{str(path)!r} has a name that not every system takes", f"{str(path)!r} 的名称在部分系统上无法使用"),
            folder=path.parent,
            hint=say("rename it, then export again", "请改名后重新导出"),
        )


def _check_target(target: Path, *, overwrite: bool) -> None:
    if target.is_dir() or (target.exists() and not overwrite):
        hint = say("give another name, or overwrite it with --force", "请换一个文件名，或用 --force 覆盖")
        raise KnowledgeBaseError(
            say(f"{str(target)!r} exists", f"{str(target)!r} 已存在"), folder=target.parent, hint=hint
        )
    if not target.parent.is_dir():
        raise KnowledgeBaseError(
            say(f"there is no folder {str(target.parent)!r}", f"文件夹 {str(target.parent)!r} 不存在"),
            folder=target.parent,
            hint=say("make it, or give another place", "请先建立该文件夹，或换一个位置"),
        )


@contextmanager
def _write_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise KnowledgeBaseError(
            say(f"cannot write the archive {str(target)!r}: {reason}", f"无法写入归档文件 {str(target)!r}：{reason}"),
            folder=target.parent,
            hint=say("free some space there, or name another place", "请清理磁盘空间，或换一个位置"),
        ) from error
