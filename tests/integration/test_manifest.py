"""Every string that the manifest of the real files expects, on the page it names; a table by category is printed.

Without OCR here, so that a page that only a picture shows must be named; with OCR in tests/models.
"""

import json
import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from chinese_llm_rag.document_loaders import LoadOptions
from chinese_llm_rag.document_loaders.file_loader import LoadedFile
from chinese_llm_rag.document_loaders.worker import WorkerPool
from chinese_llm_rag.errors import DocumentError

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "files"
MANIFEST = FOLDER / "manifest.json"

if not MANIFEST.is_file():
    pytest.skip(f"the real files are not at {FOLDER}", allow_module_level=True)
ENTRIES = json.loads(MANIFEST.read_text(encoding="utf-8"))
PAGED = (".pdf", ".pptx", ".xlsx")  # elsewhere a string may stand anywhere
WITH_OCR = [
    pytest.param(False, id="without-ocr"),
    pytest.param(True, id="with-ocr", marks=[pytest.mark.models, pytest.mark.slow]),
]


def bare(text: str) -> str:
    """NFKC without any white space: what the manifest's strings are compared by."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))


@pytest.fixture(scope="module", params=WITH_OCR)
def results(request) -> dict[str, LoadedFile | DocumentError]:
    """What became of every file, read in worker processes with all passwords at hand."""
    if request.param:
        pytest.importorskip("rapidocr", reason="the extra ocr is not installed")
    passwords = tuple(entry["password"] for entry in ENTRIES if entry.get("password"))
    options = LoadOptions(passwords=passwords, ocr=request.param)
    with WorkerPool(2, timeout_s=600) as pool:
        paths = [FOLDER / entry["file"] for entry in ENTRIES]
        return {path.relative_to(FOLDER).as_posix(): loaded for path, loaded in pool.load_all(paths, options)}


def is_found(loaded: LoadedFile | DocumentError, file: str, page: int, text: str) -> bool:
    if isinstance(loaded, DocumentError):
        return False
    pages = loaded.pages[page - 1 : page] if file.endswith(PAGED) else loaded.pages
    texts = [text for one in pages for text in (one.page_content, *one.metadata.get("furniture", ()))]
    return any(bare(text) in bare(shown) for shown in texts)


def is_named(loaded: LoadedFile | DocumentError, page: int) -> bool:
    """Whether the report says that this page could not be read; a refused file is named as a whole."""
    if isinstance(loaded, DocumentError):
        return bool(str(loaded) and loaded.hint)
    ranges = [found for problem in loaded.problems for found in re.findall(r"\b(\d+)(?:-(\d+))?\b", problem)]
    return any(int(first) <= page <= int(last or first) for first, last in ranges)


def test_every_expected_string_is_found_or_its_page_is_named(results, capsys):
    wanted, found, named, lost = Counter(), Counter(), Counter(), []
    for entry in ENTRIES:
        loaded = results[entry["file"]]
        for expected in entry.get("expect") or []:
            rows = [(category, expected["how"]) for category in (*entry["categories"], "ALL")]
            wanted.update(rows)
            if is_found(loaded, entry["file"], expected["page"], expected["text"]):
                found.update(rows)
            elif expected["how"] == "ocr" and is_named(loaded, expected["page"]):
                named.update(rows)
            else:
                lost.append((entry["file"], expected["page"], expected["how"], expected["text"]))
    with capsys.disabled():
        print(f"\n{'category':20}{'how':8}{'wanted':>8}{'found':>8}{'named':>8}")
        for row in sorted(wanted, key=lambda row: (row[0] == "ALL", row)):
            print(f"{row[0]:20}{row[1]:8}{wanted[row]:8}{found[row]:8}{named[row]:8}")
    assert lost == []
    assert wanted["ALL", "text"] > 40


def test_files_that_must_be_refused_or_flagged_are(results):
    silent = []
    for entry in ENTRIES:
        loaded = results[entry["file"]]
        if isinstance(loaded, DocumentError):
            assert loaded.hint
            assert loaded.path == FOLDER / entry["file"]
            assert not set(entry["categories"]) & {"plain", "law", "md", "encoding", "encrypted"}, entry["file"]
        elif {"empty"} & set(entry["categories"]) or not any(page.page_content.strip() for page in loaded.pages):
            silent.append(entry["file"])
    assert silent == []


def test_garbled_text_is_named_by_its_page(results):
    for entry in ENTRIES:
        if "garbled" in entry["categories"]:
            loaded = results[entry["file"]]
            assert isinstance(loaded, DocumentError) or loaded.problems, entry["file"]
