"""XLSX, CSV and PPTX files, made here part by part."""

# ruff: noqa: E501  (markup is clearer on one line)

import zipfile
from csv import field_size_limit
from io import BytesIO
from pathlib import Path

import pytest

from chinese_llm_rag.document_loaders import LoadedFile, load_file
from chinese_llm_rag.errors import DocumentError

S = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
P = f'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" {A} {R}'
RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"


def relations(*targets: tuple[str, str, str]) -> str:
    rows = "".join(f'<Relationship Id="{i}" Type="{RELATION}{kind}" Target="{target}"/>' for i, kind, target in targets)
    return f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{rows}</Relationships>'


def packed(files: dict[str, str]) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return out.getvalue()


def xlsx(
    *sheets: str, strings: str = "", styles: str = "", properties: str = "", more: dict[str, str] | None = None
) -> bytes:
    """Sheets by the XML of their rows (and what follows sheetData)."""
    names = ["预算", "明细", "附"]
    listed = "".join(f'<sheet name="{names[i]}" sheetId="{i + 1}" r:id="s{i}"/>' for i in range(len(sheets)))
    files = {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": relations(("a", "officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": f"<workbook {S} {R}>{properties}<sheets>{listed}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": relations(
            *((f"s{i}", "worksheet", f"worksheets/sheet{i}.xml") for i in range(len(sheets))),
            ("t", "sharedStrings", "sharedStrings.xml"),
            ("y", "styles", "/xl/styles.xml"),
        ),
        "xl/sharedStrings.xml": f"<sst {S}>{strings}</sst>",
        "xl/styles.xml": f"<styleSheet {S}>{styles}</styleSheet>",
        **{
            f"xl/worksheets/sheet{i}.xml": f"<worksheet {S}>"
            + (sheet if "<sheetData" in sheet else f"<sheetData>{sheet}</sheetData>")
            + "</worksheet>"
            for i, sheet in enumerate(sheets)
        },
        **(more or {}),
    }
    return packed(files)


