"""load: Path -> Iterator[Document], one document a page; one file per family of formats.

To add a format: one function `(data: bytes, path: Path) -> PageTexts` in a file of its family, one
row in FORMATS (file_loader.py), one fixture in the tests.
"""

from chinese_llm_rag.document_loaders.file_loader import FORMATS, ChineseFileLoader, LoadedFile, is_supported, load_file

__all__ = ["FORMATS", "ChineseFileLoader", "LoadedFile", "is_supported", "load_file"]
