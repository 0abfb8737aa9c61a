"""DOCX files, made here part by part."""

# ruff: noqa: E501  (markup is clearer on one line)

import re
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from chinese_llm_rag.document_loaders import LoadedFile, load_file
from chinese_llm_rag.errors import DocumentError

FILE = Path("合同.docx")
NAMES = " ".join(
    f'xmlns:{prefix}="{uri}"'
    for prefix, uri in {
        "w": "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
        "r": "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
        "mc": "http://schemas.openxmlformats.org/markup-compatibility/2006",
        "wps": "http://schemas.microsoft.com/office/word/2010/wordprocessingShape",
        "v": "urn:schemas-microsoft-com:vml",
        "c": "http://schemas.openxmlformats.org/drawingml/2006/chart",
        "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
        "m": "http://schemas.openxmlformats.org/officeDocument/2006/math",
    }.items()
)
RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
STYLES = f"""<w:styles {NAMES}>
<w:style w:type="paragraph" w:default="1" w:styleId="a"><w:name w:val="Normal"/></w:style>
<w:style w:type="paragraph" w:styleId="2"><w:name w:val="heading 2"/></w:style>
<w:style w:type="paragraph" w:styleId="a3"><w:name w:val="Title"/></w:style>
<w:style w:type="paragraph" w:styleId="my"><w:name w:val="我的章"/><w:basedOn w:val="2"/></w:style>
<w:style w:type="paragraph" w:styleId="out"><w:name w:val="外"/><w:pPr><w:outlineLvl w:val="2"/></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="list"><w:name w:val="条"/><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:style>
</w:styles>"""
NUMBERING = f"""<w:numbering {NAMES}><w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:start w:val="1"/>
<w:numFmt w:val="chineseCountingThousand"/><w:suff w:val="space"/><w:lvlText w:val="第%1条"/></w:lvl></w:abstractNum>
<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num></w:numbering>"""


def relations(targets: dict[str, str]) -> str:
    rows = "".join(
        f'<Relationship Id="{name}" Type="{RELATION}{name.rstrip("0123456789")}" Target="{target}"/>'
        for name, target in targets.items()
    )
    return f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{rows}</Relationships>'


def as_strict(text: str) -> str:
    """The part with the names of ISO/IEC 29500 Strict; those of the packaging are the same."""
    return re.sub(
        r"http://schemas\.openxmlformats\.org/(\w+)/2006/(?!relationships\")", r"http://purl.oclc.org/ooxml/\1/", text
    )


def docx(body: str, *, targets: dict[str, str] | None = None, strict: bool = False, **parts: str) -> bytes:
    """A file with this body; `parts` by their names in the folder word."""
    targets = {"styles": "styles.xml", "numbering": "numbering.xml", **(targets or {})}
    files = {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": relations({"officeDocument": "word/document.xml"}),
        "word/_rels/document.xml.rels": relations(targets),
        "word/document.xml": f"<w:document {NAMES}><w:body>{body}</w:body></w:document>",
        "word/styles.xml": STYLES,
        "word/numbering.xml": NUMBERING,
        **{f"word/{name.replace('__', '/')}.xml": text for name, text in parts.items()},
    }
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in files.items():
            packed.writestr(name, as_strict(text) if strict else text)
    return out.getvalue()


