"""Loaders of text and Markdown, and what holds for a file of any format. For encodings see unit/test_encodings.py."""

import codecs
import hashlib
from pathlib import Path

import pytest
import typst

from chinese_llm_rag.document_loaders import FORMATS, ChineseFileLoader, LoadOptions, is_supported, load_file
from chinese_llm_rag.errors import DocumentError
from chinese_llm_rag.text_splitters import ChineseTextSplitter


def texts(data: bytes, name: str) -> list[str]:
    return [page.page_content for page in load_file(Path(name), data).pages]


def refused(data: bytes, name: str) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        load_file(Path(name), data)
    error = caught.value
    assert error.path == Path(name)
    assert repr(name) in str(error)
    assert error.hint
    return error


# Text and Markdown


def test_text_is_one_page_exactly_as_the_file_has_it(tmp_path):
    text = "# 标题\r\n\r\n第一段　有全角空格。\n\t末行\n"
    path = tmp_path / "笔记.MD"
    path.write_bytes(text.encode())
    loaded = load_file(path)
    (page,) = loaded.pages
    assert page.page_content == text
    assert page.metadata == {
        "source": str(path),
        "content_hash": hashlib.sha256(text.encode()).hexdigest(),
        "page": 1,
        "n_pages": 1,
        "start": 0,
        "encoding": "utf-8",
        "marks": [{"kind": "heading", "start": 2, "end": 4, "level": 1, "header_end": 0, "first_row": 0}],
    }
    assert loaded.problems == ()


def test_a_utf8_byte_order_mark_is_no_part_of_the_text():
    assert texts(codecs.BOM_UTF8 + "甲".encode(), "a.txt") == ["甲"]
    assert texts(codecs.BOM_UTF8 * 2 + "甲".encode(), "a.txt") == ["\ufeff甲"]  # a second one is a character


def test_text_in_another_encoding_is_read_and_the_encoding_is_recorded():
    text = "他们说这个问题很重要，所以我们应该把资料都收集起来。"
    (page,) = load_file(Path("a.txt"), text.encode("gbk")).pages
    assert (page.page_content, page.metadata["encoding"]) == (text, "gb18030")


def test_the_user_may_name_the_encoding(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("é,ü\n1,2\n".encode("latin-1"))
    with pytest.raises(DocumentError, match="not UTF-8"):
        load_file(path)
    assert "é" in load_file(path, options=LoadOptions(encoding="latin-1")).pages[0].page_content
    assert "é" in ChineseFileLoader(path, encoding="latin-1").load()[0].page_content


def test_text_with_nul_characters_is_refused():
    assert "NUL" in str(refused(b"a\0b", "a.txt"))


def test_text_that_is_cut_off_inside_a_character_is_refused():
    assert "byte 3 is 0xe7" in str(refused("检索".encode()[:-1], "a.txt"))


@pytest.mark.parametrize("data", [b" \r\n\t", "　\n".encode(), codecs.BOM_UTF8])
def test_text_of_white_space_alone_is_refused(data):
    assert "holds no text" in str(refused(data, "a.md"))


# Any file


@pytest.mark.parametrize("name", ["空.pdf", "空.txt", "空.md", "空.markdown"])
def test_an_empty_file_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(DocumentError, match="is empty") as caught:
        load_file(tmp_path / name)
    assert caught.value.path == tmp_path / name


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(DocumentError, match="No such file") as caught:
        load_file(tmp_path / "没有.pdf")
    assert caught.value.path == tmp_path / "没有.pdf"
    assert isinstance(caught.value.__cause__, OSError)
    (tmp_path / "folder.txt").mkdir()
    with pytest.raises(DocumentError, match="directory"):
        load_file(tmp_path / "folder.txt")


@pytest.mark.parametrize("name", ["表.odt", "无后缀", ".pdf"])
def test_an_unknown_extension_is_refused_and_the_known_ones_named(name):
    message = str(refused(b"x", name))
    assert all(extension in message for extension in FORMATS)


def test_extensions_are_known_whatever_their_case():
    assert all(is_supported(Path(name)) for name in ("a.PDF", "a.Txt", "a.md", "a.MARKDOWN"))
    assert not any(is_supported(Path(name)) for name in ("a.odt", "pdf", ".pdf", "a.pdf.zip"))


def test_the_loader_is_a_langchain_loader(tmp_path):
    path = tmp_path / "书.pdf"
    path.write_bytes(typst.compile(b"First page.\n#pagebreak()\nSecond page.", ignore_system_fonts=True))
    loader = ChineseFileLoader(str(path))
    assert [page.page_content for page in loader.load()] == ["First page.", "Second page."]
    assert [page.metadata["page"] for page in loader.lazy_load()] == [1, 2]
    assert [c.page_content for c in loader.load_and_split(ChineseTextSplitter(12))] == ["First page.", "Second page."]


def test_messages_about_files_follow_the_locale(monkeypatch):
    monkeypatch.setenv("CHINESE_LLM_RAG_LANGUAGE", "zh")
    assert str(refused(b"", "a.txt")) == "'a.txt' 不含任何文字"
