"""Files made to do harm, or named what they are not: bounded in time and memory, and refused by name."""

# ruff: noqa: E501  (markup is clearer on one line)

import struct
import time
import tracemalloc
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from chinese_llm_rag.document_loaders import LoadedFile, bounds, load_file
from chinese_llm_rag.document_loaders.file_kind import kind_of
from chinese_llm_rag.errors import DocumentError

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
RELATIONS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="a" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="{}"/></Relationships>'
)
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MEMORY = 400 << 20  # of Python's own, at the most; the bound for a whole process is 2 GB


def packed(files: dict[str, bytes | str]) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def docx(document: bytes | str) -> bytes:
    return packed({"_rels/.rels": RELATIONS.format("word/document.xml"), "word/document.xml": document})


def body(inner: str) -> str:
    return f'<w:document xmlns:w="{W}"><w:body>{inner}</w:body></w:document>'


def refused(data: bytes, name: str) -> str:
    """The reason, after a short time and with little memory."""
    begin = time.monotonic()
    tracemalloc.start()
    try:
        with pytest.raises(DocumentError) as caught:
            load_file(Path(name), data)
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()
    assert time.monotonic() - begin < 60
    assert caught.value.hint
    assert repr(name) in str(caught.value)
    return str(caught.value)


# Bombs


def test_a_part_that_unpacks_to_hundreds_of_times_its_size_is_refused():
    assert "200 times its size" in refused(docx(body(" " * (40 << 20))), "弹.docx")


def test_a_part_that_unpacks_beyond_the_bound_is_refused(monkeypatch):
    monkeypatch.setattr(bounds, "MAX_RATIO", 10**9)
    assert "more than 64 MiB" in refused(docx(body(" " * (70 << 20))), "弹.docx")


def test_a_size_that_the_archive_lies_about_is_no_way_around_the_bound(monkeypatch):
    monkeypatch.setattr(bounds, "MIN_RATIO_BYTES", 1 << 20)
    data = bytearray(docx(body(" " * (3 << 20))))
    for signature, at in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        begin = data.rindex(signature)
        data[begin + at : begin + at + 4] = struct.pack("<I", 100)
    assert refused(bytes(data), "弹.docx")


def test_an_archive_of_too_many_parts_is_refused(monkeypatch):
    monkeypatch.setattr(bounds, "MAX_PARTS", 300)
    files = {
        "_rels/.rels": RELATIONS.format("word/document.xml"),
        **{f"word/{i}": b"" for i in range(bounds.MAX_PARTS)},
    }
    assert "packs 301 files" in refused(packed(files), "多.docx")


@pytest.mark.parametrize(
    "inner", ["<w:tbl><w:tr><w:tc>" * 100 + "</w:tc></w:tr></w:tbl>" * 100, "<w:sdt>" * 5000 + "</w:sdt>" * 5000]
)
def test_deep_nesting_is_refused(inner):
    assert "200 deep" in refused(docx(body(inner)), "深.docx")


def test_deep_html_is_refused_and_moderate_depth_is_read():
    deep = "<div>" * 100_000 + "底" + "</div>" * 100_000
    assert "deep" in refused(deep.encode(), "深.html")
    (page,) = load_file(Path("深.html"), ("<div>" * 500 + "底").encode()).pages
    assert page.page_content == "底"


def test_deep_xml_is_refused():
    assert "200 deep" in refused(("<a>" * 3000 + "</a>" * 3000).encode(), "深.xml")


LAUGHS = (
    '<!DOCTYPE a [<!ENTITY x0 "哈哈">' + "".join(f'<!ENTITY x{i} "{f"&x{i - 1};" * 10}">' for i in range(1, 12)) + "]>"
)


@pytest.mark.parametrize("name", ["笑.xml", "笑.docx", "笑.html"])
def test_entities_that_multiply_are_refused(name):
    if name.endswith("docx"):
        assert "entities" in refused(docx(LAUGHS + body("<w:p><w:r><w:t>&x11;</w:t></w:r></w:p>")), name)
    elif name.endswith("xml"):
        assert "entities" in refused(f"{LAUGHS}<a>&x11;</a>".encode(), name)
    else:  # HTML knows no entities of its own: they stay the letters they are
        (page,) = load_file(Path(name), f"{LAUGHS}<p>甲&x11;</p>".encode()).pages
        assert "哈哈哈" not in page.page_content


