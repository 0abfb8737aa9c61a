"""Loaders and splitter over real files of other people, where the folder with them lies beside the checkout."""

import json
import unicodedata
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from langchain_core.documents import Document

from chinese_llm_rag.document_loaders import LoadedFile, is_supported, load_file
from chinese_llm_rag.errors import DocumentError
from chinese_llm_rag.schema import PAGE_SEPARATOR
from chinese_llm_rag.text_splitters import ChineseTextSplitter

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "files"
MANIFEST = FOLDER / "manifest.json"
SIZE = 400
EXPECTED = {"plain", "mixed_zh_en", "traditional", "many_pages"}  # categories whose text must be found

if not MANIFEST.is_file():
    pytest.skip(f"the real files are not at {FOLDER}", allow_module_level=True)
ENTRIES = json.loads(MANIFEST.read_text(encoding="utf-8"))


@pytest.fixture(scope="module", autouse=True)
def no_ocr() -> Iterator[None]:
    """What the text layers give; OCR takes seconds a page and is tested in tests/models."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chinese_llm_rag.document_loaders.pdf.find_recognizer", lambda: None)
        yield


def files() -> list[str]:
    """Files of supported formats, relative to FOLDER."""
    return sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if is_supported(path))


def expected_texts() -> list[tuple[str, int, str]]:
    return [
        (entry["file"], expected["page"], expected["text"])
        for entry in ENTRIES
        if Path(entry["file"]).suffix == ".pdf" and EXPECTED & set(entry["categories"])
        for expected in entry.get("expect", [])
        if expected["how"] == "text"
    ]


def of_categories(*categories: str) -> list[str]:
    found = {entry["file"] for entry in ENTRIES if set(categories) & set(entry["categories"])}
    return [name for name in files() if name in found]


@cache
def loaded(name: str) -> LoadedFile | DocumentError:
    try:
        return load_file(FOLDER / name)
    except DocumentError as error:
        return error


@cache
def chunks(name: str) -> list[Document]:
    file = loaded(name)
    assert isinstance(file, LoadedFile)
    return ChineseTextSplitter(SIZE).split_documents(file.pages)


def whole_text(file: LoadedFile) -> str:
    return PAGE_SEPARATOR.join(page.page_content for page in file.pages)


def bare(text: str) -> str:
    """NFKC without any white space: what the manifest's texts are compared by."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def test_there_are_files_of_every_kind():
    assert {Path(name).suffix for name in files()} >= {".pdf", ".txt", ".md", ".html", ".docx", ".xlsx", ".epub"}
    assert len(expected_texts()) > 20


@pytest.mark.parametrize("name", files())
def test_every_file_loads_or_is_refused_with_a_reason_and_a_hint(name):
    file = loaded(name)
    if isinstance(file, DocumentError):
        assert str(file)
        assert file.hint
        assert file.path == FOLDER / name
    else:
        assert any(page.page_content.strip() for page in file.pages)


@pytest.mark.parametrize("name", files())
def test_chunks_tile_the_text_of_the_file_and_fit_the_size(name):
    file = loaded(name)
    if isinstance(file, DocumentError):
        assert name not in {found for found, _, _ in expected_texts()}
        return
    text, end = whole_text(file), 0
    for chunk in chunks(name):
        metadata = chunk.metadata
        assert text[metadata["start"] : metadata["end"]] == chunk.page_content
        assert not text[end : metadata["start"]].strip()
        assert end <= metadata["start"]
        assert len(chunk.page_content) <= SIZE
        end = metadata["end"]
    assert not text[end:].strip()


@pytest.mark.parametrize(("name", "page", "text"), expected_texts())
def test_expected_text_is_in_a_chunk_of_its_page_or_among_its_furniture(name, page, text):
    found = chunks(name)
    # A text of several sentences may lie over two neighbouring chunks.
    runs = [(chunk, chunk) for chunk in found] + list(pairwise(found))
    furniture = loaded(name).pages[page - 1].metadata.get("furniture", ())
    assert any(bare(text) in bare(row) for row in furniture) or any(
        bare(text) in bare(first.page_content if first is last else first.page_content + last.page_content)
        for first, last in runs
        if first.metadata["page_start"] <= page <= last.metadata["page_end"]
    )


@pytest.mark.parametrize("name", of_categories("encrypted"))
def test_encrypted_files_are_refused_for_their_password(name):
    assert "needs a password" in str(loaded(name))


@pytest.mark.parametrize("name", of_categories("empty", "scanned"))
def test_files_without_text_are_never_an_empty_success(name):
    assert isinstance(loaded(name), DocumentError)


@pytest.mark.parametrize("name", [name for name in of_categories("damaged") if "truncated" in name])
def test_a_download_that_was_cut_off_never_passes_for_whole(name):
    file = loaded(name)
    assert isinstance(file, DocumentError) or any("cut off" in problem for problem in file.problems)
