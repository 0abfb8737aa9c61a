"""The PDFs of other people, where the folder with them lies beside the checkout, by what its manifest says of them."""

import json
import unicodedata
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from chinese_llm_rag.document_loaders.page_texts import LoadOptions, PageTexts
from chinese_llm_rag.document_loaders.pdf import read_pdf
from chinese_llm_rag.errors import DocumentError

FOLDER = Path(__file__).parents[4] / "shared" / "data" / "files"
MANIFEST = FOLDER / "manifest.json"

if not MANIFEST.is_file():
    pytest.skip(f"the real files are not at {FOLDER}", allow_module_level=True)
ENTRIES = [e for e in json.loads(MANIFEST.read_text(encoding="utf-8")) if e["file"].endswith(".pdf")]
EXPECTED = [(e["file"], x["page"], x["text"], x["how"]) for e in ENTRIES for x in e.get("expect", [])]
PASSWORDS = {e["file"]: (e["password"],) for e in ENTRIES if "password" in e}


@cache
def loaded(name: str, *, passwords: bool = True) -> PageTexts | DocumentError:
    """What the text layer gives; OCR takes seconds a page and is tested in tests/models."""
    options = LoadOptions(passwords=PASSWORDS.get(name, ()) if passwords else ())
    try:
        return read_pdf((FOLDER / name).read_bytes(), FOLDER / name, options, recognizer=None)
    except DocumentError as error:
        return error


def bare(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split())


def outcome(name: str, page: int, text: str) -> str:
    """Where a string is found: "text" or "furniture"; else "flagged" when its page or file is named, or "missing"."""
    file = loaded(name)
    if isinstance(file, DocumentError):
        return "flagged"
    if bare(text) in bare(file.texts[page - 1]):
        return "text"
    details = file.pages[page - 1]
    if any(bare(text) in bare(row) for row in details.furniture):
        return "furniture"
    return "flagged" if details.problem else "missing"


def test_every_expected_string_by_category(capsys):
    """Strings of the text layer are on their page; of those that only OCR can see, the page is named."""
    counts: dict[str, Counter[str]] = {}
    for entry in ENTRIES:
        for category in entry["categories"]:
            count = counts.setdefault(category, Counter())
            for wanted in entry.get("expect", []):
                found = outcome(entry["file"], wanted["page"], wanted["text"])
                count["found" if found in {"text", "furniture"} else found] += 1
    with capsys.disabled():
        print(f"\n{'category':18}{'found':>8}{'flagged':>9}{'missing':>9}")
        for category, count in sorted(counts.items()):
            if count:
                print(f"{category:18}{count['found']:8}{count['flagged']:9}{count['missing']:9}")
    assert not [wanted for wanted in EXPECTED if outcome(*wanted[:3]) == "missing"]


@pytest.mark.parametrize(("name", "page", "text", "how"), [wanted for wanted in EXPECTED if wanted[3] != "ocr"])
def test_a_string_of_the_text_layer_is_on_its_page(name, page, text, how):
    assert outcome(name, page, text) in {"text", "furniture"}


@pytest.mark.parametrize(("name", "page", "text", "how"), [wanted for wanted in EXPECTED if wanted[3] == "ocr"])
def test_a_page_whose_text_only_a_picture_has_is_named(name, page, text, how):
    assert outcome(name, page, text) == "flagged"


@pytest.mark.parametrize("name", PASSWORDS)
def test_a_password_opens_an_encrypted_file_and_without_it_the_file_is_refused(name):
    assert isinstance(loaded(name), PageTexts)
    assert "needs a password" in str(loaded(name, passwords=False))


@pytest.mark.parametrize("name", [e["file"] for e in ENTRIES if {"damaged", "empty", "hostile"} & set(e["categories"])])
def test_a_damaged_empty_or_hostile_file_is_read_or_refused_with_a_hint(name):
    file = loaded(name)
    if isinstance(file, DocumentError):
        assert file.hint
        assert Path(name).name in str(file)
    else:
        assert any(text.strip() for text in file.texts)


@pytest.mark.parametrize("name", [e["file"] for e in ENTRIES if "header_footer" in e["categories"]])
def test_running_headers_and_page_numbers_are_in_no_page_after_the_first(name):
    file = loaded(name)
    assert isinstance(file, PageTexts)
    rows = Counter(row for page in file.pages for row in page.furniture)
    assert sum(rows.values()) >= len(file.texts) - 2
    for text, details in zip(file.texts[1:], file.pages[1:], strict=True):
        assert not set(details.furniture) & set(text.split("\n")) - {""}
