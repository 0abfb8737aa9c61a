"""What an archive of a knowledge base holds, and which names in it are names at all. Touches no disk.

An archive is a ZIP file. `index.json` lists every other member with its size and SHA-256. A member's name is
taken apart by the rules below and never used as a path as it stands.
"""

import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from chinese_llm_rag.errors import KnowledgeBaseError
from chinese_llm_rag.language import say

FORMAT = "chinese-llm-rag archive"
ARCHIVE_VERSION = 1
INDEX = "index.json"
MANIFEST = "manifest.sqlite3"
SOURCES = "sources/"
MODELS = "models/"

_SHA256 = r"[0-9a-f]{64}"
_SOURCE = re.compile(rf"sources/({_SHA256})(\.[a-z0-9]{{1,10}})?")
_SUFFIX = re.compile(r"\.[a-z0-9]{1,10}")
_BAD_CHARACTERS = re.compile('[\x00-\x1f\x7f<>:"|?*\\\\\ud800-\udfff]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # never files on Windows
_MOST_NAME_BYTES = 255

Setting = Literal["model", "model_path", "embedding_model", "lora", "draft_model"]


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive, as its index has it."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    name: str
    size_bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=rf"^{_SHA256}$")]


@dataclass(frozen=True, slots=True)
class CarriedModel:
    """A model that travels along.

    Attributes:
        setting: the setting that asks for it.
        path: of its file or folder, below the models folder.
        files: all its files, likewise.
        name: what the setting says where that is a name; None where it is the path.
        record: where it was fetched from, as the models folder keeps it; None for others.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    setting: Setting
    path: str
    files: tuple[str, ...]
    name: str | None = None
    record: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ArchiveIndex:
    """The file `index.json`."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    format: str
    version: int
    program: str
    members: tuple[Member, ...]
    models: tuple[CarriedModel, ...] = ()

    def to_json(self) -> bytes:
        """The file's content."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1).encode()


def parse_index(content: bytes, path: Path) -> ArchiveIndex:
    """The index of the archive at `path`.

    Raises:
        KnowledgeBaseError: of another program, of a newer format, or contradicting itself.
    """
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise foreign(path) from error
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise foreign(path)
    if value.get("version") != ARCHIVE_VERSION:
        raise _other_version(value, path)
    try:
        index = TypeAdapter(ArchiveIndex).validate_json(content)
    except ValidationError as error:
        raise damaged(path, say("its index cannot be read", "索引无法读取")) from error
    _check(index, path)
    return index


def _check(index: ArchiveIndex, path: Path) -> None:
    names = [member.name for member in index.members]
    for name in names:
        if not is_member_name(name):
            raise unsafe(path, name)
    if twin := repeated(names):
        raise unsafe(path, twin)
    if MANIFEST not in names:
        raise damaged(path, say(f"it holds no {MANIFEST}", f"缺少 {MANIFEST}"))
    for member in index.members:
        source = _SOURCE.fullmatch(member.name)
        if source and source[1] != member.sha256:
            raise damaged(path, say(f"{member.name!r} is not what it is called", f"{member.name!r} 与其名称不符"))
    for model in index.models:
        wanted = [model.path, *model.files]
        missing = [file for file in model.files if MODELS + file not in names]
        if missing or not all(is_member_name(MODELS + part) for part in wanted):
            raise damaged(path, say(f"the model {model.path!r} is not whole", f"模型 {model.path!r} 不完整"))


def is_member_name(name: str) -> bool:
    """Whether a name is one that the export gives: no absolute name, no way out of its folder, on any system."""
    if name == MANIFEST or _SOURCE.fullmatch(name):
        return True
    return name.startswith(MODELS) and all(map(_is_file_name, name.removeprefix(MODELS).split("/")))


def _is_file_name(part: str) -> bool:
    return (
        bool(part)
        and not part.startswith(".")
        and not part.endswith((".", " "))
        and not _BAD_CHARACTERS.search(part)
        and not _DEVICES.fullmatch(part)
        and len(part.encode()) <= _MOST_NAME_BYTES
    )


def repeated(names: Iterable[str]) -> str | None:
    """A name that some file system takes for an earlier one, or for a folder of one."""
    files: set[str] = set()
    folders: set[str] = set()
    for name in names:
        key = unicodedata.normalize("NFC", name).casefold()
        above = {key[: match.start()] for match in re.finditer("/", key)}
        if key in files or key in folders or above & files:
            return name
        files.add(key)
        folders |= above
    return None


def source_member(content_hash: str, path: str) -> str:
    """The name of a source file's copy: its content, and the suffix of one of its names where that is a plain one."""
    suffix = Path(path).suffix.lower()
    return f"{SOURCES}{content_hash}{suffix if _SUFFIX.fullmatch(suffix) else ''}"


# --- errors -----------------------------------------------------------------------------------


def foreign(path: Path) -> KnowledgeBaseError:
    """It is something else."""
    return KnowledgeBaseError(
        say(f"{str(path)!r} is not an archive of a knowledge base", f"{str(path)!r} 不是知识库归档文件"),
        folder=path,
        hint=say("give a file that `clrag kb export` has written", "请给出由 clrag kb export 生成的文件"),
    )


def damaged(path: Path, reason: str) -> KnowledgeBaseError:
    """It is one, and not whole."""
    return KnowledgeBaseError(
        say(f"the archive {str(path)!r} is damaged: {reason}", f"归档文件 {str(path)!r} 已损坏：{reason}"),
        folder=path,
        hint=say("copy it again, or export it again", "请重新复制或重新导出"),
    )


def unsafe(path: Path, name: str) -> KnowledgeBaseError:
    """It has a member that no export writes."""
    return KnowledgeBaseError(
        say(
            f"the archive {str(path)!r} holds {name!r}, which no export writes",
            f"归档文件 {str(path)!r} 含有导出时不会写入的 {name!r}",
        ),
        folder=path,
        hint=say("do not use it; get it again from whom you trust", "请勿使用，并从可信来源重新获取"),
    )


def _other_version(value: dict[str, Any], path: Path) -> KnowledgeBaseError:
    version, program = value.get("version"), value.get("program")
    return KnowledgeBaseError(
        say(
            f"the archive {str(path)!r} has format {version!r} (written by version {program!r}), "
            f"this program reads {ARCHIVE_VERSION}",
            f"归档文件 {str(path)!r} 的格式为 {version!r}（由版本 {program!r} 写入），"
            f"本程序可读取的格式为 {ARCHIVE_VERSION}",
        ),
        folder=path,
        hint=say("use the program version that wrote it, or a later one", "请使用写入它的程序版本或更新的版本"),
    )