def cell(place: str, text: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


def row(number: int, *texts: str) -> str:
    cells = "".join(cell(f"{'ABCDEF'[i]}{number}", text) for i, text in enumerate(texts) if text)
    return f'<row r="{number}">{cells}</row>'


def load(data: bytes, name: str = "表.xlsx") -> LoadedFile:
    return load_file(Path(name), data)


# XLSX


def test_each_sheet_is_a_page_with_its_name_also_an_empty_one():
    pages = load(xlsx(row(1, "项目", "金额") + row(2, "茶", "5"), "", row(1, "只有一格"))).pages
    assert [page.metadata["place"] for page in pages] == [{"kind": "sheet", "name": n} for n in ("预算", "明细", "附")]
    assert [page.page_content for page in pages] == ["| 项目 | 金额 |\n| --- | --- |\n| 茶 | 5 |", "", "| 只有一格 |"]


def test_rows_have_the_numbers_of_the_sheet():
    (page,) = load(xlsx(row(3, "名", "值") + row(4, "甲", "1") + row(9, "乙", "2") + row(10, "丙", "3"))).pages
    assert [mark["first_row"] for mark in page.metadata["marks"]] == [3, 9]


def test_cells_are_shown_as_the_sheet_shows_them():
    styles = (
        '<numFmts><numFmt numFmtId="164" formatCode="yyyy&quot;年&quot;m&quot;月&quot;d&quot;日&quot;"/></numFmts>'
        '<cellXfs><xf numFmtId="0"/><xf numFmtId="164"/><xf numFmtId="10"/><xf numFmtId="57"/></cellXfs>'
    )
    strings = "<si><t>共享</t></si><si><r><t>富</t></r><r><t>文本</t></r><rPh><t>fù</t></rPh></si>"
    data = (
        '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="C1" s="1"><v>45356</v></c>'
        '<c r="D1" s="2"><v>0.125</v></c><c r="E1" t="b"><v>1</v></c><c r="F1" t="e"><v>#N/A</v></c>'
        '<c r="G1"><f>A1*2</f><v>84</v></c><c r="H1" t="str"><f>A1</f><v>公式</v></c><c r="I1" s="3"><v>45356</v></c>'
        '<c r="J1" t="s"><v>99</v></c></row>'
    )
    (page,) = load(xlsx(data, strings=strings, styles=styles)).pages
    assert page.page_content == "| 共享 | 富文本 | 2024年3月5日 | 12.50% | TRUE | #N/A | 84 | 公式 | 2024年3月 |"


def test_days_may_count_from_1904():
    data = xlsx(
        '<row r="1"><c r="A1" s="1"><v>43894</v></c></row>',
        styles='<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs>',
        properties='<workbookPr date1904="1"/>',
    )
    assert load(data).pages[0].page_content == "| 2024/3/5 |"


def test_a_formula_without_a_stored_value_is_told():
    file = load(xlsx('<row r="1"><c r="A1" t="inlineStr"><is><t>甲</t></is></c><c r="B1"><f>SUM(A:A)</f></c></row>'))
    assert file.problems == ("1 formulas have no stored value and are left out",)


def test_merged_cells_are_repeated_down_and_deepen_the_header():
    rows = row(1, "地区", "产量") + row(2, "", "春", "秋") + row(3, "浙江", "5", "6") + row(4, "", "7", "8")
    merged = '<mergeCells><mergeCell ref="A1:A2"/><mergeCell ref="B1:C1"/><mergeCell ref="A3:A1048576"/></mergeCells>'
    (page,) = load(xlsx(f"<sheetData>{rows}</sheetData>{merged}")).pages
    assert page.page_content.splitlines()[2:] == ["| 地区 | 春 | 秋 |", "| 浙江 | 5 | 6 |", "| 浙江 | 7 | 8 |"]
    (mark,) = page.metadata["marks"]
    assert page.page_content[: mark["header_end"]].endswith("| 地区 | 春 | 秋 |")


def test_notes_text_boxes_and_escapes_are_read():
    more = {
        "xl/worksheets/_rels/sheet0.xml.rels": relations(
            ("c", "comments", "../comments1.xml"), ("d", "drawing", "../drawings/drawing1.xml")
        ),
        "xl/comments1.xml": f'<comments {S}><commentList><comment ref="B3"><text><t>核对</t></text></comment></commentList></comments>',
        "xl/drawings/drawing1.xml": f"<d {A}><a:p><a:r><a:t>框中字</a:t></a:r></a:p></d>",
    }
    (page,) = load(xlsx(row(1, "一_x000D_行"), more=more)).pages
    assert page.page_content == "| 一行 |\n[批注 B3] 核对\n框中字"


def test_cells_and_rows_without_their_places_count_on():
    data = "<row><c t='inlineStr'><is><t>甲</t></is></c><c t='inlineStr'><is><t>乙</t></is></c></row>"
    assert load(xlsx(data)).pages[0].page_content == "| 甲 | 乙 |"


# CSV


def csv(text: str, name: str = "表.csv", encoding: str = "utf-8") -> LoadedFile:
    return load(text.encode(encoding), name)


def test_a_csv_file_is_a_table_with_numbered_rows():
    (page,) = csv('名称,说明\r\n茶,"绿,茶\n第二行"\r\n\r\n酒,"他说""好"""\r\n').pages
    assert page.page_content == '| 名称 | 说明 |\n| --- | --- |\n| 茶 | 绿,茶第二行 |\n| 酒 | 他说"好" |'
    assert [(mark["kind"], mark["first_row"]) for mark in page.metadata["marks"]] == [("table", 1), ("table", 4)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter):
    text = "\n".join(delimiter.join(row) for row in (["名", "值，注", "三"], ["甲", "1，2", "x"], ["乙", "3，4", "y"]))
    assert csv(text).pages[0].page_content.splitlines()[2] == "| 甲 | 1，2 | x |"


def test_a_csv_file_in_gbk_is_read():
    (page,) = csv("姓名,部门\n王先生,财务部\n李女士,人事部的同事们\n", encoding="gbk").pages
    assert "李女士" in page.page_content
    assert page.metadata["encoding"] == "gb18030"


def test_a_field_larger_than_pythons_limit_is_read():
    assert "甲" * 200_000 in csv(f"a,b\n1,{'甲' * 200_000}\n").pages[0].page_content
    csv("a,b\n1,2\n")
    assert field_size_limit() > 200_000  # the limit is the whole process's: a small file does not lower it


# PPTX


def pptx(*slides: str, more: dict[str, str] | None = None) -> bytes:
    """Slides by the XML of their shapes, listed in reverse of their file names."""
    n = len(slides)
    files = {
        "_rels/.rels": relations(("a", "officeDocument", "ppt/presentation.xml")),
        "ppt/presentation.xml": f"<p:presentation {P}><p:sldIdLst>"
        + "".join(f'<p:sldId id="{i}" r:id="s{i}"/>' for i in range(n))
        + "</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": relations(
            *((f"s{i}", "slide", f"slides/slide{n - i}.xml") for i in range(n))
        ),
        **{
            f"ppt/slides/slide{n - i}.xml": f"<p:sld {P}><p:cSld><p:spTree>{slide}</p:spTree></p:cSld></p:sld>"
            for i, slide in enumerate(slides)
        },
        **(more or {}),
    }
    return packed(files)


def shape(text: str, placeholder: str = "") -> str:
    ph = f'<p:nvPr><p:ph type="{placeholder}"/></p:nvPr>' if placeholder else "<p:nvPr/>"
    return f"<p:sp><p:nvSpPr>{ph}</p:nvSpPr><p:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp>"


def test_slides_come_in_the_order_of_the_show_titles_first():
    pages = load(pptx(shape("正文") + shape("标题", "title"), shape("第二张")), "课.pptx").pages
    assert [page.page_content for page in pages] == ["标题\n正文", "第二张"]
    assert [page.metadata["place"] for page in pages] == [
        {"kind": "slide", "name": "1"},
        {"kind": "slide", "name": "2"},
    ]
    (mark,) = pages[0].metadata["marks"]
    assert (mark["kind"], mark["level"], mark["end"]) == ("heading", 1, 2)


def test_groups_tables_and_line_breaks_are_read_footers_are_furniture():
    table = (
        "<p:graphicFrame><a:tbl><a:tblPr firstRow='1'/>"
        "<a:tr><a:tc><a:txBody><a:p><a:r><a:t>名</a:t></a:r></a:p></a:txBody></a:tc><a:tc><a:txBody><a:p><a:r><a:t>值</a:t></a:r></a:p></a:txBody></a:tc></a:tr>"
        "<a:tr><a:tc><a:txBody><a:p><a:r><a:t>甲</a:t></a:r></a:p></a:txBody></a:tc><a:tc><a:txBody><a:p><a:r><a:t>1</a:t></a:r><a:br/><a:r><a:t>2</a:t></a:r></a:p></a:txBody></a:tc></a:tr>"
        "</a:tbl></p:graphicFrame>"
    )
    slide = f"<p:grpSp><p:grpSp>{shape('组内')}</p:grpSp></p:grpSp>{table}{shape('公司', 'ftr')}{shape('7', 'sldNum')}"
    (page,) = load(pptx(slide), "课.pptx").pages
    assert page.page_content == "组内\n| 名 | 值 |\n| --- | --- |\n| 甲 | 1 2 |"
    assert page.metadata["furniture"] == ["公司", "7"]


def test_speaker_notes_follow_the_slide():
    more = {
        "ppt/slides/_rels/slide1.xml.rels": relations(("n", "notesSlide", "../notesSlides/notesSlide1.xml")),
        "ppt/notesSlides/notesSlide1.xml": f"<p:notes {P}><p:cSld><p:spTree>{shape('讲稿', 'body')}{shape('1', 'sldNum')}</p:spTree></p:cSld></p:notes>",
    }
    assert load(pptx(shape("幻灯片"), more=more), "课.pptx").pages[0].page_content == "幻灯片\n讲稿"


def test_a_show_without_any_text_is_refused():
    with pytest.raises(DocumentError, match="no text"):
        load(pptx(""), "课.pptx")
