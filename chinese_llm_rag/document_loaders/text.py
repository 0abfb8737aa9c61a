"""Plain text, exactly as the file has it, so that spans point into the file."""

from pathlib import Path

from chinese_llm_rag.document_loaders.bounds import check_size
from chinese_llm_rag.document_loaders.encodings import decode
from chinese_llm_rag.document_loaders.page_texts import NO_OPTIONS, LoadOptions, PageTexts


def read_text(data: bytes, path: Path, options: LoadOptions = NO_OPTIONS) -> PageTexts:
    """The whole text as one page; a byte order mark is no part of it.

    Raises:
        DocumentError: its encoding cannot be proven; see encodings.py.
    """
    check_size(data, path)
    decoded = decode(data, path, options.encoding)
    return PageTexts((decoded.text,), decoded.problems, encoding=decoded.encoding)
