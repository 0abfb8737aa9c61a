"""Scanned pages through RapidOCR with the models of its wheel; sockets are blocked as in every test."""

import io
import sys
from pathlib import Path

import pytest
import typst
from PIL import Image

from chinese_llm_rag.document_loaders import load_file
from chinese_llm_rag.document_loaders.ocr import find_recognizer

pytestmark = pytest.mark.models
pytest.importorskip("rapidocr", reason="the extra ocr is not installed")

ROOT = Path(__file__).parents[2]
FIRST = "图书馆每周一闭馆，其余时间上午九时至下午五时开放。"
SECOND = "借阅期限为三十天，可以续借一次。"
SOURCE = f"""
#set page(width: 12cm, height: 7cm)
#set text(font: "Noto Sans CJK SC", size: 12pt, lang: "zh")
= 读者须知
{FIRST}

{SECOND}
"""


@pytest.fixture(scope="module")
def scan() -> bytes:
    sys.path.insert(0, str(ROOT / "demo"))
    try:
        from build_documents import font_folder
    finally:
        sys.path.pop(0)
    png = typst.compile(SOURCE.encode(), format="png", ppi=150.0, font_paths=[font_folder()], ignore_system_fonts=True)
    out = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("L").save(out, "PDF", resolution=150.0)
    return out.getvalue()


def test_a_scanned_page_is_read_by_ocr_and_said_to_be(scan):
    loaded = load_file(Path("扫描.pdf"), scan)
    assert loaded.pages[0].page_content.replace(",", "，").split("\n") == ["读者须知", FIRST, SECOND]
    assert loaded.problems == ("pages read by OCR, which may misread characters: 1",)


def test_the_recognizer_is_one_for_the_process():
    assert find_recognizer() is find_recognizer()
