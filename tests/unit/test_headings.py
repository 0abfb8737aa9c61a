"""Headings in plain text: what counts as one, what only looks like one, and what stands under which."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chinese_llm_rag.schema import Span
from chinese_llm_rag.text_splitters.heading_marks import heading_marks, parse_number
from chinese_llm_rag.text_splitters.headings import find_headings
from chinese_llm_rag.text_splitters.outline import build_outline

BODY = "这里是正文，它说明了前面的标题。"


def titles(text: str) -> list[str]:
    return [heading.title for heading in find_headings(text) if heading.title]


def paths(text: str) -> list[tuple[str, ...]]:
    outline = build_outline(text, find_headings(text), ())
    return [part.path for part in outline.parts if part.kind == "section"]


@pytest.mark.parametrize(
    ("numeral", "value"),
    [
        ("一", 1),
        ("十", 10),
        ("十二", 12),
        ("二十一", 21),
        ("一百零三", 103),
        ("一百二十", 120),
        ("一二〇", 120),
        ("千", 1000),
        ("廿三", 23),
        ("卅", 30),
        ("贰拾壹", 21),
        ("參", 3),
        ("两", 2),
        ("12", 12),
        ("１２", 12),
        ("C", 3),
        ("④", 4),
    ],
)
def test_a_numeral_has_its_value(numeral, value):
    assert parse_number(numeral) == value


@pytest.mark.parametrize(
    "line",
    [
        "第一编 总则",
        "第一分编　通则",
        "第三章 合同的效力",
        "第3章 系统设计",
        "第 3 章 系统设计",
        "第三节　抵押权",
        "第一部分：背景",
        "第一回 甄士隐梦幻识通灵 贾雨村风尘怀闺秀",
        "第一百二十回 甄士隐详说太虚情 贾雨村归结红楼梦",
        "第12章 他终于来了！",
        "第一卷 序曲",
        "第一編　總則",
        "第三節　債之標的",
        "壹、緒論",
        "一、总体要求",
        "（一）指导思想",
        "(一) 工作目标",
        "1.1 项目背景",
        "2.1. 安装方法",
        "1.1.1 人员管理",
        "1.1 年度计划",
        "附录A 数据说明",
        "附錄一 問卷",
        "参考文献",
        "前言",
        "# 标题",
        "###### 六级",
        "**一、背景**",
        "   ## 缩进的标题",
    ],
)
def test_a_line_that_is_a_heading_is_found_with_its_text(line):
    expected = line.strip("*# ").replace("\u3000", " ")
    assert titles(f"{line}\n{BODY}\n{BODY}") == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "第一条消息是妈妈发来的，问他吃饭了没有。\n第二条消息是老板发来的。\n第三条消息是广告。",
        "第一条消息是空的\n\n后来没有了。",
        "第二回合开始后，双方都很谨慎。",
        "第三节课我们学了数学。",
        "第一章写得最好，第二章稍差。",
        "第三章第2页有说明",
        "第三章、第四章都讲过这一点",
        "第五条规定的期限届满后，可以申请。",
        "1. 5 倍于去年同期",
        "1.5 倍",
        "3.2 亿元的收入来自海外",
        "1.1 亿元",
        "2023.1.5 召开会议",
        "23.1.5 召开会议",
        "192.168.1.1 是地址",
        "50.5% 的受访者同意",
        "第 3 页 共 10 页",
        "12",
        "三人行，必有我师",
        "一、二、三，走！",
        "1 cd /d X:\\Y\n2 certutil -hashfile texlive.iso md5",
        "#标签 不是标题",
        "共有\n3. 个苹果",
        "合同依照\n第三条 的规定终止。",
        "见本法和\n第二章 的规定",
        "第一章 总则 ............ 3\n第二章 分则 ............ 9",
        "1.1 安装 . . . . . . . . 5\n1.2 卸载 . . . . . . . . 7",
    ],
)
def test_what_only_looks_like_a_heading_is_none(text):
    assert titles(text) == []


@pytest.mark.parametrize("text", ["```\n# 注释\nls\n```\n", "~~~sh\n# 注释\n1.1 版本\n~~~\n"])
def test_code_in_fences_has_no_headings(text):
    assert titles(text + BODY) == []


def test_commands_after_a_prompt_are_no_headings_unless_the_text_has_others_with_hashes():
    commands = "# apt-get update\n# apt-get install mc\n# shutdown -h now\n# adduser fish\n"
    assert titles(commands) == []
    assert titles("## 安装\n" + commands)[0] == "安装"


def test_hashes_are_text_where_the_format_is_not_markdown():
    assert find_headings("# 42 号\n" + BODY, markdown=False) == []


def test_a_list_of_short_lines_is_a_list():
    text = "需要准备：\n1. 身份证\n2. 户口本\n3. 照片两张\n然后到窗口办理。"
    assert titles(text) == []
    assert [heading.is_item for heading in find_headings(text)] == [True] * 3


def test_numbered_lines_with_text_below_them_are_headings():
    assert titles(f"1. 背景\n{BODY}\n2. 目标\n{BODY}") == ["1. 背景", "2. 目标"]


def test_a_table_of_contents_is_no_heading_and_what_it_lists_is():
    contents = "目录\n第一章 总则\n第二章 分则\n第一节 甲\n第二节 乙\n第三章 附则\n"
    body = f"第一章 总则\n{BODY}\n第二章 分则\n第一节 甲\n{BODY}\n第二节 乙\n{BODY}\n第三章 附则\n{BODY}"
    assert (
        titles(contents + body)
        == titles(body)
        == ["第一章 总则", "第二章 分则", "第一节 甲", "第二节 乙", "第三章 附则"]
    )


def test_the_last_entry_of_a_table_of_contents_does_not_name_the_text_after_it():
    contents = "第一章 总则\n第二章 分则\n第三章 罚则\n第四章 附则\n本书根据讲义整理而成。\n"
    assert titles(contents) == []


def test_the_last_entry_of_nested_contents_does_not_name_the_text_after_them():
    text = "6.1 编写\n6.1.1 语法\n6.1.2 仓库\n6.2 升级\n6.2.1 自动\n6.3 搜索\n本章介绍这个工具。\n"
    assert titles(text) == []


def test_a_title_may_stand_on_the_line_below_its_number():
    assert titles(f"第一章\n总则\n{BODY}") == ["第一章 总则"]
    assert titles(f"第一章\n{BODY}") == ["第一章"]


def test_articles_give_their_number_and_the_title_in_brackets():
    text = f"第一条 【立法目的】{BODY}\n第二条　{BODY}\n第三条之一 {BODY}\n第 4 條\n{BODY}"
    assert titles(text) == ["第一条 【立法目的】", "第二条", "第三条之一", "第 4 條"]


def test_an_article_may_begin_with_a_word_that_joins():
    assert titles("第二十条 与外交代表共同生活的配偶，享有特权。\n第二十一条 到任前的人员，适用本条例。") == [
        "第二十条",
        "第二十一条",
    ]


def test_articles_whose_space_was_lost_are_found_by_their_run():
    assert titles("第一条为了规范活动，制定本法。\n第二条在境内适用本法。\n第三条国家保护权利。") == [
        "第一条",
        "第二条",
        "第三条",
    ]


def test_the_first_sentence_of_an_item_is_its_title_where_text_follows_it():
    text = "（一）加强领导。各单位要高度重视。\n（二）压实责任。明确分工。"
    assert titles(text) == ["（一）加强领导。", "（二）压实责任。"]


def test_whole_numbers_are_headings_where_their_sections_follow():
    text = f"1 Windows 系统\n1.1 安装\n{BODY}\n1 cd /d X:\n{BODY}\n2 macOS\n2.1 安装\n{BODY}"
    assert titles(text) == ["1 Windows 系统", "1.1 安装", "2 macOS", "2.1 安装"]


def test_questions_are_headings_of_their_answers():
    assert titles("问：如何安装？\n答：双击安装包。\nQ2：如何卸载？\nA2：在面板中卸载。") == [
        "问：如何安装？",
        "Q2：如何卸载？",
    ]


def test_editions_chapters_sections_and_articles_stand_under_one_another():
    text = f"第一编 总则\n第一章 规定\n第一节 甲\n第一条 {BODY}\n第二条 {BODY}\n第二章 人\n第三条 {BODY}\n"
    text += f"第二编 物权\n第四条 {BODY}"
    assert paths(text) == [
        ("第一编 总则",),
        ("第一编 总则", "第一章 规定"),
        ("第一编 总则", "第一章 规定", "第一节 甲"),
        ("第一编 总则", "第一章 规定", "第一节 甲", "第一条"),
        ("第一编 总则", "第一章 规定", "第一节 甲", "第二条"),
        ("第一编 总则", "第二章 人"),
        ("第一编 总则", "第二章 人", "第三条"),
        ("第二编 物权",),
        ("第二编 物权", "第四条"),
    ]


def test_han_bracketed_and_arabic_numbers_stand_under_one_another():
    text = f"一、要求\n（一）目标\n1. 近期\n{BODY}\n2. 远期\n{BODY}\n（二）原则\n{BODY}\n二、任务\n{BODY}"
    assert paths(text) == [
        ("一、要求",),
        ("一、要求", "（一）目标"),
        ("一、要求", "（一）目标", "1. 近期"),
        ("一、要求", "（一）目标", "2. 远期"),
        ("一、要求", "（二）原则"),
        ("二、任务",),
    ]


def test_numbers_with_dots_stand_under_one_another_and_under_chapters():
    text = f"第1章 绪论\n1.1 背景\n1.1.1 国内\n{BODY}\n1.1.2 国外\n{BODY}\n"
    text += f"1.2 方法\n一、步骤\n{BODY}\n二、结果\n{BODY}\n1.3 小结\n{BODY}"
    assert paths(text)[2:] == [
        ("第1章 绪论", "1.1 背景", "1.1.1 国内"),
        ("第1章 绪论", "1.1 背景", "1.1.2 国外"),
        ("第1章 绪论", "1.2 方法"),
        ("第1章 绪论", "1.2 方法", "一、步骤"),
        ("第1章 绪论", "1.2 方法", "二、结果"),
        ("第1章 绪论", "1.3 小结"),
    ]


def test_articles_stand_under_han_numbers_in_a_contract_and_above_them_in_a_treaty():
    assert paths(f"一、租赁\n第一条 {BODY}\n第二条 {BODY}\n二、租金\n第三条 {BODY}")[2] == ("一、租赁", "第二条")
    text = f"第一条 缔约双方：\n一、{BODY}\n二、{BODY}\n第二条 {BODY}"
    outline = build_outline(text, find_headings(text), ())
    assert [part.path for part in outline.parts[1:]] == [
        ("第一条",),
        ("第一条", "一、"),
        ("第一条", "二、"),
        ("第二条",),
    ]


def test_an_item_of_a_list_ends_what_the_number_before_it_began():
    text = f"一、验收\n1、交货。按期。\n2、验收由甲方组织：\n（1）初验\n{BODY}\n（2）复验\n{BODY}\n3、费用自负。\n"
    outline = build_outline(text, find_headings(text), ())
    paths = {text[part.start : part.start + 3]: part.path for part in outline.parts[1:]}
    assert paths["（1）"] == ("一、验收", "2、验收由甲方组织：", "（1）初验")
    assert paths["3、费"] == ("一、验收",)


def test_items_of_an_article_hold_their_own_paragraph_and_its_next_paragraph_is_the_articles():
    text = "第二条 下列人员：\n（一）甲；\n（二）乙。\n前款期限从宽。"
    outline = build_outline(text, find_headings(text), ())
    items = [part for part in outline.parts if part.kind == "item"]
    assert [(text[part.start : part.end].strip(), part.path) for part in items] == [
        ("（一）甲；", ("第二条", "（一）")),
        ("（二）乙。", ("第二条", "（二）")),
    ]


def test_markdown_levels_hold_and_marks_in_the_text_stand_below_them():
    text = f"# 法\n## 第一章 总则\n第一条 {BODY}\n## 第二章 分则\n第二条 {BODY}\n### 细目\n{BODY}"
    assert paths(text) == [
        ("法",),
        ("法", "第一章 总则"),
        ("法", "第一章 总则", "第一条"),
        ("法", "第二章 分则"),
        ("法", "第二章 分则", "第二条"),
        ("法", "第二章 分则", "细目"),
    ]


def test_known_headings_have_their_levels_and_their_lines_are_not_read_again():
    text = f"一、甲\n{BODY}\n乙\n{BODY}"
    start = text.index("乙")
    headings = find_headings(text, [(Span(0, 3), 1), (Span(start, start + 1), 2)])
    assert [part.path for part in build_outline(text, headings, ()).parts[1:]] == [("一、甲",), ("一、甲", "乙")]


lines = st.sampled_from(
    [
        "第一条 甲",
        "第二条",
        "一、甲",
        "（二）乙。",
        "1. 甲",
        "1.1 乙",
        "# 甲",
        "问：甲",
        "正文。",
        "",
        "①",
        "附录A",
        "第一章",
    ]
)
texts = st.one_of(st.text(), st.lists(lines).map("\n".join))


@given(texts)
def test_headings_of_any_text_come_in_order_and_begin_their_line(text):
    headings = find_headings(text)
    assert all(a.start < a.end <= b.start for a, b in pairwise(headings))
    assert all(
        not text[text.rfind("\n", 0, h.start) + 1 : h.start].strip("*_# \t\u3000\xa0\u2002\u2003") for h in headings
    )
    assert all(mark.start < mark.end <= mark.line_end <= len(text) for mark in heading_marks(text))


@given(texts)
def test_parts_of_any_text_lie_within_one_another(text):
    parts = build_outline(text, find_headings(text), ()).parts
    for part in parts[1:]:
        parent = parts[part.parent]
        assert parent.start <= part.start <= part.body <= part.end <= parent.end
        assert part.path[: len(parent.path)] == parent.path
