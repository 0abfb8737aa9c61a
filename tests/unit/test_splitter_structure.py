"""ChineseTextSplitter along the structure of a text: parts that fit stay whole, headings, tables, walls."""

import json

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document

from chinese_llm_rag.schema import PAGE_SEPARATOR
from chinese_llm_rag.text_splitters import ChineseTextSplitter, text_with_context
from chinese_llm_rag.text_splitters.headings import find_headings
from chinese_llm_rag.text_splitters.outline import build_outline
from chinese_llm_rag.text_splitters.tables import find_tables

HEADER = "| 项目 | 金额 |\n|---|---|"
TABLE = HEADER + "".join(f"\n| 第{n}项 | {n}00 |" for n in range(1, 7))


def third_of_bytes(text: str) -> int:
    """Grows with the text in uneven steps, as token counts do; never 0."""
    return len(text.encode()) // 3 + 1


def cut(text: str, size: int, overlap: int = 0) -> list[Document]:
    return ChineseTextSplitter(size, overlap).create_documents([text])


def contents(text: str, size: int, overlap: int = 0) -> list[str]:
    return [chunk.page_content for chunk in cut(text, size, overlap)]


def headings(text: str, size: int) -> list[list[str]]:
    return [chunk.metadata.get("headings", []) for chunk in cut(text, size)]


def page(text: str, number: int = 1, start: int = 0, **extra: object) -> Document:
    own = {"source": "书.docx", "content_hash": "a1", "page": number, "n_pages": 9, "start": start}
    return Document(text, metadata={**own, **extra})


def pages_of(texts: list[str], **extra: list[object]) -> list[Document]:
    documents, start = [], 0
    for index, text in enumerate(texts):
        documents.append(page(text, index + 1, start, **{key: values[index] for key, values in extra.items()}))
        start += len(text) + len(PAGE_SEPARATOR)
    return documents


def mark(kind: str, start: int, end: int, level: int = 0, header_end: int = 0, first_row: int = 0) -> dict[str, object]:
    own = {"level": level, "header_end": header_end, "first_row": first_row}
    return {"kind": kind, "start": start, "end": end, **own}


# --- whatever the text -----------------------------------------------------------------------

lines = st.sampled_from(
    [
        *[
            "# 标题",
            "## 第一章 总则",
            "第一编 总则",
            "第一章　總則",
            "第二节 甲",
            "第一条 内容很短。",
            "第二条",
            "第三条 下列情形：",
        ],
        *[
            "（一）甲；",
            "（二）乙。",
            "一、要求",
            "二、任务。很重要的任务。",
            "1. 身份证",
            "2. 户口本。要原件。",
            "1.1 背景",
            "1.2 方法",
        ],
        *["问：为何？", "答：因为。所以。", "① 注", "附录A", "前言", TABLE, HEADER, "| 残行 | 1 |", "```", "表1 收入"],
        *[
            "普通一句话。又一句话！",
            "在2023-05-06有3.14和1,234,567个。",
            "👩\u200d👩\u200d👧é。́",
            "字" * 40,
            "",
            "  ",
            "\u3000\u3000缩进。",
        ],
        *["第一条消息是空的", "2023.1.5", "1. 5 倍", "\r", "naïve question. Yes", "甲：你好。", "床前明月光，"],
    ]
)
texts = st.lists(lines, max_size=25).map("\n".join)


@st.composite
def splitters(draw):
    size = draw(st.integers(1, 120))
    parent = draw(st.none() | st.integers(size, 3 * size))
    length = draw(st.sampled_from([len, third_of_bytes]))
    return ChineseTextSplitter(size, draw(st.integers(0, size - 1)), length, parent_size=parent)


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    parts = [m.span() for m in regex.finditer(r"\X", text, pos=start, endpos=end) if not m.group().isspace()]
    return (parts[0][0], parts[-1][1]) if parts else (start, start)


