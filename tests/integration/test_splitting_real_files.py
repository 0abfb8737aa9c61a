"""The splitter over real files of other people, where the folder with them lies beside the checkout."""

import hashlib
from functools import cache
from pathlib import Path

import pytest
import regex
from langchain_core.documents import Document

from chinese_llm_rag.document_loaders import is_supported, load_file
from chinese_llm_rag.document_loaders.file_loader import loaded_file
from chinese_llm_rag.document_loaders.pdf import read_pdf
from chinese_llm_rag.errors import DocumentError
from chinese_llm_rag.schema import PAGE_SEPARATOR
from chinese_llm_rag.text_splitters import ChineseTextSplitter

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "files"
LONGEST = 40_000  # characters of a file that are looked at; pages after them are left out

if not FOLDER.is_dir():
    pytest.skip(f"the real files are not at {FOLDER}", allow_module_level=True)
FILES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if is_supported(path))


def third_of_bytes(text: str) -> int:
    """Grows with the text in uneven steps, as token counts do; never 0."""
    return len(text.encode()) // 3 + 1


SPLITTERS = [
    ChineseTextSplitter(400),
    ChineseTextSplitter(120, 30, parent_size=600),
    ChineseTextSplitter(90, 20, third_of_bytes),
]


@cache
def pages(name: str) -> list[Document]:
    """Of a file that can be read, without OCR; long files are cut off after a page, or within their only one."""
    path = FOLDER / name
    try:
        if path.suffix == ".pdf":
            data = path.read_bytes()
            loaded = loaded_file(path, hashlib.sha256(data).hexdigest(), read_pdf(data, path, recognizer=None)).pages
        else:
            loaded = load_file(path).pages
    except DocumentError:
        return []
    kept = [page for page in loaded if page.metadata["start"] < LONGEST] or list(loaded[:1])
    if len(kept) == 1 and len(kept[0].page_content) > LONGEST:
        text = kept[0].page_content[:LONGEST]
        marks = [mark for mark in kept[0].metadata.get("marks", []) if mark["end"] <= LONGEST]
        kept = [Document(text, metadata={**kept[0].metadata, "marks": marks})]
    return kept


@pytest.mark.parametrize("name", FILES)
def test_chunks_hold_the_whole_text_in_order_within_the_size(name):
    documents = pages(name)
    text = PAGE_SEPARATOR.join(page.page_content for page in documents)
    edges = {0, *(match.end() for match in regex.finditer(r"\X", text))}
    for splitter in SPLITTERS:
        size, length = splitter._chunk_size, splitter._length_function
        end = last_start = 0
        for chunk in splitter.split_documents(documents):
            metadata = chunk.metadata
            assert text[metadata["start"] : metadata["end"]] == chunk.page_content
            assert length(chunk.page_content) <= size
            assert {metadata["start"], metadata["end"]} <= edges
            assert not text[end : metadata["start"]].strip()
            assert last_start <= metadata["start"] < metadata["end"] > end
            assert splitter._chunk_overlap or end <= metadata["start"]
            last_start, end = metadata["start"], metadata["end"]
        assert not text[end:].strip()


@pytest.mark.parametrize("name", FILES)
def test_no_number_or_date_is_cut(name):
    text = PAGE_SEPARATOR.join(page.page_content for page in pages(name))
    number = regex.compile(r"(?<![\d.,])\d+(?:[.,]\d+)+%?|\d{4}[-/]\d{1,2}[-/]\d{1,2}|\d+")
    inside = {
        i for match in number.finditer(text) if len(match.group()) <= 100 for i in range(match.start() + 1, match.end())
    }
    assert not inside & {chunk.metadata["start"] for chunk in SPLITTERS[0].split_documents(pages(name))}


SIZE, SHORT_REST, HEADINGS_ABOVE = 200, 200 / 16, 60
LAWS = [name for name in FILES if name.startswith("laws/")]


@pytest.mark.parametrize("name", LAWS)
def test_every_article_of_a_law_is_known_to_its_chunk(name):
    """An article that is cut names itself in every piece; one that is joined with others stands in the text."""
    text = pages(name)[0].page_content
    chunks = ChineseTextSplitter(SIZE).split_documents(pages(name))
    articles = list(regex.finditer(r"^(第[一二三四五六七八九十百零]+条)(?=\s)", text, regex.MULTILINE))
    assert articles
    ends = [*(article.start() for article in articles[1:]), len(text)]
    for article, end in zip(articles, ends, strict=True):
        inside = text[article.start() : end].split("\n#")[0].rstrip()  # the next chapter's heading is no part of it
        last = article.start() + len(inside)
        held = [c for c in chunks if c.metadata["start"] < last and article.start() < c.metadata["end"]]
        for chunk in held:
            begin = chunk.metadata["start"]
            if begin > article.start() and last - begin < SHORT_REST:
                continue  # such a rest may stand with the next article
            assert article[1] in chunk.metadata["headings"] or article[1] in chunk.page_content
        if len(inside) <= SIZE - HEADINGS_ABOVE:
            assert any(c.metadata["start"] <= article.start() and last <= c.metadata["end"] for c in held)
