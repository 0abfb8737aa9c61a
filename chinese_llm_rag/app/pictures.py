"""Pages of documents as a reader sees them: pictures of PDF pages, and where cited words stand on them."""

import json
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.documents import Document

from chinese_llm_rag.app.failures import RefusedError
from chinese_llm_rag.app.marks import DrawnPage, Mark, marks_of
from chinese_llm_rag.knowledge_base import KnowledgeBase
from chinese_llm_rag.language import say

_TIMEOUT_S = 20.0
_START = "import sys; sys.path[:] = sys.argv[1:]; from chinese_llm_rag.app.picture_process import main; main()"
_BYTES_A_CHARACTER = 4 + 16  # its code, and its box


@dataclass(frozen=True, slots=True)
class PageMarks:
    """A page, and the cited words on it.

    Attributes:
        page: its number, from 1.
        n_pages: of the document.
        text: of the page, as it is searched.
        start: of the words in that text.
        end: of the words in that text.
        has_picture: whether the page can be drawn.
        marks: boxes around the words on the picture; empty where they were not found there, as on scans.
    """

    page: int
    n_pages: int
    text: str
    start: int
    end: int
    has_picture: bool
    marks: tuple[Mark, ...]


class Pictures:
    """Draws pages in a process of its own, one at a time. Close it when done."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def page(self, path: Path, page: int, *, width: int) -> bytes:
        """A page of a PDF as PNG, so many pixels wide.

        Raises:
            RefusedError: it cannot be drawn, or there is no such page.
        """
        _, data = self._ask({"what": "picture", "path": str(path), "page": page, "width": width})
        return data

    def marks(self, base: KnowledgeBase, path: Path, page: int, start: int, end: int) -> PageMarks:
        """A page of a document, with characters start..end of the document's text marked.

        Raises:
            RefusedError: the base has no such page.
        """
        text, at, n_pages = _stored_page(base, path, page)
        first, last = (min(max(place - at, 0), len(text)) for place in (start, end))
        if path.suffix.lower() != ".pdf":
            return PageMarks(page, n_pages, text, first, last, has_picture=False, marks=())
        try:
            head, data = self._ask({"what": "characters", "path": str(path), "page": page})
        except RefusedError:
            return PageMarks(page, n_pages, text, first, last, has_picture=False, marks=())
        n = len(data) // _BYTES_A_CHARACTER
        codes = np.frombuffer(data, np.uint32, n)
        boxes = np.frombuffer(data, np.float32, 4 * n, 4 * n).reshape(n, 4)
        drawn = DrawnPage(codes, boxes, head["width"], head["height"])
        marks = marks_of(drawn, text, first, last) if first < last else []
        return PageMarks(page, n_pages, text, first, last, has_picture=True, marks=tuple(marks))

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    # --- the process ----------------------------------------------------------------------------

    def _ask(self, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        with self._lock:
            if self._process is not None and self._process.poll() is not None:
                self._end()
            if self._process is None:
                self._process = subprocess.Popen(
                    [sys.executable, "-c", _START, *sys.path],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                )
            alarm = threading.Timer(_TIMEOUT_S, self._process.kill)
            alarm.daemon = True
            alarm.start()
            try:
                answer = _exchange(self._process, request)
            finally:
                alarm.cancel()
            if answer is None:
                self._end()
                raise _no_picture()
        head, data = answer
        if head.get("error") == "page":
            raise RefusedError("not_found", say(f"there is no page {request['page']}", f"没有第 {request['page']} 页"))
        if "error" in head:
            raise _no_picture()
        return head, data

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                with suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]
            self._process = None


def _exchange(process: "subprocess.Popen[bytes]", request: dict[str, Any]) -> tuple[dict[str, Any], bytes] | None:
    """The answer; None where the process ended over it."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        head = json.loads(process.stdout.readline() or b"null")
        if head is None:
            return None
        data = process.stdout.read(head["n_bytes"])
    except (OSError, ValueError):
        return None
    return (head, data) if len(data) == head["n_bytes"] else None


def _stored_page(base: KnowledgeBase, path: Path, page: int) -> tuple[str, int, int]:
    """A page's text, where it begins in the document's text, and how many pages there are."""
    record = next((record for record in base.files() if record.path == str(path)), None)
    if record is not None and record.content_hash is not None:
        for stored in base.pages_of(Document("", metadata={"content_hash": record.content_hash})):
            if stored.metadata["page"] == page:
                return stored.page_content, stored.metadata["start"], stored.metadata["n_pages"]
    raise RefusedError("not_found", say(f"there is no page {page}", f"没有第 {page} 页"), setting="page")


def _no_picture() -> RefusedError:
    return RefusedError(
        "unavailable",
        say("the page cannot be drawn", "无法显示该页"),
        hint=say("the file is gone, damaged, encrypted, or no PDF", "文件已移动、损坏、加密，或不是 PDF"),
    )
