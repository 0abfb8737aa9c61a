"""A hub on this machine that speaks both protocols, and misbehaves on demand."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

NAME = "chinese-alpaca-2-7b-16k"
GGUF = f"hfl/{NAME}-gguf"
FILE = "ggml-model-q4_k.gguf"
CONTENT = bytes(range(256)) * 20_000  # 5 MB, several blocks
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def git_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass
class FakeHub:
    """Serves repositories by both protocols. `before` may answer a request itself (and returns True then)."""

    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    small: set[str] = field(default_factory=set)  # files that Hugging Face would not keep in LFS
    before: Callable[[BaseHTTPRequestHandler], bool] = lambda _: False
    stated: dict[str, str] = field(default_factory=dict)  # checksums that the listing states instead of the right ones
    ranges: bool = True
    etag: str = '"one"'
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    address: str = ""

    def downloads(self) -> list[str | None]:
        """The Range header of each request for a file."""
        return [asked_range for path, asked_range in self.asked if "/resolve/" in path or "FilePath" in path]

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append((request.path, request.headers.get("Range")))
        if self.before(request):
            return
        parts = urlsplit(request.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)", parts.path):
            self.listed(request, found[1], lambda _: {"sha": COMMIT})
        elif found := re.fullmatch(rf"/api/models/([^/]+/[^/]+)/tree/{COMMIT}", parts.path):
            self.listed(request, found[1], lambda files: [self.huggingface_row(*item) for item in files.items()])
        elif found := re.fullmatch(rf"/([^/]+/[^/]+)/resolve/{COMMIT}/(.+)", parts.path):
            self.file(request, self.repositories[found[1]][found[2]])
        elif found := re.fullmatch(r"/api/v1/models/([^/]+/[^/]+)/repo/files", parts.path):
            self.listed(
                request, found[1], lambda files: {"Data": {"Files": [*map(self.modelscope_row, files.items())]}}
            )
        elif found := re.fullmatch(r"/api/v1/models/([^/]+/[^/]+)/repo", parts.path):
            self.file(request, self.repositories[found[1]][query["FilePath"]])
        else:
            respond(request, 404, b"{}", "application/json")

    def listed(
        self, request: BaseHTTPRequestHandler, repository: str, rows: Callable[[dict[str, bytes]], object]
    ) -> None:
        files = self.repositories.get(repository)
        body = b"{}" if files is None else json.dumps(rows(files)).encode()
        respond(request, 404 if files is None else 200, body, "application/json")

    def huggingface_row(self, path: str, content: bytes) -> dict[str, object]:
        row: dict[str, object] = {"type": "file", "path": path, "size": len(content), "oid": git_id(content)}
        if path not in self.small:
            row["lfs"] = {"oid": self.stated.get(path, sha256(content)), "size": len(content), "pointerSize": 135}
        return row

    def modelscope_row(self, item: tuple[str, bytes]) -> dict[str, object]:
        path, content = item
        checksum = self.stated.get(path, sha256(content))
        return {"Type": "blob", "Path": path, "Name": path, "Size": len(content), "Sha256": checksum}

    def file(self, request: BaseHTTPRequestHandler, content: bytes) -> None:
        found = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range") or "")
        same = request.headers.get("If-Range") in (None, self.etag)
        headers = {"ETag": self.etag}
        if found and self.ranges and same:
            start = int(found[1])
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            respond(request, 206, content[start:], headers=headers)
        else:
            respond(request, 200, content, headers=headers)


def respond(
    request: BaseHTTPRequestHandler,
    status: int,
    body: bytes,
    kind: str = "application/octet-stream",
    headers: dict[str, str] | None = None,
    send: int | None = None,
) -> None:
    """An answer; `send` bytes of the body only, where the connection is to break."""
    request.send_response(status)
    request.send_header("Content-Type", kind)
    request.send_header("Content-Length", str(len(body)))
    for name, value in (headers or {}).items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body[:send])
    request.close_connection = True


FULL = {
    "config.json": b"{}",
    "pytorch_model-00001-of-00002.bin": b"1",
    "pytorch_model-00002-of-00002.bin": b"2",
    "pytorch_model.bin.index.json": b"{}",
    "tokenizer.model": b"pieces",
    "tokenizer_config.json": b"{}",
    "README.md": b"read me",
    "modeling_llama_yarn.py": b"raise SystemExit",
    "training_args.bin": b"x",
    "original/consolidated.00.pth": b"x",
}


def part_file(tmp_path: Path) -> Path:
    return tmp_path / "models" / f"{NAME}-gguf" / f"{FILE}.{sha256(CONTENT)[:12]}.part"


def broken_after(n_bytes: int, times: int) -> Callable[[BaseHTTPRequestHandler], bool]:
    """The first `times` answers with a file break off after n_bytes."""
    left = [times]

    def before(request: BaseHTTPRequestHandler) -> bool:
        if "/resolve/" not in request.path or left[0] == 0:
            return False
        left[0] -= 1
        start = int((request.headers.get("Range") or "bytes=0-")[6:-1])
        headers = {"ETag": '"one"', "Content-Range": f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"}
        respond(request, 206 if start else 200, CONTENT[start:], headers=headers, send=n_bytes)
        return True

    return before


def left_over(tmp_path: Path, content: bytes, etag: str = '"one"') -> None:
    part = part_file(tmp_path)
    part.parent.mkdir(parents=True)
    part.write_bytes(content)
    part.with_name(f"{part.name}.etag").write_text(etag)


def always(status: int, body: bytes = b"", where: str = "/", **options) -> Callable[[BaseHTTPRequestHandler], bool]:
    def before(request: BaseHTTPRequestHandler) -> bool:
        if where not in request.path:
            return False
        respond(request, status, body, **options)
        return True

    return before
