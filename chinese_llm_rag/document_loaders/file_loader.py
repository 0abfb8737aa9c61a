"""Any supported file -> its pages as LangChain documents."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document

from chinese_llm_rag.document_loaders.page_texts import NO_OPTIONS, LoadOptions, PageDetails, PageTexts
from chinese_llm_rag.document_loaders.readers import FORMATS, is_supported, read_bytes, read_file
from chinese_llm_rag.schema import PAGE_SEPARATOR, PageMetadata

__all__ = ["FORMATS", "ChineseFileLoader", "LoadedFile", "is_supported", "load_file", "loaded_file", "read_bytes"]


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """One file's pages, with PageMetadata, and the problems the user must hear of."""

    pages: tuple[Document, ...]
    problems: tuple[str, ...]


class ChineseFileLoader(BaseLoader):
    """LangChain loader of one file of any format in FORMATS; one Document a page, sheet, slide or chapter.

    The format follows from the content where that is certain, else from the extension.

    Args:
        path: the file.
        encoding: of a text file; found out where it is None.
        passwords: tried in order on an encrypted file.
        ocr: whether pages of a PDF that are pictures or garbled are recognized where OCR is installed.
    """

    def __init__(
        self, path: Path | str, *, encoding: str | None = None, passwords: tuple[str, ...] = (), ocr: bool = True
    ) -> None:
        self.path = Path(path)
        self.options = LoadOptions(encoding=encoding, passwords=passwords, ocr=ocr)

    def lazy_load(self) -> Iterator[Document]:
        """The pages in order.

        Raises:
            DocumentError: the file cannot be read.
        """
        yield from load_file(self.path, options=self.options).pages


def load_file(path: Path, data: bytes | None = None, *, options: LoadOptions = NO_OPTIONS) -> LoadedFile:
    """The pages of a file; `data` are its bytes where the caller has read them already.

    Raises:
        DocumentError: unknown extension, unreadable, empty, damaged, encrypted, over a bound, or without text.
    """
    content = read_bytes(path) if data is None else data
    return loaded_file(path, hashlib.sha256(content).hexdigest(), read_file(content, path, options))


def loaded_file(path: Path, content_hash: str, read: PageTexts) -> LoadedFile:
    """What a reader found, as documents."""
    return LoadedFile(tuple(_documents(path, content_hash, read)), read.problems)


def _documents(path: Path, content_hash: str, read: PageTexts) -> Iterator[Document]:
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