def test_other_files_are_never_read_through_entities(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("机密")
    for doctype in (
        f'<!DOCTYPE a [<!ENTITY x SYSTEM "{secret.as_uri()}">]>',
        f'<!DOCTYPE a SYSTEM "{secret.as_uri()}">',
    ):
        data = f'<?xml version="1.0"?>{doctype}<a>甲&x;</a>'.encode()
        try:
            text = load_file(Path("外.xml"), data).pages[0].page_content
        except DocumentError as error:
            text = str(error)
        assert "机密" not in text


def test_a_sheet_of_too_many_cells_is_refused(monkeypatch):
    from chinese_llm_rag.document_loaders import xlsx

    monkeypatch.setattr(xlsx, "MAX_CELLS", 1000)
    rows = "".join(f'<row r="{i}"><c r="A{i}"><v>1</v></c><c r="B{i}"><v>2</v></c></row>' for i in range(1, 600))
    assert "more than 1000 filled cells" in refused(workbook(rows), "大.xlsx")


def test_a_sheet_that_reaches_to_the_last_cell_costs_only_what_is_filled():
    rows = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'
    merged = '<mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells>'
    begin = time.monotonic()
    (page,) = load_file(Path("远.xlsx"), workbook(rows, merged)).pages
    assert time.monotonic() - begin < 20
    assert [mark["first_row"] for mark in page.metadata["marks"]] == [1, 1048576]


def workbook(rows: str, more: str = "") -> bytes:
    s = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    r = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    return packed(
        {
            "_rels/.rels": RELATIONS.format("xl/workbook.xml"),
            "xl/workbook.xml": f'<workbook {s} xmlns:r="{r}"><sheets><sheet name="甲" r:id="a"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": RELATIONS.format("sheet.xml").replace('/officeDocument"', '/worksheet"'),
            "xl/sheet.xml": f"<worksheet {s}><sheetData>{rows}</sheetData>{more}</worksheet>",
        }
    )


def test_a_text_over_the_bound_is_refused():
    data = b"a" * (bounds.MAX_TEXT_BYTES + 1)
    for name, most in (("大.txt", 100), ("大.md", 100), ("大.csv", 50), ("大.xml", 50), ("大.html", 50)):
        with pytest.raises(DocumentError, match=f"at most {most}"):
            load_file(Path(name), data)


def test_a_table_whose_cells_claim_a_million_columns_is_bounded():
    data = "<table><tr>" + "<td colspan=999999999>甲</td>" * 3000 + "</tr><tr><td>乙</td><td>丙</td></tr></table>"
    assert "cells" in refused(data.encode(), "宽.html")


# What a file is


@pytest.mark.parametrize(
    ("data", "name", "what"),
    [
        (b"MZ\x90\0" + b"\0" * 100, "报告.pdf", "a Windows program"),
        (b"\x7fELF\x02\x01" + b"\0" * 100, "报告.docx", "a Linux program"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "图.pdf", "a PNG picture"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 100, "图.txt", "a JPEG picture"),
        (packed({"a.txt": "x"}), "包.docx", "a ZIP archive"),
        (packed({"mimetype": "application/vnd.oasis.opendocument.text"}), "文.docx", "an OpenDocument file"),
        (b"PK\x03\x04" + b"\0" * 50, "包.epub", "a damaged ZIP archive"),
        (b"{\\rtf1\\ansi }", "文.doc", "RTF"),
        (b"\x1f\x8b\x08" + b"\0" * 50, "包.txt", "a gzip archive"),
        (OLE + b"\0" * 600 + "Workbook".encode("utf-16-le") + b"\0\0", "表.xlsx", "an Excel 97-2003 workbook"),
        (OLE + b"\0" * 600 + "PowerPoint Document".encode("utf-16-le") + b"\0\0", "课.pptx", "a PowerPoint 97-2003"),
        (b"MIME-Version: 1.0\r\n", "存.html", "a web archive"),
    ],
)
def test_what_is_no_document_of_ours_is_refused_with_what_it_is(data, name, what):
    assert what in refused(data, name)


def test_an_encrypted_office_file_is_refused_for_its_password():
    data = OLE + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le") + b"\0\0"
    assert "needs a password" in refused(data, "密.docx")
    archive = bytearray(docx(body("")))
    for signature, at in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        begin = archive.rindex(signature)
        archive[begin + at] |= 1
    assert "needs a password" in refused(bytes(archive), "密.docx")


def read_as(data: bytes, name: str) -> LoadedFile:
    return load_file(Path(name), data)


def test_a_document_under_another_name_is_read_as_what_it_is_and_told():
    word = docx(body("<w:p><w:r><w:t>正文</w:t></w:r></w:p>"))
    file = read_as(word, "合同.pdf")
    assert file.pages[0].page_content == "正文"
    assert file.problems == ("its content is DOCX and was read as such",)
    assert read_as(word, "合同.doc").problems == file.problems
    assert read_as(word, "合同.docm").problems == ()
    page = read_as("\n<!DOCTYPE html><html><body><p>网页</p></body></html>".encode(), "合同.doc")
    assert (page.pages[0].page_content, page.problems) == ("网页", ("its content is HTML and was read as such",))


def test_html_in_a_text_file_is_text():
    text = "<html><body>例子</body></html>"
    file = read_as(text.encode(), "例.txt")
    assert (file.pages[0].page_content, file.problems) == (text, ())


def test_ordinary_text_is_of_no_certain_kind():
    for data in (b"", b"MZ is a text", "中文".encode(), b"%PD", b"a,b\n"):
        assert kind_of(data) is None


@pytest.mark.parametrize("name", ["文.docx", "课.pptx", "表.xlsx", "书.epub", "旧.doc"])
def test_rubbish_is_refused(name):
    assert refused(b"\x01\x02" * 500, name)
