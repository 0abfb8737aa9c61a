"""Headings and tables of Markdown."""

from hypothesis import given
from hypothesis import strategies as st

from chinese_llm_rag.document_loaders.markdown import markdown_marks


def headings(text: str) -> list[tuple[int, str]]:
    return [(m.level, text[m.start : m.end]) for m in markdown_marks(text) if m.kind == "heading"]


def tables(text: str) -> list[tuple[str, str]]:
    found = [m for m in markdown_marks(text) if m.kind == "table"]
    return [(text[m.start : m.header_end], text[m.header_end : m.end].strip("\r\n")) for m in found]


def test_headings_by_number_signs():
    assert headings("# 一\n\n### 三 ###\r\n   ## 二  \n####### 七\n") == [(1, "一"), (3, "三"), (2, "二")]


def test_a_heading_without_a_blank_is_one_in_chinese_only():
    assert headings("#标题\n##　小节\n#include <a>\n#1\n#!/bin/sh") == [(1, "标题"), (2, "小节")]


def test_underlined_headings():
    assert headings("总则\n====\n正文\n\n细则\n---\n") == [(1, "总则"), (2, "细则")]
    assert headings("一段文字\n第二行\n---\n") == []  # of several lines: a rule in our reading, never a heading
    assert headings("- 项\n---\n> 引\n===\n\n---\n") == []


def test_nothing_in_code_is_a_heading_or_a_table():
    assert headings("```sh\n# 注释\n~~~\n# 也是\n```\n# 标题\n    # 缩进\n") == [(1, "标题")]
    assert tables("~~~\n| a | b |\n|---|---|\n~~~~\n") == []
    assert headings("```\n# 没有结束\n") == []


def test_settings_at_the_top_are_no_headings():
    assert headings("---\ntitle: 书\n---\n# 一\n") == [(1, "一")]
    assert headings("---\n\n# 一\n") == [(1, "一")]


def test_tables_with_their_header():
    text = "前\n\n| 名 | 值 |\n|:--|--:|\n| 茶 | 1 |\n| 酒 | 2 |\n\n后"
    assert tables(text) == [("| 名 | 值 |\n|:--|--:|", "| 茶 | 1 |\n| 酒 | 2 |")]
    assert tables("名|值\n-|-\n茶|1\r\n酒|2") == [("名|值\n-|-", "茶|1\r\n酒|2")]
    assert tables("| a | b |\n|---|\n") == []
    assert tables("a\n---\n") == []


@given(st.text(alphabet="#=-|`~ \n\r字a:", max_size=60))
def test_marks_are_in_order_and_within_the_text(text):
    end = 0
    for mark in markdown_marks(text):
        assert end <= mark.start < mark.end <= len(text)
        assert mark.header_end <= mark.end
        end = mark.end