@given(texts, splitters())
def test_chunks_are_the_text_in_order_whole_and_within_the_size(text, splitter):
    spans = splitter.split_spans(text)
    size, length = splitter._chunk_size, splitter._length_function
    edges = {0, *(match.end() for match in regex.finditer(r"\X", text))}
    covered, before = set(), None
    for span in spans:
        chunk = text[span.start : span.end]
        assert length(chunk) <= size or len(regex.findall(r"\X", chunk)) == 1
        assert {span.start, span.end} <= edges
        assert trimmed(text, span.start, span.end) == (span.start, span.end)
        assert before is None or (before.start < span.start and before.end < span.end)
        covered.update(range(span.start, span.end))
        before = span
    assert {i for i, character in enumerate(text) if not character.isspace()} <= covered


@given(texts, st.integers(20, 120))
def test_a_part_that_fits_is_in_one_chunk(text, size):
    tables = find_tables(text)
    parts = build_outline(text, find_headings(text, (), [table.span for table in tables]), tables).parts
    spans = ChineseTextSplitter(size).split_spans(text)
    for part in parts[1:]:
        begin, parent = part.start, parts[part.parent]
        while parent.parent >= 0 and not text[parent.body : begin].strip():  # nothing but headings before it
            begin, parent = parent.start, parts[parent.parent]
        led_in = regex.search(r"[：:]\s*$|(?:^|\n)[表图][^\n]*\s*$", text[:begin])
        start, end = trimmed(text, begin, part.end)
        if not led_in and start < end and end - start <= size:
            assert any(span.start <= start and end <= span.end for span in spans)


@given(texts, splitters())
def test_a_number_or_date_that_fits_is_never_cut(text, splitter):
    spans = splitter.split_spans(text)
    for match in regex.finditer(r"2023-05-06|3\.14|1,234,567|2023\.1\.5", text):
        if splitter._length_function(match.group()) <= splitter._chunk_size:
            assert any(span.start <= match.start() and match.end() <= span.end for span in spans)


@given(texts, splitters())
def test_a_piece_of_a_table_fits_together_with_its_header(text, splitter):
    for chunk in splitter.create_documents([text]):
        header = chunk.metadata.get("table_header", "")
        if header and 2 * splitter._length_function(header) <= splitter._chunk_size:
            shown = f"{header}\n{chunk.page_content}"
            single = len(regex.findall(r"\X", chunk.page_content)) == 1
            assert splitter._length_function(shown) <= splitter._chunk_size or single


@given(texts, splitters())
def test_headings_of_chunks_stand_in_the_text_before_their_end(text, splitter):
    tables = [table.span for table in find_tables(text)]
    starts = {}
    for heading in find_headings(text, (), tables):
        starts.setdefault(heading.title or text[heading.start : heading.mark.end].strip(), heading.start)
        starts.setdefault(text[heading.start : heading.mark.end].strip(), heading.start)
    for chunk in splitter.create_documents([text]):
        assert all(starts[title] < chunk.metadata["end"] for title in chunk.metadata.get("headings", []))


@given(texts, splitters())
def test_metadata_are_json(text, splitter):
    for chunk in splitter.split_documents([page(text)]):
        assert json.loads(json.dumps(chunk.metadata)) == chunk.metadata


# --- sections --------------------------------------------------------------------------------

ARTICLES = "第一章 总则\n第一条 甲甲甲甲甲甲甲甲。\n第二条 乙乙乙乙乙乙乙乙。\n第二章 分则\n第三条 丙丙丙丙丙丙丙丙。"


def test_a_heading_begins_a_chunk_and_takes_what_stands_below_it():
    assert contents(ARTICLES, 22) == [
        "第一章 总则\n第一条 甲甲甲甲甲甲甲甲。",
        "第二条 乙乙乙乙乙乙乙乙。",
        "第二章 分则\n第三条 丙丙丙丙丙丙丙丙。",
    ]


def test_a_section_that_fits_is_one_chunk_with_all_that_is_in_it():
    assert contents(ARTICLES, 40) == [
        "第一章 总则\n第一条 甲甲甲甲甲甲甲甲。\n第二条 乙乙乙乙乙乙乙乙。",
        "第二章 分则\n第三条 丙丙丙丙丙丙丙丙。",
    ]


def test_a_text_that_fits_is_one_chunk():
    assert contents(ARTICLES, 100) == [ARTICLES]


