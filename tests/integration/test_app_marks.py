"""Where cited words stand on a page's picture: checked by reading back what PDFium finds inside the boxes."""

import importlib.util
import sys
import unicodedata
from pathlib import Path

import pypdfium2
import pytest

from chinese_llm_rag.app.failures import RefusedError
from chinese_llm_rag.app.marks import DrawnPage, marks_of
from chinese_llm_rag.app.pictures import Pictures
from chinese_llm_rag.chinese_text import iter_sentences
from chinese_llm_rag.document_loaders import load_file
from chinese_llm_rag.document_loaders.pdf_chars import read_chars
from chinese_llm_rag.knowledge_base import KnowledgeBase
from chinese_llm_rag.testing import HashEmbeddings

ROOT = Path(__file__).parents[2]
REAL = Path(__file__).parents[3] / "shared" / "data" / "files" / "pdf"
FILES = (
    "maint-guide.zh-cn.pdf",  # plain, running headers
    "CjC_template_tex.pdf",  # two columns, formulas
    "2list_1table.pdf",  # tables
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> dict[str, Path]:
    spec = importlib.util.spec_from_file_location("build_documents", ROOT / "demo" / "build_documents.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["build_documents"] = module
    spec.loader.exec_module(module)
    return {path.stem: path for path in module.build_documents(tmp_path_factory.mktemp("demo"))}


def letters(text: str) -> str:
    normal = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in normal if not c.isspace() and unicodedata.category(c)[0] not in "CZ")


def read_back(page, marks) -> str:
    """What PDFium finds in the boxes, top to bottom as they come."""
    width, height = page.get_size()
    text_page = page.get_textpage()
    found = []
    for mark in marks:
        left, right = mark.left * width, (mark.left + mark.width) * width
        top, bottom = (1 - mark.top) * height, (1 - mark.top - mark.height) * height
        found.append(text_page.get_text_bounded(left - 0.5, bottom + 1, right + 0.5, top - 1))
    return letters("".join(found))


def sentences(path: Path, n_pages: int):
    """(page number, its text, start, end) of the longer sentences of the first pages."""
    for document in load_file(path).pages[:n_pages]:
        text = document.page_content
        for span in iter_sentences(text):
            if span.end - span.start >= 12:
                yield document.metadata["page"], text, span.start, span.end


def shares(path: Path, n_pages: int = 6) -> tuple[int, int, int]:
    """Sentences, those that were marked, and those whose marks hold just their words."""
    n = n_marked = n_right = 0
    document = pypdfium2.PdfDocument(path)
    try:
        for number, text, start, end in sentences(path, n_pages):
            page = document[number - 1]
            chars = read_chars(page, page.get_textpage())
            marks = marks_of(DrawnPage(chars.codes, chars.boxes, chars.width, chars.height), text, start, end)
            n += 1
            n_marked += bool(marks)
            wanted, found = letters(text[start:end]), read_back(page, marks) if marks else ""
            n_right += bool(marks) and (wanted in found or found in wanted) and len(found) < 1.3 * len(wanted) + 5
    finally:
        document.close()
    return n, n_marked, n_right


def test_every_sentence_of_the_demos_documents_is_marked_where_it_stands(demo):
    for path in demo.values():
        n, n_marked, n_right = shares(path)
        assert n > 10
        assert n_marked == n
        assert n_right >= 0.95 * n


@pytest.mark.skipif(not REAL.exists(), reason="real PDFs are not part of this repository")
@pytest.mark.parametrize("name", FILES)
def test_sentences_of_real_pdfs_are_marked_where_they_stand(name):
    n, n_marked, n_right = shares(REAL / name)
    assert n > 3
    assert n_marked >= 0.95 * n
    assert n_right >= 0.85 * n


def test_of_equal_sentences_that_one_is_marked_which_was_cited(demo, tmp_path):
    import build_documents

    source = tmp_path / "twice.typ"
    lines = "甲方应当付款。 \\\n乙方应当交货。 \\\n甲方应当付款。 \\\n丙方应当担保。 \\\n甲方应当付款。"
    head = '#set document(title: "两次")\n#set text(font: "Noto Sans CJK JP", lang: "zh", region: "cn", size: 12pt)'
    source.write_text(f"{head}\n{lines}\n", encoding="utf-8")
    path = tmp_path / "twice.pdf"
    path.write_bytes(build_documents.compile_pdf(source))
    (page,) = load_file(path).pages
    text = page.page_content
    places = [at for at in range(len(text)) if text.startswith("甲方应当付款", at)]
    assert len(places) == 3
    with KnowledgeBase.open(tmp_path / "kb", HashEmbeddings()) as base:
        base.ingest(path)
        pictures = Pictures()
        try:
            tops = [pictures.marks(base, path, 1, at, at + 7).marks[0].top for at in places]
        finally:
            pictures.close()
    assert tops == sorted(tops)
    assert len(set(tops)) == 3


def test_a_picture_is_a_png_of_the_width_asked_for_and_pages_that_are_not_there_are_refused(demo):
    pictures = Pictures()
    try:
        data = pictures.page(demo["manual"], 1, width=300)
        assert data[:8] == b"\x89PNG\r\n\x1a\n"
        assert abs(int.from_bytes(data[16:20]) - 300) <= 1
        for page in (0, 99):
            with pytest.raises(RefusedError) as refused:
                pictures.page(demo["manual"], page, width=300)
            assert refused.value.failure.kind == "not_found"
    finally:
        pictures.close()


def test_what_is_no_pdf_or_ends_the_process_costs_one_picture(demo, tmp_path):
    bad = tmp_path / "bad.pdf"
    bad.write_bytes(b"%PDF-1.7 nothing follows")
    pictures = Pictures()
    try:
        with pytest.raises(RefusedError, match="cannot be drawn"):
            pictures.page(bad, 1, width=300)
        with pytest.raises(RefusedError, match="cannot be drawn"):
            pictures.page(tmp_path / "gone.pdf", 1, width=300)
        assert pictures._process is not None
        pictures._process.kill()
        pictures._process.wait()
        assert pictures.page(demo["manual"], 1, width=300)[:4] == b"\x89PNG"
    finally:
        pictures.close()
