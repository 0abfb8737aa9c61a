"""The table of formats, and the one way from a file's bytes to its texts. Knows nothing of LangChain.

To add a format: one function (see Reader) in a file of its family, one row in FORMATS, one fixture in the tests.
"""

from pathlib import Path

from chinese_llm_rag.document_loaders.bounds import encrypted
from chinese_llm_rag.document_loaders.csv import read_csv
from chinese_llm_rag.document_loaders.doc import read_doc
from chinese_llm_rag.document_loaders.docx import read_docx
from chinese_llm_rag.document_loaders.epub import read_epub
from chinese_llm_rag.document_loaders.file_kind import ENCRYPTED, FileKind, kind_of
from chinese_llm_rag.document_loaders.html import read_html
from chinese_llm_rag.document_loaders.markdown import read_markdown
from chinese_llm_rag.document_loaders.page_texts import NO_OPTIONS, LoadOptions, PageTexts, Reader
from chinese_llm_rag.document_loaders.pdf import read_pdf
from chinese_llm_rag.document_loaders.pptx import read_pptx
from chinese_llm_rag.document_loaders.text import read_text
from chinese_llm_rag.document_loaders.xlsx import read_xlsx
from chinese_llm_rag.document_loaders.xml import read_xml
from chinese_llm_rag.errors import DocumentError
from chinese_llm_rag.language import say

FORMATS: dict[str, Reader] = {
    ".pdf": read_pdf,
    ".txt": read_text,
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".html": read_html,
    ".htm": read_html,
    ".xhtml": read_html,
    ".xml": read_xml,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".epub": read_epub,
    ".docx": read_docx,
    ".docm": read_docx,
    ".doc": read_doc,
    ".pptx": read_pptx,
    ".pptm": read_pptx,
    ".ppsx": read_pptx,
    ".xlsx": read_xlsx,
    ".xlsm": read_xlsx,
}
_MARKUP = (".txt", ".md", ".markdown", ".html", ".htm", ".xhtml", ".xml", ".csv", ".tsv")  # may hold HTML as text


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


def read_file(data: bytes, path: Path, options: LoadOptions = NO_OPTIONS) -> PageTexts:
    """The texts of a file, read as what its content certainly is, else as what its extension says.

    Raises:
        DocumentError: unknown extension, no document, damaged, encrypted, over a bound, or without any text.
    """
    extension = path.suffix.lower()
    reader = FORMATS.get(extension)
    if reader is None:
        raise _unknown(path)
    kind = kind_of(data)
    note: tuple[str, ...] = ()
    if kind is not None and not (kind.extension in (".html", ".xml") and extension in _MARKUP):
        if kind.extension == ENCRYPTED:
            raise encrypted(path)
        if kind.extension is None:
            raise _no_document(path, kind)
        actual = FORMATS[kind.extension]
        if actual is not reader:
            note = (say(f"its content is {kind.english} and was read as such", f"内容实为 {kind.chinese}，已按此读取"),)
            reader = actual
    read = reader(data, path, options)
    if not any(text.strip() for text in read.texts):
        raise DocumentError(
            say(f"{path.name!r} holds no text", f"{path.name!r} 不含任何文字"),
            path=path,
            hint=say("there is nothing to ingest", "没有可导入的内容"),
        )
    return PageTexts(read.texts, (*note, *read.problems), read.pages, read.encoding)


def _unknown(path: Path) -> DocumentError:
    return DocumentError(
        say(
            f"{path.name!r}: unknown type {path.suffix!r}, expected one of {', '.join(FORMATS)}",
            f"{path.name!r}：未知类型 {path.suffix!r}，支持的类型为 {'、'.join(FORMATS)}",
        ),
        path=path,
        hint=say("convert it to one of these", "请转换为其中一种"),
    )


def _no_document(path: Path, kind: FileKind) -> DocumentError:
    return DocumentError(
        say(
            f"{path.name!r} is {kind.english}, which is not read",
            f"{path.name!r} 是{kind.chinese}，不支持读取",
        ),
        path=path,
        hint=say(
            f"if it holds a document, save that in one of these formats: {', '.join(FORMATS)}",
            f"如果其中有文档，请另存为以下格式之一：{'、'.join(FORMATS)}",
        ),
    )
