"""Files parsed and cut ahead of the embedding model: parsers in worker processes, the splitter in a thread."""

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from langchain_core.documents import Document

from chinese_llm_rag.document_loaders.page_texts import LoadOptions
from chinese_llm_rag.document_loaders.worker import WorkerPool
from chinese_llm_rag.errors import DocumentError
from chinese_llm_rag.language import say
from chinese_llm_rag.text_splitters import ChineseTextSplitter


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """A file's pages and chunks; `content_hash` is that of the bytes that were parsed."""

    content_hash: str
    pages: tuple[Document, ...]
    chunks: tuple[Document, ...]
    problems: tuple[str, ...]


def content_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, hex.

    Raises:
        DocumentError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DocumentError(
            say(f"cannot read {str(path)!r}: {reason}", f"无法读取 {str(path)!r}：{reason}"),
            path=path,
            hint=say("check that it exists and that you may read it", "请检查文件是否存在、是否有读取权限"),
        ) from error


def parse_ahead(
    paths: Iterable[Path], splitter: ChineseTextSplitter, options: LoadOptions
) -> Iterator[tuple[Path, ParsedFile | DocumentError]]:
    """Files in their order, each parsed and cut while the caller is busy with the one before."""
    with WorkerPool() as pool, ThreadPoolExecutor(1, thread_name_prefix="split") as thread:
        parsed = _parse(paths, splitter, options, pool)
        coming = thread.submit(next, parsed, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, parsed, None)
            try:
                yield item
            except GeneratorExit:
                pool.close()  # or the thread would wait for a file that nobody wants any more
                raise


def _parse(
    paths: Iterable[Path], splitter: ChineseTextSplitter, options: LoadOptions, pool: WorkerPool
) -> Iterator[tuple[Path, ParsedFile | DocumentError]]:
    for path, loaded in pool.load_all(paths, options):
        if isinstance(loaded, DocumentError):
            yield path, loaded
        else:
            identity = loaded.pages[0].metadata["content_hash"]
            chunks = tuple(splitter.split_documents(loaded.pages))
            yield path, ParsedFile(identity, loaded.pages, chunks, loaded.problems)
