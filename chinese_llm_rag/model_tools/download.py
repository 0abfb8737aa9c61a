"""One file, whole and right, or none: resumed where it can be, checked, and renamed only at the end.

The unfinished file carries the checksum in its name, so that it is only ever continued as what it is. Beside
it stands the ETag of the answer it came from: a server that has another file now starts again.
"""

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

import httpx

from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.model_tools.connection import Connection, TemporaryError
from chinese_llm_rag.model_tools.hubs import RemoteFile

_BLOCK_BYTES = 1 << 20
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d*/(\d+|\*)")

Moved = Callable[[int], None]  # how many bytes of the file are here


def part_of(target: Path, file: RemoteFile) -> Path:
    """Where the unfinished file lies."""
    return target.with_name(f"{target.name}.{file.checksum[:12]}.part")


def download(connection: Connection, file: RemoteFile, target: Path, moved: Moved) -> None:
    """Fetch `file` to `target`, going on with what is there.

    Raises:
        ModelLoadError: the server gave up, or what arrived is not what the hub states.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(target, file)
    for stale in target.parent.glob(f"{_escaped(target.name)}.*.part*"):
        if not stale.name.startswith(part.name):
            stale.unlink()
    patience = connection.patience()
    while (size := _size(part)) != file.size_bytes or not part.exists():
        if size > file.size_bytes:
            _forget(part)
            continue
        try:
            _receive(connection, file, part, size, moved)
        except TemporaryError as trouble:
            if _size(part) > size:
                patience.succeeded()
            patience.after(trouble)
    moved(file.size_bytes)
    _check(file, part)
    part.replace(target)
    _etag_file(part).unlink(missing_ok=True)


def checksum(path: Path, kind_of: str) -> str:
    """The checksum of a file, of the kind that the given one is: SHA-256 or git blob id, in hex."""
    if len(kind_of) == hashlib.sha256().digest_size * 2:
        digest = hashlib.sha256()
    else:
        digest = hashlib.sha1(usedforsecurity=False)  # git's name of a file, stated by the hub
        digest.update(f"blob {path.stat().st_size}\0".encode())
    with path.open("rb") as content:
        while block := content.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _receive(connection: Connection, file: RemoteFile, part: Path, start: int, moved: Moved) -> None:
    """Append what one answer brings; returns when it ended, whole or not."""
    headers, etag = {}, _known_etag(part)
    if start:
        headers["Range"] = f"bytes={start}-"
        if etag:
            headers["If-Range"] = etag
    with connection.stream(file.url, headers) as response:
        begins_at = _beginning(response, file, start, etag)
        if begins_at is None:
            _forget(part)
            if start == 0:  # the whole file was asked for, and something else was answered
                raise TemporaryError(_other_size(file, 0))
            return
        if begins_at == 0:
            _forget(part)
            _remember_etag(part, response.headers.get("ETag"))
        here = begins_at
        with part.open("ab") as content:
            try:
                for block in response.iter_bytes():  # as it comes: a block held back would be lost with the connection
                    here += len(block)
                    if here > file.size_bytes:
                        break
                    content.write(block)
                    moved(here)
            finally:
                content.flush()
                os.fsync(content.fileno())
    if here > file.size_bytes:
        _forget(part)
        raise _other_size(file, here)
    if here < file.size_bytes:
        raise TemporaryError(
            ModelLoadError(
                say(
                    f"the answer for {file.path!r} ended after {here} of {file.size_bytes} bytes",
                    f"{file.path!r} 的传输在 {here}/{file.size_bytes} 字节处中断",
                ),
                hint=say("run the same command again to go on", "再次运行同一命令即可续传"),
            )
        )


def _beginning(response: httpx.Response, file: RemoteFile, start: int, etag: str | None) -> int | None:
    """Where in the file the body begins; None when what is there must go and all be asked for again."""
    if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        return None
    if response.status_code == httpx.codes.PARTIAL_CONTENT:
        found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        same = etag is None or response.headers.get("ETag", etag) == etag
        if found and int(found[1]) == start and found[2] in ("*", str(file.size_bytes)) and same:
            return start
        return None
    stated = response.headers.get("Content-Length", "")
    if stated.isdecimal() and int(stated) != file.size_bytes:
        raise _other_size(file, int(stated), response.headers.get("Content-Type"))
    return 0


def _check(file: RemoteFile, part: Path) -> None:
    found = checksum(part, file.checksum)
    if found != file.checksum:
        _forget(part)
        raise ModelLoadError(
            say(
                f"{file.path!r} arrived damaged and was removed: checksum {found}, the hub states {file.checksum}",
                f"{file.path!r} 已损坏：校验和为 {found}，应为 {file.checksum}；已删除该文件",
            ),
            hint=say("run the same command again, or use another --source", "请重新运行同一命令，或换用其他 --source"),
        )


def _other_size(file: RemoteFile, found: int, kind: str | None = None) -> ModelLoadError:
    what = f" ({kind})" if kind else ""
    return ModelLoadError(
        say(
            f"the server has {found} bytes{what} for {file.path!r}, the hub states {file.size_bytes}",
            f"服务器上的 {file.path!r} 为 {found} 字节{what}，应为 {file.size_bytes}",
        ),
        hint=say(
            "a login page, a proxy or an outdated mirror may stand between; use another --source",
            "可能被登录页或代理拦截，或镜像已过时；请换用其他 --source",
        ),
    )


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _etag_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")


def _known_etag(part: Path) -> str | None:
    file = _etag_file(part)
    return file.read_text(encoding="utf-8") if file.exists() else None


def _remember_etag(part: Path, etag: str | None) -> None:
    if etag and not etag.startswith("W/"):  # a weak one does not promise the same bytes
        _etag_file(part).write_text(etag, encoding="utf-8")


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _etag_file(part).unlink(missing_ok=True)


def _escaped(name: str) -> str:
    return re.sub(r"([\[\]*?])", r"[\1]", name)