def test_short_sections_are_joined_and_longer_ones_stand_alone():
    text = "# 甲\n短。\n# 乙\n短。\n# 丙\n" + "长" * 20 + "。\n# 丁\n" + "长" * 70 + "。"
    assert [chunk[:3] for chunk in contents(text, 80)] == ["# 甲", "# 丁"]
    assert [chunk[:3] for chunk in contents(text, 60)] == ["# 甲", "# 丁", "长长长"]
    text = "# 甲\n" + "长" * 30 + "。\n# 乙\n短。\n# 丙\n" + "长" * 70 + "。"
    assert [chunk[:3] for chunk in contents(text, 80)] == ["# 甲", "# 乙", "# 丙"]


def test_a_chunk_carries_the_headings_that_all_of_it_stands_under():
    assert headings(ARTICLES, 22) == [["第一章 总则", "第一条"], ["第一章 总则", "第二条"], ["第二章 分则", "第三条"]]
    assert headings(ARTICLES, 40) == [["第一章 总则"], ["第二章 分则", "第三条"]]
    assert headings(ARTICLES, 100) == [[]]


def test_every_piece_of_a_long_section_carries_its_headings():
    text = "第一编 总则\n第一章 规定\n" + "很长的一句话。" * 10
    assert headings(text, 30) == [["第一编 总则", "第一章 规定"]] * len(contents(text, 30))


def test_a_heading_is_not_left_alone_before_a_sentence_that_must_be_cut():
    text = "# 标题\n春天来了，花都开了，鸟也飞回来了，孩子们在草地上跑"
    assert contents(text, 20) == ["# 标题\n春天来了，花都开了，", "鸟也飞回来了，孩子们在草地上跑"]


def test_a_list_is_read_with_the_line_that_leads_in_to_it():
    text = "甲甲甲甲甲甲甲甲。\n准备如下：\n1. 身份证。原件和复印件。\n2. 户口本。只要原件。"
    assert contents(text, 26) == [
        "甲甲甲甲甲甲甲甲。",
        "准备如下：\n1. 身份证。原件和复印件。",
        "2. 户口本。只要原件。",
    ]


def test_sections_without_structure_are_cut_by_paragraphs_alone():
    assert ChineseTextSplitter(22, structure=False).split_text(ARTICLES) == [
        "第一章 总则\n第一条 甲甲甲甲甲甲甲甲。",
        "第二条 乙乙乙乙乙乙乙乙。\n第二章 分则",
        "第三条 丙丙丙丙丙丙丙丙。",
    ]
    (chunk,) = ChineseTextSplitter(100, structure=False).create_documents([ARTICLES])
    assert chunk.metadata == {"start": 0, "end": len(ARTICLES)}


def test_stanzas_are_kept_whole_rather_than_lines():
    text = "静夜思\n床前明月光，\n疑是地上霜。\n\n登鹳雀楼\n白日依山尽，\n黄河入海流。"
    assert contents(text, 27) == ["静夜思\n床前明月光，\n疑是地上霜。", "登鹳雀楼\n白日依山尽，\n黄河入海流。"]


def test_dialogue_is_cut_between_turns():
    text = "甲：你去过北京吗？\n乙：去过两次。\n甲：喜欢吗？\n乙：非常喜欢那里。"
    assert contents(text, 18) == ["甲：你去过北京吗？\n乙：去过两次。", "甲：喜欢吗？\n乙：非常喜欢那里。"]


def test_overlap_does_not_go_over_a_heading():
    text = "# 甲\n一一一。二二二。三三三。四四四。\n# 乙\n五五五。六六六。"
    assert contents(text, 12, 4) == ["# 甲\n一一一。二二二。", "二二二。三三三。四四四。", "# 乙\n五五五。六六六。"]


# --- tables ----------------------------------------------------------------------------------


def test_a_table_that_fits_is_never_cut():
    text = "前面有一段不短的说明文字。\n\n" + TABLE + "\n\n后面的文字。"
    assert TABLE in contents(text, len(TABLE))


