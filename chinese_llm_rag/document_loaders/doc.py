"""Legacy DOC (Word 97-2003): one page with headings and tables; notes, comments and text boxes follow the body."""

import re
from io import BytesIO
from pathlib import Path

import olefile  # type: ignore[import-untyped]

from chinese_llm_rag.document_loaders.bounds import MAX_CHARS, check_size, damaged, encrypted, over_bound
from chinese_llm_rag.document_loaders.doc_structure import DocEncryptedError, DocFormatError, DocStructure
from chinese_llm_rag.document_loaders.marked_text import MarkedText
from chinese_llm_rag.document_loaders.page_texts import NO_OPTIONS, LoadOptions, PageDetails, PageTexts
from chinese_llm_rag.document_loaders.row_blocks import names_columns
from chinese_llm_rag.errors import DocumentError
from chinese_llm_rag.language import say

_CELL_END, _FIELD_BEGIN, _FIELD_RESULT, _FIELD_END = "\x07", "\x13", "\x14", "\x15"
_PARAGRAPH_END = re.compile("[\r\x07\x0c]")
_SHOWN = {"\x0b": "\n", "\x0e": "\n", "\x1e": "-", "\x1f": "", "\xa0": " "}
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\xa0]")
_MAIN = "WordDocument"
_TABLES = ("0Table", "1Table")
_AFTER_BODY = {"footnotes": "脚注", "endnotes": "尾注", "comments": "批注", "text boxes": ""}


def read_doc(data: bytes, path: Path, options: LoadOptions = NO_OPTIONS) -> PageTexts:  # noqa: ARG001
    """The text as one page; running headers and footers are its furniture. Embedded objects are left out.

    Raises:
        DocumentError: damaged, encrypted, from before Word 97, or over a bound.
    """
    check_size(data, path)
    structure = _structure(data, path)
    page = MarkedText()
    _add(structure, "body", page)
    for story, label in _AFTER_BODY.items():
        notes = MarkedText()
        _add(structure, story, notes)
        for line in notes.text.splitlines():
            page.paragraph(f"[{label}] {line}" if label and line.strip() else line)
    if len(page) > MAX_CHARS:
        raise over_bound(path, f"more than {MAX_CHARS} characters", f"文字超过 {MAX_CHARS} 个")
    running = MarkedText()
    _add(structure, "headers", running)
    furniture = tuple(dict.fromkeys(line for line in running.text.splitlines() if line.strip()))
    return PageTexts((page.text,), (), (PageDetails(marks=page.marks, furniture=furniture),))


def _structure(data: bytes, path: Path) -> DocStructure:
    try:
        with olefile.OleFileIO(BytesIO(data)) as ole:
            main = ole.openstream(_MAIN).read()
            tables = {name: ole.openstream(name).read() for name in _TABLES if ole.exists(name)}
        return DocStructure(main, tables)
    except DocEncryptedError as error:
        raise encrypted(path) from error
    except DocFormatError as error:
        if "Word 95" in str(error):
            raise _too_old(path) from error
        raise damaged(path, "DOC", str(error)) from error
    except (OSError, ValueError, IndexError, TypeError, AttributeError) as error:
        raise damaged(path, "DOC", str(error)) from error


def _too_old(path: Path) -> DocumentError:
    return DocumentError(
        say(
            f"{path.name!r} is from Word 95 or older, which is not read",
            f"{path.name!r} 是 Word 95 或更早的文档，不支持读取",
        ),
        path=path,
        hint=say("open it and save it as DOCX", "请打开后另存为 DOCX"),
    )


def _add(structure: DocStructure, story: str, page: MarkedText) -> None:
    """Add one of the file's texts, paragraph by paragraph."""
    start, end = structure.story(story)
    text = structure.characters(start, end)
    reading = _Reading(page)
    begin = 0
    for match in _PARAGRAPH_END.finditer(text):
        kind = structure.kind_at(start + match.start())
        paragraph = text[begin : match.start()]
        begin = match.end()
        if kind.in_table or match[0] == _CELL_END:
            reading.in_table(paragraph, match[0], ends_row=kind.ends_row, depth=kind.depth)
        else:
            reading.paragraph(paragraph, kind.heading)
    reading.paragraph(text[begin:], 0)


class _Reading:
    """Puts paragraphs and cells together."""

    def __init__(self, page: MarkedText) -> None:
        self._page = page
        self._fields: list[bool] = []  # of the fields that are open: whether their result has begun
        self._rows: list[list[str]] = []
        self._row: list[str] = []
        self._cell: list[str] = []

    def paragraph(self, text: str, heading: int) -> None:
        """A paragraph outside of tables."""
        self._end_table()
        shown = self._shown(text)
        if heading:
            self._page.heading(shown, heading)
        else:
            self._page.paragraph(shown)

    def in_table(self, text: str, mark: str, *, ends_row: bool, depth: int) -> None:
        """A paragraph inside a cell; its mark may end the cell or the row. Tables in cells are flattened."""
        if ends_row and depth <= 1:
            self._rows.append(self._row)
            self._row, self._cell = [], []
            return
        shown = self._shown(text).strip()
        if shown:
            self._cell.append(shown)
        if mark == _CELL_END and depth <= 1:
            self._row.append("\n".join(self._cell))
            self._cell = []

    def _end_table(self) -> None:
        if self._row or self._cell:
            self._rows.append([*self._row, "\n".join(self._cell)])
        if self._rows:
            self._page.table(self._rows, n_header=int(names_columns(self._rows)))
        self._rows, self._row, self._cell = [], [], []

    def _shown(self, text: str) -> str:
        """The text without the instructions of fields and without control characters."""
        parts = []
        for piece in re.split(f"([{_FIELD_BEGIN}{_FIELD_RESULT}{_FIELD_END}])", text):
            if piece == _FIELD_BEGIN:
                self._fields.append(False)
            elif piece == _FIELD_RESULT and self._fields:
                self._fields[-1] = True
            elif piece == _FIELD_END and self._fields:
                self._fields.pop()
            elif all(self._fields):
                parts.append(_CONTROLS.sub(lambda match: _SHOWN.get(match[0], ""), piece))
        return "".join(parts).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
