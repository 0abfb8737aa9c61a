"""Text, office, web and book files of other people, where the folder with them lies beside the checkout."""

import codecs
import json
import re
import unicodedata
from functools import cache
from pathlib import Path

import pytest

from chinese_llm_rag.document_loaders import LoadedFile, is_supported, load_file
from chinese_llm_rag.document_loaders.worker import load_files

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "files"
MANIFEST = FOLDER / "manifest.json"

if not MANIFEST.is_file():
    pytest.skip(f"the real files are not at {FOLDER}", allow_module_level=True)
ENTRIES = [e for e in json.loads(MANIFEST.read_text(encoding="utf-8")) if not e["file"].endswith(".pdf")]
PAGED = (".pptx", ".xlsx")  # a page of the manifest is a slide or sheet; elsewhere it says nothing


@cache
def loaded(name: str) -> LoadedFile:
    return load_file(FOLDER / name)


def bare(text: str) -> str:
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))


def expected() -> list[tuple[str, int, str]]:
    return [(e["file"], x["page"], x["text"]) for e in ENTRIES for x in e.get("expect") or []]


def test_there_are_expected_strings_in_every_format():
    assert {Path(name).suffix for name, _, _ in expected()} >= {
        ".docx",
        ".pptx",
        ".xlsx",
        ".epub",
        ".doc",
        ".xml",
        ".txt",
    }


@pytest.mark.parametrize("name", [entry["file"] for entry in ENTRIES])
def test_every_file_is_read(name):
    assert is_supported(Path(name))
    assert any(page.page_content.strip() for page in loaded(name).pages)


@pytest.mark.parametrize(("name", "page", "text"), expected())
def test_an_expected_string_is_on_its_page(name, page, text):
    pages = loaded(name).pages
    chosen = pages[page - 1 : page] if name.endswith(PAGED) else pages
    assert any(bare(text) in bare(one.page_content) for one in chosen)


@pytest.mark.parametrize("name", [e["file"] for e in ENTRIES if e["file"].endswith((".txt", ".md"))])
def test_text_in_whatever_encoding_is_kept_to_the_last_character(name):
    data = (FOLDER / name).read_bytes()
    (page,) = loaded(name).pages
    encoding = page.metadata["encoding"]
    mark = {"utf-16-le": codecs.BOM_UTF16_LE, "utf-8": codecs.BOM_UTF8}.get(encoding, b"")
    assert data.removeprefix(mark) == page.page_content.encode(encoding)


@pytest.mark.parametrize("name", ["xiyouji_part_gb18030.txt", "xiyouji_part_utf16_bom.txt"])
def test_a_text_in_another_encoding_equals_its_original(name):
    original = (FOLDER / "other" / "xiyouji.txt").read_bytes().decode("utf-8")
    text = loaded(f"other/{name}").pages[0].page_content
    assert text == original[: len(text)]
    assert len(text) == 20_000


def test_marks_point_at_headings_and_tables_within_their_pages():
    n_marks = 0
    for entry in ENTRIES:
        for page in loaded(entry["file"]).pages:
            end = 0
            for mark in page.metadata.get("marks", []):
                assert end <= mark["start"] < mark["end"] <= len(page.page_content)
                assert mark["header_end"] == 0 or mark["start"] < mark["header_end"] <= mark["end"]
                assert page.page_content[mark["start"] : mark["end"]].strip()
                end = mark["end"]
                n_marks += 1
    assert n_marks > 500


def test_rows_of_a_table_file_are_all_there_and_numbered():
    (page,) = loaded("other/langchain-ChatGLM_open.xlsx").pages
    (table,) = page.metadata["marks"]
    lines = page.page_content[table["start"] : table["end"]].splitlines()
    assert table["first_row"] == 1
    assert len(lines) == 324 + 1  # the manifest's rows, and the line of dashes
    (as_csv,) = loaded("other/langchain-ChatGLM_open.csv").pages
    assert bare(as_csv.page_content) == bare(page.page_content)


def test_workers_give_what_this_process_gives():
    paths = [FOLDER / entry["file"] for entry in ENTRIES if entry["file"].startswith("other/")]
    for path, result in load_files(paths, 2):
        assert result == loaded(path.relative_to(FOLDER).as_posix())
