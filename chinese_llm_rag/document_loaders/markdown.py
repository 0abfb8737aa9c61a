"""Markdown, exactly as the file has it; headings and tables are marked, not changed."""

import re
from collections.abc import Iterator
from pathlib import Path

from chinese_llm_rag.document_loaders.page_texts import NO_OPTIONS, LoadOptions, PageDetails, PageTexts
from chinese_llm_rag.document_loaders.text import read_text
from chinese_llm_rag.schema import Mark

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_ATX = re.compile(
    r" {0,3}(#{1,6})(?:[ \t　]+|(?=[^#\s]))(.*?)[ \t]*(?:[ \t]#+[ \t]*)?$"
)  # "#标题" is common in Chinese
_ATX_LATIN = re.compile(r" {0,3}#{1,6}(?!#)[!-~]")  # but "#include" and "#1" are none
_SETEXT = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
_NO_PARAGRAPH = re.compile(r" {0,3}(?:[-*+>|]|\d{1,9}[.)])|(?: {4}|\t)")
_DELIMITERS = re.compile(r" {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")

_Line = tuple[int, str]  # where it begins, and its text without the line break


def read_markdown(data: bytes, path: Path, options: LoadOptions = NO_OPTIONS) -> PageTexts:
    """The whole text as one page, its headings and tables marked.

    Raises:
        DocumentError: its encoding cannot be proven; see encodings.py.
    """
    read = read_text(data, path, options)
    marks = tuple(markdown_marks(read.texts[0]))
    return PageTexts(read.texts, read.problems, (PageDetails(marks=marks),), read.encoding)


def markdown_marks(text: str) -> Iterator[Mark]:
    """Headings and tables of a Markdown text, in order; those inside fenced code are none."""
    lines = _lines(text)
    i = _after_front_matter(lines)
    fence: str | None = None
    while i < len(lines):
        start, line = lines[i]
        marker = _FENCE.match(line)
        if fence is not None:
            if marker and marker[1].startswith(fence) and not marker[2].strip():
                fence = None
        elif marker and not (marker[1][0] == "`" and "`" in marker[2]):
            fence = marker[1]
        elif heading := _atx(start, line):
            yield heading
        elif rows := _n_table_rows(lines, i):
            last_start, last = lines[i + rows - 1]
            header_end = lines[i + 1][0] + len(lines[i + 1][1])
            yield Mark("table", start, last_start + len(last), header_end=header_end)
            i += rows - 1
        elif level := _underlined(lines, i):
            stripped = line.strip()
            begin = start + line.index(stripped)
            yield Mark("heading", begin, begin + len(stripped), level)
            i += 1
        i += 1


def _lines(text: str) -> list[_Line]:
    return [(m.start(), m[0].rstrip("\r\n")) for m in _LINE.finditer(text) if m[0]]


def _after_front_matter(lines: list[_Line]) -> int:
    """Index of the first line after a block of settings between lines of dashes at the very top."""
    if lines and lines[0][1].rstrip() == "---":
        for i in range(1, len(lines)):
            if lines[i][1].rstrip() in ("---", "..."):
                return i + 1
    return 0


def _atx(start: int, line: str) -> Mark | None:
    match = _ATX.match(line)
    if match is None or not match[2] or _ATX_LATIN.match(line):
        return None
    return Mark("heading", start + match.start(2), start + match.end(2), len(match[1]))


def _n_table_rows(lines: list[_Line], i: int) -> int:
    """How many lines from i on are a table, its line of dashes included; 0 when none begins there."""
    if i + 1 >= len(lines) or "|" not in lines[i][1] or not _DELIMITERS.match(lines[i + 1][1]):
        return 0
    if _n_cells(lines[i][1]) != _n_cells(lines[i + 1][1]):
        return 0
    n = 2
    while i + n < len(lines) and lines[i + n][1].strip() and "|" in lines[i + n][1]:
        n += 1
    return n


def _n_cells(row: str) -> int:
    return len(re.findall(r"(?<!\\)\|", row.strip().removeprefix("|").removesuffix("|"))) + 1


def _underlined(lines: list[_Line], i: int) -> int:
    """Level of the heading that line i is by the line under it; 0 for none."""
    line = lines[i][1]
    if i + 1 >= len(lines) or not line.strip() or _NO_PARAGRAPH.match(line):
        return 0
    under = _SETEXT.match(lines[i + 1][1])
    if under is None or (i and lines[i - 1][1].strip() and not _atx(*lines[i - 1])):
        return 0
    return 1 if under[1][0] == "=" else 2
