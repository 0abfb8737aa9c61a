"""HTML, XML and EPUB files, made here."""

# ruff: noqa: E501  (markup is clearer on one line)

import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from chinese_llm_rag.document_loaders import LoadedFile, load_file
from chinese_llm_rag.errors import DocumentError

PROSE = "他们说这个问题很重要，所以我们应该把所有的资料都收集起来。"


def html(text: str | bytes, name: str = "页.html") -> LoadedFile:
    return load_file(Path(name), text if isinstance(text, bytes) else text.encode())


def text_of(text: str | bytes, name: str = "页.html") -> str:
    (page,) = html(text, name).pages
    return page.page_content


def headings(text: str, name: str = "页.html") -> list[tuple[int, str]]:
    (page,) = html(text, name).pages
    marks = page.metadata.get("marks", [])
    return [(m["level"], page.page_content[m["start"] : m["end"]]) for m in marks if m["kind"] == "heading"]


# HTML


def test_headings_paragraphs_and_breaks():
    page = "<html><body><h1>第一章 <em>总则</em></h1><p>第一段，\n  接着写。<br>新行</p><div>第二段<h3>小节</h3>尾</div></body></html>"
    assert text_of(page) == "第一章 总则\n第一段，接着写。\n新行\n第二段\n小节\n尾"
    assert headings(page) == [(1, "第一章 总则"), (3, "小节")]


def test_scripts_styles_and_comments_are_never_text():
    page = (
        "<html><head><style>p{color:red}</style><script>var 秘密='<p>不是</p>'</script></head><body><!-- 注释 -->"
        "<p>甲<script>document.write('坏')</script>乙</p><template><p>模板</p></template>"
        "<svg><script>坏</script></svg><iframe>坏</iframe><p hidden>藏</p></body></html>"
    )
    assert text_of(page) == "甲乙"


def test_the_title_is_a_heading_where_the_page_has_none():
    assert headings("<title>书名</title><p>正文</p>") == [(1, "书名")]
    assert headings("<title>书名</title><h1>章名</h1><p>正文</p>") == [(1, "章名")]


def test_tables_are_markdown_with_their_header():
    page = (
        "<table><caption>产量</caption><thead><tr><th>地区</th><th>年</th></tr></thead>"
        "<tr><td rowspan=2>浙江</td><td>5</td></tr><tr><td>6</td></tr><tr><td colspan=2>合计<script>x</script></td></tr></table>"
    )
    loaded = html(page).pages[0]
    assert loaded.page_content == "产量\n| 地区 | 年 |\n| --- | --- |\n| 浙江 | 5 |\n| 浙江 | 6 |\n| 合计 |  |"
    (mark,) = loaded.metadata["marks"]
    assert loaded.page_content[mark["start"] : mark["header_end"]] == "| 地区 | 年 |\n| --- | --- |"


def test_tables_that_place_columns_of_text_are_read_as_text():
    page = "<table><tr><td><table><tr><td>左</td></tr></table></td><td><h2>右栏</h2><p>正文</p></td></tr></table>"
    assert text_of(page) == "左\n右栏\n正文"


def test_lists_keep_their_numbers_and_code_its_lines():
    assert text_of("<ol start=3><li>丙</li><li>丁</li></ol><ul><li>点</li></ul>") == "3. 丙\n4. 丁\n点"
    assert text_of("<pre>  a\n    b\n</pre>") == "a\n    b"


def test_ruby_is_put_in_brackets():
    assert text_of("<p><ruby>龙<rp>(</rp><rt>lóng</rt><rp>)</rp></ruby>井</p>") == "龙（lóng）井"


@pytest.mark.parametrize("codec", ["gbk", "utf-8", "utf-16"])
@pytest.mark.parametrize(
    "said", ["", "<meta charset=gb2312>", "<meta http-equiv=Content-Type content='text/html; charset=utf-8'>"]
)
def test_what_a_page_says_of_its_encoding_is_checked_against_its_bytes(codec, said):
    page = html(f"<html><head>{said}</head><body><p>{PROSE}</p></body></html>".encode(codec))
    assert page.pages[0].page_content == PROSE
    truthful = not said or ("gb2312" in said) == (codec == "gbk")
    assert (page.problems == ()) == (truthful or codec == "utf-16")


def test_unclosed_tags_and_nonsense_lose_no_text():
    assert (
        text_of("<p>甲<b>乙<p>丙<td>丁</i></table>戊 < 己 & 庚 &nbsp;辛&unknown;")
        == "甲乙\n丙\n丁戊 < 己 & 庚 \xa0辛&unknown;"
    )