def test_a_table_that_must_be_cut_is_cut_between_rows_and_carries_its_header():
    chunks = cut(TABLE, 50)
    assert [chunk.page_content for chunk in chunks] == [
        HEADER + "\n| 第1项 | 100 |\n| 第2项 | 200 |",
        "| 第3项 | 300 |\n| 第4项 | 400 |",
        "| 第5项 | 500 |\n| 第6项 | 600 |",
    ]
    assert "table_header" not in chunks[0].metadata
    assert {chunk.metadata["table_header"] for chunk in chunks[1:]} == {HEADER}
    assert "\n".join(chunk.page_content for chunk in chunks) == TABLE
    assert text_with_context(chunks[1]).startswith(HEADER + "\n| 第")


def test_a_row_that_is_too_long_is_cut_between_cells():
    row = "| " + " | ".join(["单元格" * 3] * 6) + " |"
    chunks = contents(f"| 甲 | 乙 | 丙 | 丁 | 戊 | 己 |\n|---|---|---|---|---|---|\n{row}", 60)
    assert all(chunk.endswith("|") for chunk in chunks)


def test_a_cell_that_is_too_long_is_cut_between_sentences():
    text = "| 甲 |\n|---|\n| 春天来了，花都开了。鸟也飞回来了。孩子们在草地上跑，笑声传得很远。 |"
    assert contents(text, 20)[1:] == ["| 春天来了，花都开了。鸟也飞回来了。", "孩子们在草地上跑，笑声传得很远。 |"]


def test_a_heading_that_is_too_long_is_cut_between_its_sentences():
    assert contents("# 什么是检索？ 检索就是查找\n正文。", 12) == ["# 什么是检索？", "检索就是查找\n正文。"]


def test_lines_with_bars_and_no_line_of_dashes_are_text():
    (chunk,) = cut("甲 | 乙\n丙 | 丁", 100)
    assert "table_header" not in chunk.metadata
    assert find_tables("甲 | 乙\n---\n丙 | 丁") == []
    assert find_tables("甲 | 乙 | 丙\n---|---\n") == []


def test_a_table_without_bars_at_its_sides_is_a_table():
    (table,) = find_tables("前文\n甲 | 乙\n---|:-:\n1 | 2\n3 | 4\n\n后文")
    assert (table.header, table.start, table.end) == ("甲 | 乙\n---|:-:", 3, 28)


def test_a_marked_table_has_the_header_that_its_loader_gives():
    rows = "| 甲 | 1 |\n| 乙 | 2 |\n| 丙 | 3 |\n| 丁 | 4 |"
    document = page(rows, marks=[mark("table", 0, len(rows), header_end=9)])
    first, *rest = ChineseTextSplitter(30).split_documents([document])
    assert "table_header" not in first.metadata
    assert [chunk.metadata["table_header"] for chunk in rest] == ["| 甲 | 1 |"] * len(rest)
    plain = page(rows, marks=[mark("table", 0, len(rows))])
    assert all("table_header" not in chunk.metadata for chunk in ChineseTextSplitter(20).split_documents([plain]))


def test_a_table_over_a_page_break_is_one_table():
    first, second = HEADER + "\n| 甲 | 1 |\n| 乙 | 2 |", "| 丙 | 3 |\n| 丁 | 4 |"
    marks = [[mark("table", 0, len(first), header_end=len(HEADER))], [mark("table", 0, len(second))]]
    chunks = ChineseTextSplitter(44).split_documents(pages_of([first, second], marks=marks))
    assert [chunk.metadata.get("table_header") for chunk in chunks] == [None, HEADER]
    assert [(chunk.metadata["page_start"], chunk.metadata["page_end"]) for chunk in chunks] == [(1, 1), (2, 2)]


def test_rows_with_numbers_give_chunks_their_rows():
    rows = HEADER + "\n| 甲 | 1 |\n| 乙 | 2 |\n| 丙 | 3 |\n| 丁 | 4 |"
    document = page(rows, marks=[mark("table", 0, len(rows), header_end=len(HEADER), first_row=3)])
    chunks = ChineseTextSplitter(45).split_documents([document])
    assert [(c.metadata["row_start"], c.metadata["row_end"]) for c in chunks] == [(3, 5), (6, 7)]
    (whole,) = ChineseTextSplitter(200).split_documents([document])
    assert (whole.metadata["row_start"], whole.metadata["row_end"]) == (3, 7)


