"""Which files an ingest run takes in."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from chinese_llm_rag.document_loaders import FORMATS, is_supported
from chinese_llm_rag.errors import DocumentError
from chinese_llm_rag.language import say


@dataclass(frozen=True, slots=True)
class Discovery:
    """Absolute paths in a stable order; files of unknown type and folders that cannot be read, met on the way.

    `folders` are those that were asked for.
    """

    files: tuple[Path, ...]
    ignored: tuple[Path, ...]
    unreadable: tuple[tuple[Path, str], ...] = ()
    folders: tuple[Path, ...] = ()


def discover(paths: Iterable[Path]) -> Discovery:
    """The files named, and the supported files of the folders named, hidden ones left out.

    Raises:
        DocumentError: a path does not exist, a named file has an unknown type, or a folder holds no
            document. Nothing was ingested then.
    """
    files: dict[Path, None] = {}
    ignored: list[Path] = []
    unreadable: list[tuple[Path, str]] = []
    folders: list[Path] = []
    for path in paths:
        absolute = Path(os.path.abspath(path))  # noqa: PTH100  (names stay as given: links are not resolved)
        if absolute.is_dir():
            found = _walk(absolute, unreadable)
            supported = [file for file in found if is_supported(file)]
            if not supported and not unreadable:
                raise _no_documents(path)
            folders.append(absolute)
            files.update(dict.fromkeys(supported))
            ignored.extend(file for file in found if not is_supported(file))
        elif not absolute.exists():
            raise DocumentError(
                say(f"{str(path)!r} does not exist", f"{str(path)!r} 不存在"),
                path=absolute,
                hint=say("check the spelling of the path", "请检查路径是否写对"),
            )
        elif not is_supported(absolute):
            raise DocumentError(
                say(
                    f"{str(path)!r}: unknown type {absolute.suffix!r}, expected one of {', '.join(FORMATS)}",
                    f"{str(path)!r}：未知类型 {absolute.suffix!r}，支持的类型为 {'、'.join(FORMATS)}",
                ),
                path=absolute,
                hint=say("convert it to one of these", "请转换为其中一种"),
            )
        else:
            files[absolute] = None
    return Discovery(tuple(files), tuple(ignored), tuple(unreadable), tuple(folders))


def _walk(folder: Path, unreadable: list[tuple[Path, str]]) -> list[Path]:
    def note(error: OSError) -> None:
        unreadable.append((Path(error.filename), error.strerror or type(error).__name__))

    found: list[Path] = []
    for root, folders, names in os.walk(folder, onerror=note):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found.extend(Path(root) / name for name in sorted(names) if not name.startswith("."))
    return found


def _no_documents(path: Path) -> DocumentError:
    return DocumentError(
        say(f"the folder {str(path)!r} holds no documents", f"文件夹 {str(path)!r} 中没有文档"),
        path=path,
        hint=say(
            f"known types are {', '.join(FORMATS)}; if its files were deleted, remove them with: clrag remove FOLDER",
            f"支持的类型为 {'、'.join(FORMATS)}；如果其中的文件已被删除，请用 clrag remove 文件夹 将它们移出知识库",
        ),
    )
