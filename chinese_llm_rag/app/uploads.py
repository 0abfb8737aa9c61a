"""Documents as they arrive: a stream of bytes -> a file of ours, within bounds, and of a type that is read."""

import os
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

from chinese_llm_rag.app.failures import RefusedError
from chinese_llm_rag.app.names import document_name
from chinese_llm_rag.document_loaders import FORMATS
from chinese_llm_rag.document_loaders.file_kind import kind_of
from chinese_llm_rag.language import say

_ZIPS = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0"
_MOST_INSPECTED = 64 << 20  # of a ZIP or OLE file, whose kind stands anywhere in it
_HEAD = 4096


async def receive_upload(
    pieces: AsyncIterator[bytes], name: str, incoming: Path, target_folder: Path, *, max_bytes: int
) -> Path:
    """Where the document lies; it replaces one of the same name, at once.

    Args:
        pieces: its bytes.
        name: as the client calls it, folders with / between them.
        incoming: folder for what is still arriving.
        target_folder: of the documents.
        max_bytes: more is refused.

    Raises:
        RefusedError: the name, the size or the type.
    """
    parts = document_name(name)
    extension = Path(parts[-1]).suffix.lower()
    if extension not in FORMATS:
        raise _unsupported(say(f"the type {extension!r} is not known", f"不支持 {extension!r} 类型"))
    incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = incoming / f"{uuid.uuid4().hex}.part"
    try:
        await _write(pieces, part, max_bytes)
        _check_kind(part)
        target = _target(target_folder, parts)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target


def discard(path: Path, folder: Path) -> None:
    """Delete an uploaded file, and the folders above it that are empty then; files elsewhere are left alone."""
    if folder not in path.parents:
        return
    path.unlink(missing_ok=True)
    for above in path.parents:
        if above == folder:
            return
        with suppress(OSError):
            above.rmdir()


async def _write(pieces: AsyncIterator[bytes], part: Path, max_bytes: int) -> None:
    n_bytes = 0
    head = b""
    with part.open("xb") as file:  # short writes to a local disk: a thread for each would cost more
        async for piece in pieces:
            n_bytes += len(piece)
            if n_bytes > max_bytes:
                raise RefusedError(
                    "too_large",
                    say(f"the file is larger than {max_bytes >> 20} MiB", f"文件超过 {max_bytes >> 20} MiB"),
                    hint=say(
                        "raise serve_max_upload_bytes, or split the file", "请调大 serve_max_upload_bytes 或拆分文件"
                    ),
                )
            if len(head) < _HEAD:
                head += piece[: _HEAD - len(head)]
                _check_head(head)
            file.write(piece)
        if not n_bytes:
            raise RefusedError("invalid", say("the file is empty", "文件为空"), setting="name")
        file.flush()
        os.fsync(file.fileno())


def _check_head(head: bytes) -> None:
    """Refuse what the first bytes show to be no document, before the rest has come."""
    if head.startswith((_ZIPS, _OLE)):
        return
    kind = kind_of(head)
    if kind is not None and kind.extension is None:
        raise _unsupported(say(f"the file is {kind.english}", f"该文件是{kind.chinese}"))


def _check_kind(part: Path) -> None:
    """Refuse an archive or an Office file of a kind that is not read."""
    with part.open("rb") as file:
        if not file.read(4).startswith((_ZIPS, _OLE)) or part.stat().st_size > _MOST_INSPECTED:
            return
        file.seek(0)
        kind = kind_of(file.read())
    if kind is not None and kind.extension is None:
        raise _unsupported(say(f"the file is {kind.english}", f"该文件是{kind.chinese}"))


def _target(folder: Path, parts: tuple[str, ...]) -> Path:
    target = folder.joinpath(*parts)
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise RefusedError(
            "conflict",
            say(
                f"a document has the name of a folder of {'/'.join(parts)!r}",
                f"{'/'.join(parts)!r} 的文件夹与已有文档同名",
            ),
            hint=say("give it another name", "请换一个名称"),
        ) from None
    if target.is_dir():
        raise RefusedError(
            "conflict",
            say(f"{'/'.join(parts)!r} is a folder", f"{'/'.join(parts)!r} 是一个文件夹"),
            hint=say("give it another name", "请换一个名称"),
        )
    return target


def _unsupported(message: str) -> RefusedError:
    known = ", ".join(FORMATS)
    return RefusedError(
        "unsupported", message, hint=say(f"known types are {known}", f"支持的类型为 {known}"), setting="name"
    )
