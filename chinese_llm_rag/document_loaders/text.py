"""Plain text and Markdown in UTF-8, exactly as the file has it, so that spans point into the file."""

import codecs
from pathlib import Path

from chinese_llm_rag.document_loaders.page_texts import PageTexts
from chinese_llm_rag.errors import DocumentError
from chinese_llm_rag.language import say

_OTHER_BOMS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def read_text(data: bytes, path: Path) -> PageTexts:
    """The whole text as one page; a UTF-8 byte order mark is no part of it.

    Raises:
        DocumentError: the bytes are not UTF-8 text. No other encoding is tried.
    """
    for bom, encoding in _OTHER_BOMS.items():
        if data.startswith(bom):
            raise _not_utf8(path, say(f"it begins with the mark of {encoding}", f"文件以 {encoding} 的标记开头"))
    try:
        text = data.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        detail = say(
            f"byte {error.start} is {data[error.start]:#04x}", f"第 {error.start} 字节为 {data[error.start]:#04x}"
        )
        raise _not_utf8(path, detail) from error
    if "\0" in text:
        raise _not_utf8(path, say("it holds NUL characters", "文件含有 NUL 字符"))
    return PageTexts((text,))


def _not_utf8(path: Path, detail: str) -> DocumentError:
    return DocumentError(
        say(f"{path.name!r} is not UTF-8 text: {detail}", f"{path.name!r} 不是 UTF-8 文本：{detail}"),
        path=path,
        hint=say("convert it to UTF-8, for example with iconv", "请先转换为 UTF-8，例如使用 iconv"),
    )
