"""Any supported file -> its pages as LangChain documents."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document

from chinese_llm_rag.document_loaders.page_texts import PageDetails, PageTexts
from chinese_llm_rag.document_loaders.pdf import read_pdf
from chinese_llm_rag.document_loaders.text import read_text
from chinese_llm_rag.errors import DocumentError
from chinese_llm_rag.language import say
from chinese_llm_rag.schema import PAGE_SEPARATOR, PageMetadata

FORMATS: dict[str, Callable[[bytes, Path], PageTexts]] = {
    ".pdf": read_pdf,
    ".txt": read_text,
    ".md": read_text,
    ".markdown": read_text,
}


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """One file's pages, with PageMetadata, and the problems the user must hear of."""

    pages: tuple[Document, ...]
    problems: tuple[str, ...]


class ChineseFileLoader(BaseLoader):
    """LangChain loader of one PDF, UTF-8 text or Markdown file, one Document a page.

    The format follows from the file's extension.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def lazy_load(self) -> Iterator[Document]:
        """The pages in order.

        Raises:
            DocumentError: the file cannot be read as what its extension says.
        """
        yield from load_file(self.path).pages


def is_supported(path: Path) -> bool:
    """Whether the file's extension is that of a format this package reads."""
    return path.suffix.lower() in FORMATS


def read_bytes(path: Path) -> bytes:
    """The bytes of a non-empty file.

    Raises:
        DocumentError: it cannot be read, or is empty.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DocumentError(
            say(f"cannot read {str(path)!r}: {reason}", f"无法读取 {str(path)!r}：{reason}"),
            path=path,
            hint=say("check that it exists and that you may read it", "请检查文件是否存在、是否有读取权限"),
        ) from error
    if not data:
        raise DocumentError(
            say(f"{path.name!r} is empty (0 bytes)", f"{path.name!r} 是空文件（0 字节）"),
            path=path,
            hint=say("get the file again", "请重新获取该文件"),
        )
    return data


def load_file(path: Path, data: bytes | None = None) -> LoadedFile:
    """The pages of a file; `data` are its bytes where the caller has read them already.

    Raises:
        DocumentError: unknown extension, unreadable, empty, damaged, encrypted, or without any text.
    """
    reader = FORMATS.get(path.suffix.lower())
    if reader is None:
        raise DocumentError(
            say(
                f"{path.name!r}: unknown type {path.suffix!r}, expected one of {', '.join(FORMATS)}",
                f"{path.name!r}：未知类型 {path.suffix!r}，支持的类型为 {'、'.join(FORMATS)}",
            ),
            path=path,
            hint=say("convert it to one of these", "请转换为其中一种"),
        )
    content = read_bytes(path) if data is None else data
    read = reader(content, path)
    if not any(text.strip() for text in read.texts):
        raise DocumentError(
            say(f"{path.name!r} holds no text", f"{path.name!r} 不含任何文字"),
            path=path,
            hint=say("there is nothing to ingest", "没有可导入的内容"),
        )
    return LoadedFile(tuple(_documents(path, content, read)), read.problems)


def _documents(path: Path, data: bytes, read: PageTexts) -> Iterator[Document]:
    content_hash = hashlib.sha256(data).hexdigest()
    details = read.pages or (PageDetails(),) * len(read.texts)
    start = 0
    for number, (text, page) in enumerate(zip(read.texts, details, strict=True), 1):
        metadata = PageMetadata(
            source=str(path), content_hash=content_hash, page=number, n_pages=len(read.texts), start=start
        )
        if page.place is not None:
            metadata["place"] = page.place.to_dict()
        if page.marks:
            metadata["marks"] = [mark.to_dict() for mark in page.marks]
        if page.furniture:
            metadata["furniture"] = list(page.furniture)
        if read.encoding is not None:
            metadata["encoding"] = read.encoding
        yield Document(text, metadata=dict(metadata))
        start += len(text) + len(PAGE_SEPARATOR)
