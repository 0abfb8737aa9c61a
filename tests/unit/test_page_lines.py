"""Lines of a page's text layer become paragraphs again."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chinese_llm_rag.document_loaders.compatibility import ordinary
from chinese_llm_rag.document_loaders.page_lines import join_lines

FULL = "本条例所称图书馆是指向社会公众免费开放的公共"  # a line of the usual width, without a full stop


def page(*lines: str) -> str:
    return "\r\n".join(lines)  # PDFium ends lines so


def test_lines_of_han_text_join_without_a_space():
    assert join_lines(page(FULL, "文化设施。")) == FULL + "文化设施。"


def test_lines_of_latin_text_join_with_one_space():
    first, second = "The quick brown fox jumps over the lazy dog and then", "runs back home again."
    assert join_lines(page(first, second)) == f"{first} {second}"


def test_latin_text_in_quotes_keeps_its_space_at_the_line_end():
    first, second = "The quick brown fox jumps over “the lazy dog”", "and runs back home."
    assert join_lines(page(first, second)) == f"{first} {second}"
    second = "“and runs back home.”"
    assert join_lines(page("The quick brown fox jumps over the lazy dog", second)).endswith(f"dog {second}")


@pytest.mark.parametrize("second", ["PDF文件。", "“引文”。", "2023年。", "，然后。"])
def test_no_space_joins_han_and_other_characters(second):
    assert join_lines(page(FULL, second)) == FULL + second
    latin_end = FULL[:-3] + "in PDF"
    assert join_lines(page(latin_end, "文件。")) == latin_end + "文件。"


def test_a_line_with_a_full_stop_ends_its_paragraph():
    first = FULL[:-1] + "。"
    assert join_lines(page(first, "下一段。")) == f"{first}\n下一段。"


def test_a_short_line_ends_its_paragraph():
    assert join_lines(page(FULL, FULL[:10], FULL)) == f"{FULL}{FULL[:10]}\n{FULL}"


def test_a_blank_line_ends_a_paragraph():
    assert join_lines(page(FULL, "", "文化设施。")) == f"{FULL}\n文化设施。"


@pytest.mark.parametrize(
    "line",
    [
        "第二章 读者服务",
        "第十条 图书馆应当",
        "一、总则",
        "（二）开放时间",
        "3. 借阅规则",
        "2.1 借阅规则",
        "(4) 罚则",
        "• 借阅",
        "- 借阅",
        "# 借阅",
        "| 借阅 |",
    ],
)
def test_headings_articles_and_list_items_begin_a_line_of_their_own(line):
    assert join_lines(page(FULL, line)) == f"{FULL}\n{line.replace(' ', '') if line[0] == '第' else line}"


def test_lines_of_a_table_of_contents_stay_apart():
    lines = [
        "第一节总则 . . . . . . . . . . . . . . . . . . . . 1",
        "附录 ................................... 12",
    ]
    assert join_lines(page(*lines)) == "\n".join(lines)
    lines = ["总则………………………………………………………… 1", "附录………………………………………………………… 12"]
    assert join_lines(page(*lines)) == "\n".join(lines)


@pytest.mark.parametrize("number", ["12", "- 12 -", "第 12 页", "12/63", "第12页 共63页", "第 12 页，共 63 页", "xii"])
def test_a_page_number_is_a_line_of_its_own(number):
    lines = join_lines(page(FULL, number, FULL)).split("\n")
    assert lines[0] == lines[-1] == FULL
    assert len(lines) == 3


def test_spaces_between_han_go_and_others_stay():
    assert join_lines("图 书 馆 uses PDF 文件") == "图书馆 uses PDF 文件"


def test_compatibility_ideographs_and_radicals_become_the_ordinary_characters():
    assert join_lines("\uf941\u2f42文\uf9dc") == "論文文隆"
    assert join_lines(page(FULL[:-1] + "\u2f42", "件。")) == FULL[:-1] + "文件。"


@pytest.mark.parametrize(("first", "last"), [(0x2F00, 0x2FD5), (0xF900, 0xFAD9), (0x2F800, 0x2FA1D)])
def test_ordinary_characters_take_the_place_of_compatibility_ones_one_by_one(first, last):
    given_text = "".join(chr(c) for c in range(first, last + 1) if unicodedata.name(chr(c), ""))
    result = join_lines(given_text)
    assert len(result) == len(given_text)
    assert all(unicodedata.normalize("NFKC", c) == r for c, r in zip(given_text, result, strict=True))


def test_radicals_that_are_characters_become_these_and_parts_of_characters_stay():
    assert join_lines("⻓江、⻅面、⺠法、⻄安、⻢⻋、⻛⻚、⺁⺅⺡") == "长江、见面、民法、西安、马车、风页、⺁⺅⺡"


def test_full_width_letters_and_digits_become_ordinary_and_full_width_marks_stay():
    assert join_lines("２０２３年，ＰＤＦ（ｖ１）：％") == "2023年，PDF（v1）：％"


@given(st.text())
def test_nothing_but_white_space_and_control_characters_is_lost(text):
    def kept(text: str) -> str:
        visible = (c for c in text if not c.isspace() and unicodedata.category(c) not in {"Cc", "Cs", "Cn"})
        return unicodedata.normalize("NFKC", ordinary("".join(visible)))

    assert kept(join_lines(text)) == kept(text)


@given(st.text())
def test_no_control_character_is_left_but_line_breaks_and_tabs(text):
    left = {c for c in join_lines(text) if unicodedata.category(c) in {"Cc", "Cs"}}
    assert left <= {"\n", "\t"}


@given(st.text())
def test_lines_have_no_white_space_at_their_ends_and_none_is_empty(text):
    joined = join_lines(text)
    assert all(line and line == line.strip() for line in joined.split("\n")) or joined == ""


@pytest.mark.parametrize("text", ["", "\r\n", " \n　\n"])
def test_a_page_without_text_gives_none(text):
    assert join_lines(text) == ""