def p(text: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def styled(text: str, style: str) -> str:
    return p(text, f'<w:pStyle w:val="{style}"/>')


def loaded(body: str, **options) -> LoadedFile:
    return load_file(FILE, docx(body, **options))


def text_of(body: str, **options) -> str:
    (page,) = loaded(body, **options).pages
    return page.page_content


def headings(body: str) -> list[tuple[int, str]]:
    (page,) = loaded(body).pages
    text = page.page_content
    return [(m["level"], text[m["start"] : m["end"]]) for m in page.metadata["marks"] if m["kind"] == "heading"]


def test_headings_are_known_by_their_style_what_it_rests_on_and_their_outline():
    body = (
        styled("合同", "a3")
        + styled("二级", "2")
        + styled("我的", "my")
        + styled("三级", "out")
        + p("正文")
        + p("自己", '<w:outlineLvl w:val="0"/>')
    )
    assert headings(body) == [(1, "合同"), (2, "二级"), (2, "我的"), (3, "三级"), (1, "自己")]


def test_automatic_numbers_are_written_before_their_paragraphs():
    assert text_of(styled("标的", "list") + p("说明") + styled("价款", "list")) == "第一条 标的\n说明\n第二条 价款"


def test_runs_breaks_and_tabs_make_one_paragraph():
    body = "<w:p><w:r><w:t>甲</w:t></w:r><w:hyperlink><w:r><w:t>方</w:t><w:tab/><w:t>乙</w:t><w:br/><w:t>丙</w:t></w:r></w:hyperlink></w:p>"
    assert text_of(body) == "甲方\t乙\n丙"


def test_deleted_text_and_field_codes_are_left_out_inserted_text_is_not():
    body = (
        "<w:p><w:ins><w:r><w:t>新</w:t></w:r></w:ins><w:del><w:r><w:delText>旧</w:delText></w:r></w:del>"
        "<w:r><w:instrText> PAGEREF _Toc1 </w:instrText></w:r><w:r><w:t>结果</w:t></w:r></w:p>"
    )
    assert text_of(body) == "新结果"


def test_content_controls_formulas_symbols_and_ruby_are_read():
    body = (
        "<w:sdt><w:sdtContent>" + p("控件") + "</w:sdtContent></w:sdt>"
        "<w:p><w:sdt><w:sdtContent><w:r><w:t>行内</w:t></w:r></w:sdtContent></w:sdt><m:oMath><m:r><m:t>x=1</m:t></m:r></m:oMath>"
        '<w:r><w:sym w:font="Wingdings" w:char="F0FE"/></w:r>'
        "<w:r><w:ruby><w:rt><w:r><w:t>lóng</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>龙</w:t></w:r></w:rubyBase></w:ruby></w:r></w:p>"
    )
    assert text_of(body) == "控件\n行内x=1☑龙（lóng）"


BOX = "<w:txbxContent><w:p><w:r><w:t>文本框</w:t></w:r></w:p></w:txbxContent>"


def test_a_text_box_follows_its_paragraph_once():
    body = (
        "<w:p><w:r><w:t>锚点</w:t></w:r><w:r><mc:AlternateContent>"
        f'<mc:Choice Requires="wps"><w:drawing><wps:wsp><wps:txbx>{BOX}</wps:txbx></wps:wsp></w:drawing></mc:Choice>'
        f"<mc:Fallback><w:pict><v:shape><v:textbox>{BOX}</v:textbox></v:shape></w:pict></mc:Fallback>"
        "</mc:AlternateContent></w:r></w:p>" + p("下一段")
    )
    assert text_of(body) == "锚点\n文本框\n下一段"
    old = f"<w:p><w:r><w:pict><v:shape><v:textbox>{BOX}</v:textbox></v:shape></w:pict></w:r></w:p>"
    assert text_of(old) == "文本框"


def test_notes_and_comments_follow_the_paragraph_that_refers_to_them():
    body = (
        '<w:p><w:r><w:t>正文</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r><w:r><w:t>继续。</w:t></w:r>'
        '<w:r><w:commentReference w:id="0"/></w:r></w:p>' + p("后文")
    )
    text = text_of(
        body,
        targets={"footnotes": "footnotes.xml", "comments": "comments.xml"},
        footnotes=f'<w:footnotes {NAMES}><w:footnote w:id="0" w:type="separator">{p("线")}</w:footnote><w:footnote w:id="2">{p("注文")}</w:footnote></w:footnotes>',
        comments=f'<w:comments {NAMES}><w:comment w:id="0" w:author="王">{p("请核对")}</w:comment></w:comments>',
    )
    assert text == "正文继续。\n[脚注] 注文\n[批注] 请核对\n后文"


def test_running_headers_and_footers_are_furniture_not_text():
    header = f"<w:hdr {NAMES}>{p('公司机密')}</w:hdr>"
    (page,) = loaded(
        p("正文"), targets={"header1": "header1.xml", "header2": "header2.xml"}, header1=header, header2=header
    ).pages
    assert page.page_content == "正文"
    assert page.metadata["furniture"] == ["公司机密"]


def tc(text: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{p(text)}</w:tc>"


def tr(*cells: str, properties: str = "") -> str:
    return f"<w:tr><w:trPr>{properties}</w:trPr>{''.join(cells)}</w:tr>"


def tbl(*rows: str) -> str:
    return f"<w:tbl><w:tblPr/>{''.join(rows)}</w:tbl>"


def test_a_table_is_markdown_and_its_header_is_marked():
    table = tbl(tr(tc("品名"), tc("数量")), tr(tc("茶|叶"), tc("3")))
    (page,) = loaded(p("前") + table + p("后")).pages
    (mark,) = page.metadata["marks"]
    assert page.page_content == "前\n| 品名 | 数量 |\n| --- | --- |\n| 茶\\|叶 | 3 |\n后"
    assert page.page_content[mark["start"] : mark["header_end"]] == "| 品名 | 数量 |\n| --- | --- |"


def test_merged_cells_are_repeated_down_and_not_across():
    table = tbl(
        tr(
            tc("地区", '<w:vMerge w:val="restart"/>'),
            tc("产量", '<w:gridSpan w:val="2"/>'),
            properties="<w:tblHeader/>",
        ),
        tr(tc("", "<w:vMerge/>"), tc("春"), tc("秋"), properties="<w:tblHeader/>"),
        tr(tc("杭州"), tc("5"), tc("6")),
    )
    (page,) = loaded(table).pages
    text = page.page_content
    assert text == "| 地区 | 产量 |  |\n| --- | --- | --- |\n| 地区 | 春 | 秋 |\n| 杭州 | 5 | 6 |"
    assert text[: page.metadata["marks"][0]["header_end"]].endswith("秋 |")


def test_a_table_in_a_cell_and_a_frame_of_one_cell_lose_nothing():
    inner = tbl(tr(tc("内一"), tc("内二")))
    assert "内一" in (text := text_of(tbl(tr(tc("外"), f"<w:tc>{inner}{p('尾')}</w:tc>"), tr(tc("下"), tc("末")))))
    assert "内二" in text
    assert "尾" in text
    assert (
        text_of(tbl(tr(f"<w:tc>{styled('框内标题', '2')}{p('第一段')}{p('第二段')}</w:tc>")))
        == "框内标题\n第一段\n第二段"
    )


def test_a_chart_is_a_table_of_its_values():
    points = '<c:pt idx="0"><c:v>{}</c:v></c:pt><c:pt idx="1"><c:v>{}</c:v></c:pt>'
    chart = (
        f"<c:chartSpace {NAMES}><c:chart><c:title><c:tx><c:rich><a:p><a:r><a:t>销量</a:t></a:r></a:p></c:rich></c:tx></c:title><c:ser>"
        f'<c:tx><c:strRef><c:strCache><c:pt idx="0"><c:v>二〇二五</c:v></c:pt></c:strCache></c:strRef></c:tx>'
        f"<c:cat>{points.format('春', '秋')}</c:cat><c:val>{points.format('8.1999999999999993', '3')}</c:val></c:ser></c:chart></c:chartSpace>"
    )
    body = '<w:p><w:r><w:drawing><c:chart r:id="chart1"/></w:drawing></w:r></w:p>'
    text = text_of(body, targets={"chart1": "charts/chart1.xml"}, charts__chart1=chart)
    assert text == "销量\n|  | 二〇二五 |\n| --- | --- |\n| 春 | 8.2 |\n| 秋 | 3 |"


def test_embedded_files_are_named_and_never_opened():
    file = loaded(p("正文") + "<w:p><w:r><w:object/></w:r></w:p>")
    assert file.pages[0].page_content == "正文"
    assert file.problems == ("1 embedded files are left out",)


def test_the_strict_variant_is_read_too():
    assert text_of(styled("章", "2") + p("正文"), strict=True) == "章\n正文"


@pytest.mark.parametrize("cut", [100, 600])
def test_a_file_that_is_cut_off_is_refused(cut):
    data = docx(p("正文"))
    with pytest.raises(DocumentError, match=r"ZIP|DOCX"):
        load_file(FILE, data[:-cut])


def test_a_file_with_a_broken_part_is_refused():
    data = docx("<w:p><w:r>")  # never closed
    with pytest.raises(DocumentError, match=r"document\.xml"):
        load_file(FILE, data)