def test_a_piece_of_a_table_that_is_cut_further_keeps_its_header():
    pieces = ChineseTextSplitter(60).split_documents([page(TABLE)])
    finer = ChineseTextSplitter(45).split_documents(pieces)
    assert len(finer) > len(pieces)
    assert all(c.metadata["table_header"] == HEADER for c in finer if not c.page_content.startswith(HEADER[:8]))


# --- what loaders know -----------------------------------------------------------------------


def test_marked_headings_are_headings_whatever_they_look_like():
    text = "概述\n这里是正文。\n细节\n这里也是正文。"
    marks = [mark("heading", 0, 2, level=1), mark("heading", 10, 12, level=2)]
    chunks = ChineseTextSplitter(12).split_documents([page(text, marks=marks)])
    assert [(c.page_content, c.metadata["headings"]) for c in chunks] == [
        ("概述\n这里是正文。", ["概述"]),
        ("细节\n这里也是正文。", ["概述", "细节"]),
    ]


def test_the_signs_around_a_marked_heading_belong_to_it():
    document = page("## **概述** ##\n这里是正文。", source="a.md", marks=[mark("heading", 5, 7, level=2)])
    (chunk,) = ChineseTextSplitter().split_documents([document])
    assert (chunk.page_content, chunk.metadata["headings"]) == (document.page_content, ["概述"])


def test_lines_with_hashes_of_a_pdf_are_text_and_of_markdown_headings():
    chunk = ChineseTextSplitter().split_documents([page("# 3 号\n正文。", source="图.pdf")])[0]
    assert "headings" not in chunk.metadata
    chunk = ChineseTextSplitter().split_documents([page("# 3 号\n正文。", source="图.md")])[0]
    assert chunk.metadata["headings"] == ["3 号"]


@pytest.mark.parametrize("kind", ["slide", "sheet", "chapter", "section"])
def test_no_chunk_goes_from_one_slide_sheet_or_chapter_to_the_next(kind):
    places = [{"kind": kind, "name": "甲"}, {"kind": kind, "name": "乙"}]
    text = "没有句号的一行" * 8  # wide: it would go on in the next page
    chunks = ChineseTextSplitter(400).split_documents(pages_of([text, "短。"], place=places))
    assert [(c.page_content, c.metadata["place"]["name"]) for c in chunks] == [(text, "甲"), ("短。", "乙")]


def test_headings_hold_over_chapters_and_end_with_a_slide():
    texts = ["# 第一编 总则", "## 第一章 规定\n正文。"]
    for kind, expected in (("chapter", ["第一编 总则", "第一章 规定"]), ("slide", ["第一章 规定"])):
        pages = pages_of(texts, place=[{"kind": kind, "name": "1"}, {"kind": kind, "name": "2"}], source=["a.md"] * 2)
        assert ChineseTextSplitter().split_documents(pages)[1].metadata["headings"] == expected


def test_headings_hold_over_ordinary_pages_and_a_chunk_has_the_place_of_its_first():
    places = [{"kind": "page", "name": "iv"}, {"kind": "page", "name": "v"}]
    pages = pages_of(["第一章 总则\n第一句话到这里。", "第二句话。第三句话。第四句话。"], place=places)
    chunks = ChineseTextSplitter(20).split_documents(pages)
    assert [c.metadata["headings"] for c in chunks] == [["第一章 总则"]] * len(chunks)
    assert [c.metadata["place"]["name"] for c in chunks] == ["iv", "v"]


def test_what_belongs_to_a_page_does_not_go_to_its_chunks():
    document = page("正文。", marks=[], furniture=["页眉"], encoding="gb18030", category="法律")
    (chunk,) = ChineseTextSplitter().split_documents([document])
    assert not {"marks", "furniture", "encoding", "page", "n_pages"} & chunk.metadata.keys()
    assert chunk.metadata["category"] == "法律"


def test_a_chunk_cut_further_keeps_its_headings():
    text = "第一编 总则\n第一章 规定\n" + "很长的一句话。" * 10 + "\n第二条 短。"
    chunks = ChineseTextSplitter(50).split_documents([page(text)])
    assert len(finer := ChineseTextSplitter(25).split_documents(chunks)) > len(chunks)
    assert {tuple(chunk.metadata["headings"][:2]) for chunk in finer} == {("第一编 总则", "第一章 规定")}
