"""Text that grows with its marks."""

from hypothesis import given
from hypothesis import strategies as st

from chinese_llm_rag.document_loaders.marked_text import MarkedText
from chinese_llm_rag.document_loaders.row_blocks import add_rows
from chinese_llm_rag.schema import Mark


def test_headings_and_tables_are_marked_where_they_stand():
    page = MarkedText()
    page.paragraph("  引言。 ")
    page.heading("第一章\n总则", 2)
    page.table([["名称", "数量"], ["茶|叶", "3"]], n_header=1)
    assert page.text == "引言。\n第一章 总则\n| 名称 | 数量 |\n| --- | --- |\n| 茶\\|叶 | 3 |"
    heading, table = page.marks
    assert page.text[heading.start : heading.end] == "第一章 总则"
    assert heading.level == 2
    assert page.text[table.start : table.header_end] == "| 名称 | 数量 |\n| --- | --- |"
    assert page.text[table.start : table.end].endswith("| 茶\\|叶 | 3 |")


def test_a_table_without_a_header_has_no_line_of_dashes():
    page = MarkedText()
    page.table([["甲", "1"], ["乙", "2"]], n_header=0)
    assert page.text == "| 甲 | 1 |\n| 乙 | 2 |"
    assert page.marks == (Mark("table", 0, len(page.text)),)


def test_a_header_of_two_rows_ends_after_the_second():
    page = MarkedText()
    page.table([["地区", "产量"], ["地区", "春"], ["杭州", "5"]], n_header=2)
    (table,) = page.marks
    assert page.text[: table.header_end] == "| 地区 | 产量 |\n| --- | --- |\n| 地区 | 春 |"


def test_one_cell_a_row_is_no_table_and_empty_rows_go():
    page = MarkedText()
    page.table([["只有一格"], [""], ["另一格"]], n_header=0)
    assert (page.text, page.marks) == ("只有一格\n另一格", ())
    page = MarkedText()
    page.table([["", ""], ["a", "b"], ["", ""], ["c", "d"]], n_header=1)
    assert page.text == "| a | b |\n| c | d |"
    page.table([["", ""]], n_header=1)
    assert len(page.marks) == 1


def test_a_short_name_broken_over_lines_is_whole_and_a_long_cell_keeps_a_blank():
    page = MarkedText()
    page.table([["货物\n品名", "第一段很长的文字。\n第二段也有许多许多文字。"]], n_header=0)
    assert page.text == "| 货物品名 | 第一段很长的文字。 第二段也有许多许多文字。 |"


def test_texts_are_appended_with_their_marks():
    inner = MarkedText()
    inner.heading("题", 1)
    inner.table([["a", "b"], ["c", "d"]], n_header=1, first_row=7)
    outer = MarkedText()
    outer.paragraph("前")
    outer.append(inner)
    outer.append(MarkedText())
    assert outer.text == "前\n" + inner.text
    assert [outer.text[m.start : m.end] for m in outer.marks] == [inner.text[m.start : m.end] for m in inner.marks]
    assert outer.marks[1].first_row == 7


blocks = st.lists(
    st.one_of(
        st.tuples(st.just("paragraph"), st.text(max_size=8)),
        st.tuples(st.just("heading"), st.text(max_size=8)),
        st.tuples(st.just("table"), st.lists(st.lists(st.text(max_size=4), max_size=3), max_size=3)),
    ),
    max_size=8,
)


@given(blocks)
def test_marks_are_in_order_within_the_text_and_do_not_overlap(parts):
    page = MarkedText()
    for kind, value in parts:
        if kind == "paragraph":
            page.paragraph(value)
        elif kind == "heading":
            page.heading(value, 1)
        else:
            page.table(value, n_header=1 if len(value) > 1 else 0)
    end = 0
    for mark in page.marks:
        assert end <= mark.start < mark.end <= len(page.text)
        assert mark.header_end == 0 or mark.start < mark.header_end <= mark.end
        assert page.text[mark.start - 1 : mark.start] in ("", "\n")
        assert page.text[mark.end : mark.end + 1] in ("", "\n")
        end = mark.end
    assert len(page) == len(page.text)


# Rows with numbers


def test_rows_keep_their_numbers_over_empty_ones_and_titles():
    page = MarkedText()
    add_rows(
        page, [(1, ["二〇二六年预算"]), (2, ["项目", "金额"]), (3, ["茶", "5"]), (5, ["合计", "9"]), (6, ["余", "1"])]
    )
    title, first, second = page.marks
    assert page.text[title.start : title.end] == "二〇二六年预算"
    assert (first.first_row, second.first_row) == (2, 5)
    assert first.row_at(page.text, page.text.index("项目")) == 2
    assert first.row_at(page.text, page.text.index("茶")) == 3
    assert second.row_at(page.text, page.text.index("余")) == 6
    assert second.header_end == 0  # names and values side by side
    assert first.row_at(page.text, page.text.index("余")) is None
    assert title.row_at(page.text, 0) is None


def test_numbers_and_dates_in_the_first_row_are_no_header():
    for row in (["2024", "5"], ["2024-03-05", "茶"], ["¥5.00", "12%"]):
        page = MarkedText()
        add_rows(page, [(1, row), (2, ["甲", "乙"])])
        assert page.marks[0].header_end == 0


def test_columns_that_are_empty_on_the_left_are_left_out():
    page = MarkedText()
    add_rows(page, [(4, ["", "", "名", "值"]), (5, ["", "", "甲", "1"])])
    assert page.text == "| 名 | 值 |\n| --- | --- |\n| 甲 | 1 |"
