"""load: Path -> Iterator[Document], one document a page; one file per family of formats.

To add a format: one function `(data, path, options) -> PageTexts` in a file of its family, one row in FORMATS
(readers.py), one fixture in the tests. The names of `__all__` load their module when they are first used, so
that a worker process (worker.py) starts without LangChain.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chinese_llm_rag.document_loaders.file_loader import ChineseFileLoader, LoadedFile, load_file
    from chinese_llm_rag.document_loaders.page_texts import LoadOptions
    from chinese_llm_rag.document_loaders.readers import FORMATS, is_supported
    from chinese_llm_rag.document_loaders.worker import load_file_in_worker, load_files

_HOMES = {
    "FORMATS": "readers",
    "ChineseFileLoader": "file_loader",
    "LoadOptions": "page_texts",
    "LoadedFile": "file_loader",
    "is_supported": "readers",
    "load_file": "file_loader",
    "load_file_in_worker": "worker",
    "load_files": "worker",
}

__all__ = [
    "FORMATS",
    "ChineseFileLoader",
    "LoadOptions",
    "LoadedFile",
    "is_supported",
    "load_file",
    "load_file_in_worker",
    "load_files",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401  (PEP 562)
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
