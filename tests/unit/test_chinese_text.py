"""Chinese text as such: sentences and paragraphs, words to search by, the normal form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chinese_llm_rag.chinese_text import (
    display_width,
    ends_sentence,
    is_han,
    iter_paragraphs,
    iter_sentences,
    normalize,
    opens_item,
    search_terms,
)

# Everything that a sentence or a paragraph may end with, or must not, in any order.
words = [
    "他走了",
    "学習",
    "word",
    "3.14",
    "。",
    "！",
    "!",
    "?",
    ";",
    "…",
    ".",
    "”",
    "』",
    ")",
    "]",
    "́",
    "👩\u200d👧",
    "️",
    "# ",
    "- ",
    "第一条",
]
spaces = [" ", "\u3000", "\t", "\n", "\r\n", "\r", "\x1c", "\u2028"]
pieces = st.sampled_from([*words, *spaces, "字" * 30])
texts = st.one_of(st.text(), st.lists(pieces).map("".join))


def sentences(text: str) -> list[str]:
    return [text[span.start : span.end] for span in iter_sentences(text)]


def paragraphs(text: str) -> list[str]:
    return [text[span.start : span.end] for span in iter_paragraphs(text)]


@given(texts)
def test_sentences_and_paragraphs_tile_any_text(text):
    for spans in (list(iter_sentences(text)), list(iter_paragraphs(text))):
        assert all(span.start < span.end for span in spans)
        assert [span.end for span in spans[:-1]] == [span.start for span in spans[1:]]
        assert "".join(text[span.start : span.end] for span in spans) == text


@given(texts)
def test_every_paragraph_begins_a_sentence(text):
    assert {span.start for span in iter_paragraphs(text)} <= {span.start for span in iter_sentences(text)}


def test_empty_text_has_no_sentence_and_no_paragraph():
    assert sentences("") == []
    assert paragraphs("") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("他来了。她走了！真的吗？是；", ["他来了。", "她走了！", "真的吗？", "是；"]),
        ("他说：“好。”然后走了。", ["他说：“好。”", "然后走了。"]),
        ("（见附录。）下一句", ["（见附录。）", "下一句"]),
        ("「走吧！」他說。『好。』", ["「走吧！」", "他說。", "『好。』"]),
        ("真的？！是的……然后", ["真的？！", "是的……", "然后"]),
        ("好吗?好!走", ["好吗?", "好!", "走"]),
        ("一句。  \n二句", ["一句。  \n", "二句"]),
        ("It ends. The next one. “Yes.” He left", ["It ends. ", "The next one. ", "“Yes.” ", "He left"]),
        ("使用 Docker. 然后重启", ["使用 Docker. ", "然后重启"]),
        ("占 50%. 其余不变", ["占 50%. ", "其余不变"]),
    ],
)
def test_a_sentence_ends_after_its_mark_its_closing_quotes_and_white_space(text, expected):
    assert sentences(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "圆周率约为 3.14 左右",
        "文件 gentoo.1.xml 的名称",
        "1. 打开盖子",
        "版本 2.10. 以后",
        "见 e.g. this 与 i.e. that",
        "参见 No. 5 一节",
        "访问 http://example.org/list?page=2&size=3;v=1 即可",
        "若 a!=b 则停",
        "见 pp. 12 的说明",
    ],
)
def test_marks_inside_numbers_names_addresses_and_abbreviations_end_nothing(text):
    assert sentences(text) == [text]


def test_an_accent_stays_with_the_mark_it_stands_on():
    assert sentences("好。\u0301吗") == ["好。\u0301", "吗"]
    assert sentences("好。 \u0301吗") == ["好。", " \u0301吗"]


def test_a_wide_line_without_a_full_stop_goes_on_in_the_next():
    wide = "这" * 28  # 56 columns
    assert paragraphs(f"{wide}\n半句。\n下一段") == [f"{wide}\n半句。\n", "下一段"]
    assert sentences(f"{wide}\n半句。") == [f"{wide}\n半句。"]


@pytest.mark.parametrize("following", ["", "# 标题", "- 一项", "第三条 内容", "（一）内容", "2. 内容", "| 表格 |"])
def test_a_wide_line_does_not_go_on_in_a_blank_line_or_an_item(following):
    first = "这" * 40 + "\n"
    assert paragraphs(f"{first}{following}\n末尾")[0].rstrip() == first.rstrip()


def test_a_narrow_line_ends_its_paragraph():
    assert paragraphs("静夜思\r\n李白\r\n") == ["静夜思\r\n", "李白\r\n"]


def test_blank_lines_belong_to_the_paragraph_before_them():
    assert paragraphs("甲\n\n\n乙") == ["甲\n\n\n", "乙"]


@pytest.mark.parametrize(
    "line",
    [
        "# 总则",
        "###### 六级",
        "- 甲",
        "• 甲",
        "第十二条 甲",
        "第3章",
        "（三）甲",
        "三、甲",
        "(3) 甲",
        "3）甲",
        "2.1 甲",
        "| 甲 |",
        "> 甲",
    ],
)
def test_lines_that_open_an_item_are_known(line):
    assert opens_item(line)


@pytest.mark.parametrize("line", ["3.14是圆周率", "三人行", "2023年", "第一次见面", "abc", ""])
def test_lines_that_only_look_like_an_item_are_not_taken_for_one(line):
    assert not opens_item(line)


def test_a_line_ends_a_sentence_with_a_mark_a_colon_or_a_closed_quote():
    assert all(map(ends_sentence, ["好。", "好。”  ", "如下：", "end.", "（完！）"]))
    assert not any(map(ends_sentence, ["好", "好，", "（完）", "”", ""]))


def test_search_terms_are_han_characters_with_their_pairs_and_whole_words():
    assert search_terms("用 GPT4 学 习法，v2_x") == ["用", "gpt4", "学", "习", "法", "学习", "习法", "v2", "x"]


def test_search_terms_of_full_width_and_compatibility_forms_equal_those_of_the_ordinary():
    assert search_terms("ＡＢ１２論文") == search_terms("ab12論文")


@given(texts)
def test_search_terms_do_not_change_when_the_text_is_normalized_first(text):
    assert search_terms(normalize(text)) == search_terms(text)


def test_normal_form_drops_white_space_between_han_only():
    assert normalize("中 文\n字 and More") == "中文字 and more"


def test_han_is_every_script_without_spaces_between_words():
    assert all(map(is_han, "中々〇のカㄅ\uf941\U00020000"))
    assert not any(map(is_han, "aé1，。 "))


def test_display_width_counts_wide_and_full_width_characters_twice():
    assert display_width("中a，１é") == 2 + 1 + 2 + 2 + 1
