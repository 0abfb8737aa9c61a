"""CSV and TSV: one table, each record a row with its number."""

import csv
import re
from collections import Counter
from itertools import islice
from pathlib import Path

from chinese_llm_rag.document_loaders.bounds import MAX_CELLS, MAX_MARKUP_BYTES, check_size, over_bound
from chinese_llm_rag.document_loaders.encodings import decode
from chinese_llm_rag.document_loaders.marked_text import MarkedText
from chinese_llm_rag.document_loaders.page_texts import NO_OPTIONS, LoadOptions, PageDetails, PageTexts
from chinese_llm_rag.document_loaders.row_blocks import Row, add_rows

_DELIMITERS = (",", "\t", ";", "|", "，")
_SAMPLE_ROWS = 50
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")


def read_csv(data: bytes, path: Path, options: LoadOptions = NO_OPTIONS) -> PageTexts:
    """The records as one Markdown table; where blank records part them, as several.

    Raises:
        DocumentError: unproven encoding, or too large.
    """
    check_size(data, path, MAX_MARKUP_BYTES)
    decoded = decode(data, path, options.encoding)
    page = MarkedText()
    add_rows(page, _rows(decoded.text, path))
    return PageTexts((page.text,), decoded.problems, (PageDetails(marks=page.marks),), decoded.encoding)


def _rows(text: str, path: Path) -> list[Row]:
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))  # of the whole process: never lowered
    delimiter = "\t" if path.suffix.lower() == ".tsv" else _delimiter(text)
    rows: list[Row] = []
    n_cells = 0
    for number, cells in enumerate(csv.reader(_lines(text), delimiter=delimiter), 1):
        n_cells += len(cells)
        if n_cells > MAX_CELLS:
            raise over_bound(path, f"more than {MAX_CELLS} cells", f"单元格超过 {MAX_CELLS} 个")
        rows.append((number, cells))
    return rows


def _lines(text: str) -> list[str]:
    return [match[0] for match in _LINE.finditer(text) if match[0]]


def _delimiter(text: str) -> str:
    """What cuts most records of the sample into the same number of cells, more than one."""
    best, best_key = ",", (0.0, 0)
    lines = list(islice((match[0] for match in _LINE.finditer(text) if match[0]), 4 * _SAMPLE_ROWS))
    for delimiter in _DELIMITERS:
        widths = [len(row) for row in islice(csv.reader(lines, delimiter=delimiter), _SAMPLE_ROWS) if row]
        if not widths:
            continue
        width, n = Counter(widths).most_common(1)[0]
        key = (n / len(widths), width)
        if width > 1 and key > best_key:
            best, best_key = delimiter, key
    return best