def test_xhtml_with_empty_elements_loses_nothing_after_them():
    page = '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/><script src="a.js"/></head><body><a id="x"/><p>正文&nbsp;尾</p></body></html>'
    assert text_of(page) == "正文\xa0尾"


# XML


def test_xml_is_a_paragraph_for_each_text_and_titles_are_headings():
    xml = "<书><title>书名</title><章 名='第一回'><title>灵根</title><p>诗<b>曰</b>：\n好</p><空/></章></书>"
    assert text_of(xml, "书.xml") == "书名\n第一回\n灵根\n诗曰：好"
    assert headings(xml, "书.xml") == [(1, "书名"), (2, "灵根")]


def test_html_inside_a_feed_is_read_as_html():
    xml = "<rss><item><title>题</title><description><![CDATA[<p>正<b>文</b></p><script>坏()</script>]]></description><more>&lt;br&gt;后</more></item></rss>"
    assert text_of(xml, "源.xml") == "题\n正文\n后"


def test_xml_in_gbk_is_read_by_its_declaration():
    file = html(f'<?xml version="1.0" encoding="gb2312"?><a>{PROSE}</a>'.encode("gbk"), "a.xml")
    assert (file.pages[0].page_content, file.pages[0].metadata["encoding"], file.problems) == (PROSE, "gb18030", ())


def test_xml_that_is_not_well_formed_is_read_like_a_page_and_told():
    file = html(f"<a><b>{PROSE}</a>甲 & 乙", "a.xml")
    assert PROSE in file.pages[0].page_content
    assert "甲 & 乙" in file.pages[0].page_content
    assert "no well-formed XML" in file.problems[0]


# EPUB


def epub(more: dict[str, str] | None = None, spine: str = "<itemref idref='b'/><itemref idref='a'/>") -> bytes:
    page = "<html xmlns='http://www.w3.org/1999/xhtml'><head><title>t</title></head><body><h1>{}</h1><p>{}</p></body></html>"
    files = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": "<container><rootfiles><rootfile full-path='OPS/book.opf'/></rootfiles></container>",
        "OPS/book.opf": "<package xmlns='http://www.idpf.org/2007/opf'><manifest>"
        "<item id='a' href='text/a%201.xhtml' media-type='application/xhtml+xml'/>"
        "<item id='b' href='text/b.xhtml' media-type='application/xhtml+xml'/>"
        "<item id='n' href='nav.xhtml' media-type='application/xhtml+xml' properties='nav'/>"
        "<item id='i' href='i.svg' media-type='image/svg+xml'/>"
        f"</manifest><spine>{spine}</spine></package>",
        "OPS/nav.xhtml": "<html xmlns='http://www.w3.org/1999/xhtml'><body><nav><ol><li><a href='text/b.xhtml#x'>第一回</a></li></ol></nav></body></html>",
        "OPS/text/a 1.xhtml": page.format("尾声", "完。"),
        "OPS/text/b.xhtml": page.format("灵根育孕源流出", "诗曰。"),
        "OPS/i.svg": "<svg/>",
        **(more or {}),
    }
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, text in files.items():
            packed.writestr(name, text)
    return out.getvalue()


def book(**options) -> LoadedFile:
    return load_file(Path("书.epub"), epub(**options))


def test_chapters_come_in_reading_order_with_the_names_of_the_contents():
    pages = book().pages
    assert [page.page_content for page in pages] == ["灵根育孕源流出\n诗曰。", "尾声\n完。"]
    assert [page.metadata["place"] for page in pages] == [{"kind": "chapter", "name": n} for n in ("第一回", "尾声")]


def test_pictures_in_the_spine_are_empty_pages_and_missing_documents_are_told():
    file = book(spine="<itemref idref='i'/><itemref idref='a'/><itemref idref='zz'/>")
    assert [page.page_content for page in file.pages] == ["", "尾声\n完。", ""]
    assert "zz" in file.problems[0]


def test_an_encrypted_book_is_refused_but_not_one_with_scrambled_fonts():
    def encryption(algorithm: str) -> dict[str, str]:
        return {
            "META-INF/encryption.xml": f"<encryption><EncryptedData><EncryptionMethod Algorithm='{algorithm}'/></EncryptedData></encryption>"
        }

    assert len(book(more=encryption("http://www.idpf.org/2008/embedding")).pages) == 2
    with pytest.raises(DocumentError, match="encrypted"):
        book(more=encryption("http://www.w3.org/2001/04/xmlenc#aes128-cbc"))


def test_a_book_without_a_spine_is_refused():
    with pytest.raises(DocumentError, match="spine"):
        book(spine="")
