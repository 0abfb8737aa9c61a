"""A knowledge base, and what travelled with it, out of an archive: whole and checked, or not at all."""

import hashlib
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from chinese_llm_rag.errors import KnowledgeBaseError
from chinese_llm_rag.knowledge_base.archive.contents import MANIFEST, MODELS, SOURCES, CarriedModel, damaged
from chinese_llm_rag.knowledge_base.archive.copied import CopiedManifest, format_of, look_at
from chinese_llm_rag.knowledge_base.archive.export import Move
from chinese_llm_rag.knowledge_base.archive.reader import BLOCK_BYTES, ArchiveReader
from chinese_llm_rag.knowledge_base.archive.sources import FOLDER
from chinese_llm_rag.knowledge_base.database import Database
from chinese_llm_rag.knowledge_base.failures import storage_errors
from chinese_llm_rag.knowledge_base.generations import Generations
from chinese_llm_rag.knowledge_base.identity import OLDER_FORMATS, check_format
from chinese_llm_rag.knowledge_base.index import OpenIndex
from chinese_llm_rag.knowledge_base.workplace import workplace
from chinese_llm_rag.language import say


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What came out of an archive.

    Attributes:
        folder: of the base.
        n_files: indexed files.
        n_chunks: their chunks.
        n_sources: source files that came along; they lie beside the base.
        settings: what each model that came along is had by, by the setting's name.
        models: those models.
    """

    folder: str
    n_files: int
    n_chunks: int
    n_sources: int = 0
    settings: dict[str, str | list[str]] = field(default_factory=dict)
    models: tuple[CarriedModel, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The form in which `kb import --json` prints it."""
        return asdict(self)


def import_base(
    archive: Path | str, base_folder: Path | str, *, models_folder: Path | str, on_progress: Move = lambda *_: None
) -> ImportReport:
    """Make a base of an archive; it appears when all of it has been checked and its indexes are built.

    Nothing is embedded, and no source file is read.

    Args:
        archive: a file that `export_base` has written.
        base_folder: where the base is to live; there must be none yet.
        models_folder: where models that travel along are put. One that lies there already with the same content stays.
        on_progress: told after every block.

    Raises:
        KnowledgeBaseError: the archive is damaged, unsafe or of a newer format; there is a base or a model of
            that name already; or the disk cannot take it. Nothing is changed then.
    """
    root, models = Path(base_folder).absolute(), Path(models_folder).absolute()
    _check_free(root)
    with (
        storage_errors(root),
        ArchiveReader(Path(archive)) as reader,
        workplace(root.with_name(f".{root.name}.import")) as folder,
    ):
        run = _Import(reader, folder, models, on_progress)
        copy, n_sources = run.extract()
        settings = run.settings()
        run.build(copy, settings.get("embedding_model"))
        run.place_models()
        _check_free(root)  # one may have appeared meanwhile
        if root.is_dir():
            root.rmdir()
        run.base.replace(root)
    return ImportReport(str(root), copy.n_files, copy.n_chunks, n_sources, settings, reader.index.models)


class _Import:
    """One run."""

    def __init__(self, reader: ArchiveReader, folder: Path, models: Path, on_progress: Move) -> None:
        self._reader = reader
        self._folder = folder
        self._models = models
        self._on_progress = on_progress
        self._done = 0
        self._total = sum(member.size_bytes for member in reader.index.members)
        self.base = folder / "base"

    def extract(self) -> tuple[CopiedManifest, int]:
        """Every member to its place below the work folder; what the manifest says of itself."""
        self.base.mkdir(mode=0o700)
        sources = self._reader.members(SOURCES)
        for member in self._reader.members(""):
            inside = member.name.removeprefix(SOURCES)
            target = self.base / FOLDER / inside if inside != member.name else self._staged(member.name)
            self._reader.extract(member, target, partial(self._moved, member.name))
        return self._checked_manifest(), len(sources)

    def settings(self) -> dict[str, str | list[str]]:
        """What the settings of the models that came along are to say."""
        values: dict[str, str | list[str]] = {}
        for model in self._reader.index.models:
            value = model.name if model.name is not None else str(self._models / model.path)
            if model.setting == "lora":  # of which there may be several
                values["lora"] = [*values.get("lora", []), value]
            else:
                values[model.setting] = value
        return values

    def build(self, copy: CopiedManifest, embedding_model: object) -> None:
        """Vectors and words, from the manifest alone."""
        with closing(Database(self.base / MANIFEST)) as database:
            setup = copy.meta.get("embedding_setup")
            if embedding_model is not None and isinstance(setup, Mapping):
                database.set_meta("embedding_setup", {**setup, "embedding_model": embedding_model})
            database.set_meta("dirty", value=True)  # opening it then builds the other two parts
        with closing(OpenIndex(self.base)) as index:
            index.ensure_searchable()

    def place_models(self) -> None:
        """Put the models where they are to lie; none is put when one cannot be."""
        waiting = []
        for model in self._reader.index.models:
            for name in model.files:
                target, draft = self._models / name, self._folder / MODELS / name
                if not target.exists():
                    waiting.append((draft, target))
                elif not _same_content(draft, target):
                    raise _other_model(target)
        for draft, target in waiting:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft.replace(target)

    def _staged(self, name: str) -> Path:
        return self.base / MANIFEST if name == MANIFEST else self._folder / name

    def _moved(self, name: str, n_bytes: int) -> None:
        self._done += n_bytes
        self._on_progress(name, self._done, self._total)

    def _checked_manifest(self) -> CopiedManifest:
        path = self._reader.path
        try:
            version = format_of(self.base / MANIFEST)
            if version not in OLDER_FORMATS:
                check_format(version, path)
            copy = look_at(self.base / MANIFEST)
        except (sqlite3.Error, ValueError) as error:
            raise damaged(path, say("its manifest cannot be read", "其中的清单无法读取")) from error
        if copy.problems:
            raise damaged(path, copy.problems[0])
        return copy


def _same_content(one: Path, other: Path) -> bool:
    return one.stat().st_size == other.stat().st_size and _sha256(one) == _sha256(other)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _other_model(path: Path) -> KnowledgeBaseError:
    return KnowledgeBaseError(
        say(
            f"{str(path)!r} is there already, and is not the file in the archive",
            f"{str(path)!r} 已存在，且与归档中的文件不同",
        ),
        folder=path.parent,
        hint=say("move it away, or import into another home (--home)", "请将其移走，或导入到另一个数据目录（--home）"),
    )


def _check_free(root: Path) -> None:
    if Generations(root).exists() or (root.is_dir() and any(root.iterdir())) or root.is_file():
        raise KnowledgeBaseError(
            say(f"there is something in {str(root)!r} already", f"{str(root)!r} 中已有内容"),
            folder=root,
            hint=say("import under another name with --kb NAME", "请用 --kb 名称 导入为另一个知识库"),
        )
