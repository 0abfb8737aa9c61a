"""What a hub holds: the files of a repository with size, checksum and address, by the hub's own listing.

Hugging Face (and every mirror that speaks its protocol): /api/models/<repo> names the commit,
/api/models/<repo>/tree/<commit> its files; a file in LFS states its SHA-256, any other its git blob id.
ModelScope: /api/v1/models/<repo>/repo/files states a SHA-256 for every file.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from chinese_llm_rag.errors import ConfigError, ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.model_tools.connection import Connection

HUGGINGFACE = "https://huggingface.co"
MODELSCOPE = "https://modelscope.cn"
_MOST_PAGES = 50
_HEX = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a repository.

    `checksum` is in hex: 64 digits are the SHA-256 of the content, 40 digits its git blob id (the SHA-1 of the
    word blob, a space, the size, a NUL and the content).
    """

    path: str
    size_bytes: int
    checksum: str
    url: str


class Hub(Protocol):
    """A place that lists repositories."""

    @property
    def address(self) -> str:
        """Where it answers, without a slash at the end."""
        ...

    def repository(self, owner_and_name: str) -> str:
        """The name of a family repository there, given its name on Hugging Face."""
        ...

    def list_files(self, connection: Connection, repository: str) -> list[RemoteFile]:
        """All files of a repository, as they are now."""
        ...


@dataclass(frozen=True, slots=True)
class HuggingFaceHub:
    """Hugging Face, or a mirror of it at another address."""

    address: str = HUGGINGFACE

    def repository(self, owner_and_name: str) -> str:
        """The same name."""
        return owner_and_name

    def list_files(self, connection: Connection, repository: str) -> list[RemoteFile]:
        """The files of the newest commit; their addresses name that commit, so that it cannot change meanwhile."""
        about, _ = connection.get_json(f"{self.address}/api/models/{repository}")
        commit = _text(about, "sha", repository)
        page: str | None = f"{self.address}/api/models/{repository}/tree/{commit}?recursive=true"
        entries: list[Any] = []
        for _ in range(_MOST_PAGES):
            if page is None:
                break
            rows, page = connection.get_json(page)
            entries.extend(_list(rows, repository))
        base = f"{self.address}/{repository}/resolve/{commit}"
        return [_from_huggingface(row, base, repository) for row in entries if _text(row, "type", repository) == "file"]


@dataclass(frozen=True, slots=True)
class ModelScopeHub:
    """ModelScope."""

    address: str = MODELSCOPE
    owner: str = "ChineseAlpacaGroup"

    def repository(self, owner_and_name: str) -> str:
        """The same model of the family's group there."""
        return f"{self.owner}/{owner_and_name.partition('/')[2]}"

    def list_files(self, connection: Connection, repository: str) -> list[RemoteFile]:
        """The files of the branch master."""
        base = f"{self.address}/api/v1/models/{repository}/repo"
        answer, _ = connection.get_json(f"{base}/files?Revision=master&Recursive=true")
        if not isinstance(answer, Mapping) or not isinstance(answer.get("Data"), Mapping):
            raise _strange(repository)
        return [
            _file(
                repository,
                path=_text(row, "Path", repository),
                size=row.get("Size"),
                checksum=row.get("Sha256"),
                url=f"{base}?Revision=master&FilePath={quote(_text(row, 'Path', repository), safe='')}",
            )
            for row in _list(answer["Data"].get("Files"), repository)
            if _text(row, "Type", repository) == "blob"
        ]


def hub_named(source: str) -> Hub:
    """The hub of a `--source`: huggingface, modelscope, or the address of a mirror of Hugging Face."""
    if source == "huggingface":
        return HuggingFaceHub()
    if source == "modelscope":
        return ModelScopeHub()
    parts = urlsplit(source)
    if parts.scheme in ("http", "https") and parts.hostname:
        return HuggingFaceHub(source.rstrip("/"))
    raise ConfigError(
        say(f"source={source!r} is none", f"source={source!r} 无效"),
        setting="source",
        origin="flag --source",
        hint=say("huggingface, modelscope or https://...", "应为 huggingface、modelscope 或 https://..."),
    )


def connect(hub: Hub) -> Connection:
    """A connection for this hub; the user's token goes to the hub itself and to no mirror."""
    token = {HUGGINGFACE: "HF_TOKEN", MODELSCOPE: "MODELSCOPE_API_TOKEN"}.get(hub.address)
    return Connection(token=os.environ.get(token) if token else None, token_host=urlsplit(hub.address).hostname)


def _from_huggingface(row: Any, base: str, repository: str) -> RemoteFile:  # noqa: ANN401  (JSON)
    path = _text(row, "path", repository)
    large = row.get("lfs")
    if isinstance(large, Mapping):
        size, checksum = large.get("size"), large.get("oid")
    else:
        size, checksum = row.get("size"), row.get("oid")
    return _file(repository, path=path, size=size, checksum=checksum, url=f"{base}/{quote(path)}")


def _file(repository: str, *, path: str, size: object, checksum: object, url: str) -> RemoteFile:
    """A checked entry: a listing is a stranger's text, and its path becomes a path on this machine."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or re.search(r'[\\:*?"<>|\x00-\x1f]', path):
        raise ModelLoadError(
            say(
                f"{repository!r} lists a file with the dangerous path {path!r}",
                f"{repository!r} 列出了不安全的路径 {path!r}",
            ),
            hint=say("nothing was fetched; use another --source", "未下载任何文件；请换用其他 --source"),
        )
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise _strange(repository)
    if not isinstance(checksum, str) or not _HEX.fullmatch(checksum.lower()):
        raise ModelLoadError(
            say(f"{repository!r} states no checksum for {path!r}", f"{repository!r} 没有给出 {path!r} 的校验和"),
            hint=say(
                "what cannot be checked is not fetched; use another --source", "无法校验，不予下载；请换用其他 --source"
            ),
        )
    return RemoteFile(path, size, checksum.lower(), url)


def _text(row: object, key: str, repository: str) -> str:
    value = row.get(key) if isinstance(row, Mapping) else None
    if not isinstance(value, str):
        raise _strange(repository)
    return value


def _list(value: object, repository: str) -> list[Any]:
    if not isinstance(value, list):
        raise _strange(repository)
    return value


def _strange(repository: str) -> ModelLoadError:
    return ModelLoadError(
        say(f"the listing of {repository!r} cannot be understood", f"无法理解 {repository!r} 的文件列表"),
        hint=say("is --source the address of a hub?", "请确认 --source 是模型站点的地址"),
    )
