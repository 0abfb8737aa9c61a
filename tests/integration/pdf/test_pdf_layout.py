"""Reading order, paragraphs, furniture, margins and tables of PDFs whose every character a test has placed."""

from pathlib import Path

import pytest
from pdf_files import build, column, grid, lines, rule, text

from chinese_llm_rag.document_loaders.page_texts import PageTexts
from chinese_llm_rag.document_loaders.pdf import read_pdf

LEFT = [
    "图书馆向社会公众免费开放，不得收取费用或者变相收",
    "取费用。读者应当爱护文献信息，按照规定期限归还。借",
    "阅逾期的，图书馆可以按照公示的规则提醒读者及时归还",
    "文献，直到读者办理完毕手续为止。",
]
RIGHT = [
    "公共图书馆应当妥善保护读者的个人信息和借阅信息，不",
    "得出售或者以其他方式非法向他人提供。馆藏文献信息目",
    "录应当向社会公开，并且及时更新，方便公众查询。每年",
    "第一季度，图书馆公布上一年度的服务报告。",
]


def read(data: bytes) -> PageTexts:
    return read_pdf(data, Path("文.pdf"), recognizer=None)


def first(data: bytes) -> str:
    return read(data).texts[0]


def body(number: int) -> list[tuple]:
    """Text of a page, unlike that of any other."""
    words = "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉"
    return lines(60, 700, [f"{words[number]}事之始末见于{words[-number - 1]}卷，其文甚详。"] * 2)


def test_two_columns_are_read_one_after_the_other():
    page = lines(50, 700, LEFT) + lines(320, 700, RIGHT)
    assert first(build(page)) == "".join(LEFT) + "\n" + "".join(RIGHT)


def test_two_columns_that_are_drawn_line_by_line_are_read_one_after_the_other():
    page = [item for pair in zip(lines(50, 700, LEFT), lines(320, 700, RIGHT), strict=True) for item in pair]
    assert first(build(page)) == "".join(LEFT) + "\n" + "".join(RIGHT)


def test_a_title_over_two_woven_columns_comes_first():
    page = [text(200, 780, "公共图书馆读者服务管理暂行办法", 14)]
    page += [item for pair in zip(lines(50, 700, LEFT), lines(320, 700, RIGHT), strict=True) for item in pair]
    assert first(build(page)).split("\n")[0] == "公共图书馆读者服务管理暂行办法"
    assert first(build(page)).endswith("".join(LEFT) + "\n" + "".join(RIGHT))


def test_lines_that_are_drawn_from_the_bottom_up_are_read_from_the_top():
    assert first(build(lines(50, 700, LEFT)[::-1])) == "".join(LEFT)


@pytest.mark.parametrize("rotate", [90, 180, 270])
def test_a_turned_page_reads_as_the_same_text(rotate):
    turn = {90: (0, 1, -1, 0, 700, 0), 180: (-1, 0, 0, -1, 595, 842), 270: (0, -1, 1, 0, 0, 842)}[rotate]
    matrix = f"q {' '.join(map(str, turn))} cm".encode()
    page = [matrix, *lines(50, 500, LEFT), b"Q"]
    assert first(build(page, rotate=rotate)) == "".join(LEFT)


def test_a_small_raised_figure_stays_in_its_line():
    page = [text(50, 700, "面积为一百平方米"), text(130, 705, "2", 6), text(134, 700, "的房屋应当登记。")]
    assert first(build(page)) == "面积为一百平方米2的房屋应当登记。"


def test_vertical_text_is_read_down_its_columns_from_right_to_left():
    page = column(500, 700, "天地玄黄宇宙洪荒日月盈昃") + column(480, 700, "辰宿列张寒来暑往秋收冬藏")
    assert first(build(page)) == "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏"


def test_vertical_columns_that_are_drawn_from_the_left_are_read_from_the_right():
    texts = ["天地玄黄宇宙洪荒日月", "盈昃辰宿列张寒来暑往", "秋收冬藏闰余成岁律吕", "调阳云腾致雨露结为霜"]
    page = [item for number in reversed(range(4)) for item in column(500 - 40 * number, 700, texts[number])]
    assert first(build(page)).replace("\n", "") == "".join(texts)


def test_a_sentence_that_goes_on_with_a_number_is_one_paragraph():
    rows = ["全年共接待读者三百二十万人次，比上一年度增长百分之", "22 左右，其中未成年人约占四成，流通文献六百万册次。"]
    assert first(build(lines(50, 700, rows))) == "".join(rows)


def test_rows_that_blanks_part_into_cells_are_never_joined():
    page = []
    for number, (name, value) in enumerate([("货币资金", "427"), ("应收账款", "806"), ("长期股权", "115")]):
        page += [text(50, 700 - 15 * number, name), text(250, 700 - 15 * number, value)]
    assert first(build(page)).split("\n") == ["货币资金 427", "应收账款 806", "长期股权 115"]


def test_a_note_in_the_margin_does_not_cut_a_sentence():
    note = [text(320, 685, "读者须知", 8)]
    body_lines = lines(50, 700, LEFT)
    page = body_lines[:2] + note + body_lines[2:] + lines(50, 600, RIGHT)
    assert first(build(page)) == "".join(LEFT) + "\n读者须知\n" + "".join(RIGHT)


def test_running_headers_and_page_numbers_are_furniture_not_text():
    pages = [[text(60, 800, "图书馆管理手册"), *body(n), text(290, 30, f"{n + 1}")] for n in range(6)]
    loaded = read(build(*pages))
    for number, (page, details) in enumerate(zip(loaded.texts, loaded.pages, strict=True), 1):
        assert details.furniture == ("图书馆管理手册", str(number))
        assert "手册" not in page
        assert page.count("其文甚详") == 2


def test_headers_that_differ_on_left_and_right_pages_are_furniture():
    headers = [f"{n + 1} 图书馆管理手册" if n % 2 else f"第三章：读者服务 {n + 1}" for n in range(8)]
    loaded = read(build(*([text(60, 800, headers[n]), *body(n)] for n in range(8))))
    assert [page.furniture for page in loaded.pages] == [(header,) for header in headers]


def test_a_disclaimer_at_the_foot_of_every_page_is_furniture():
    foot = "请务必阅读正文之后的免责声明"
    pages = [[*body(n), text(60, 40, f"{n + 2} / 9"), text(300, 40, foot)] for n in range(4)]
    loaded = read(build(*pages))
    assert [page.furniture for page in loaded.pages] == [(f"{n + 2} / 9 {foot}",) for n in range(4)]


def test_the_header_of_a_table_that_goes_on_over_pages_is_text():
    def page(number: int) -> list:
        rows = [("姓名", "得分"), *((f"学生{'甲乙丙丁戊'[number]}{c}", f"{number}{i}") for i, c in enumerate("子丑寅"))]
        return [
            item for i, (a, b) in enumerate(rows) for item in (text(60, 700 - 15 * i, a), text(300, 700 - 15 * i, b))
        ]

    assert all("得分" in page for page in read(build(*(page(n) for n in range(5)))).texts)


def test_pages_of_one_line_each_keep_their_line():
    assert read(build(*([text(60, 700, f"第{n}页的内容")] for n in range(1, 6)))).texts[2] == "第3页的内容"


def test_a_ruled_table_is_markdown_with_its_header_marked():
    cells = [["书名", "作者", "册数"], ["红楼梦", "曹雪芹", "12"], ["西游记", "吴承恩", "7"]]
    page = [text(60, 720, "馆藏如下："), *grid([50, 150, 250, 350], [600, 630, 660, 690])]
    page += [text(60 + 100 * c, 670 - 30 * r, cell) for r, row in enumerate(cells) for c, cell in enumerate(row)]
    loaded = read(build([*page, text(60, 560, "以上为全部。")]))
    table = "| 书名 | 作者 | 册数 |\n| --- | --- | --- |\n| 红楼梦 | 曹雪芹 | 12 |\n| 西游记 | 吴承恩 | 7 |"
    assert loaded.texts[0] == f"馆藏如下：\n{table}\n以上为全部。"
    (mark,) = loaded.pages[0].marks
    assert loaded.texts[0][mark.start : mark.end] == table
    assert loaded.texts[0][mark.start : mark.header_end] == "| 书名 | 作者 | 册数 |\n| --- | --- | --- |"


def test_cells_without_a_rule_between_them_are_one_and_their_lines_are_joined():
    page = [*grid([50, 150, 350], [600, 630, 690]), rule(150, 660, 350, 660)]
    page += [text(60, 675, "功能标"), text(60, 655, "志"), text(160, 670, "含义"), text(160, 640, "说明")]
    page += [text(60, 610, "甲类"), text(160, 610, "一键疏浚")]
    assert first(build(page)) == "| 功能标志 | 含义 |\n| --- | --- |\n|  | 说明 |\n| 甲类 | 一键疏浚 |"


def test_a_line_drawn_over_two_cells_is_cut_at_the_rule():
    page = grid([50, 100, 150], [600, 630, 660])
    page += [text(55, 640, "甲乙丙丁戊己庚辛"), text(55, 610, "子丑"), text(105, 610, "寅卯")]
    assert first(build(page)) == "| 甲乙丙丁 | 戊己庚辛 |\n| --- | --- |\n| 子丑 | 寅卯 |"


def test_a_table_of_three_rules_is_markdown():
    page = [rule(50, 700, 400, 700), rule(50, 680, 400, 680), rule(50, 620, 400, 620)]
    for number, (a, b) in enumerate([("年度", "册数"), ("2021", "300"), ("2022", "400"), ("2023", "500")]):
        page += [text(60, 687 - 18 * number, a), text(250, 687 - 18 * number, b)]
    assert first(build(page)) == "| 年度 | 册数 |\n| --- | --- |\n| 2021 | 300 |\n| 2022 | 400 |\n| 2023 | 500 |"


def test_a_frame_around_text_is_no_table():
    page = [*grid([40, 560], [600, 720]), *lines(50, 700, LEFT)]
    assert first(build(page)) == "".join(LEFT)
    assert not read(build(page)).pages[0].marks


def test_text_between_the_rules_of_header_and_footer_is_no_table():
    page = [rule(50, 790, 545, 790), rule(50, 60, 545, 60), *lines(50, 700, LEFT), *lines(320, 700, RIGHT)]
    assert first(build(page)) == "".join(LEFT) + "\n" + "".join(RIGHT)


def test_bold_that_is_drawn_twice_is_read_once():
    page = [text(50, 700, "总则"), text(50.3, 700, "总则"), text(50, 680, "第一条")]
    assert first(build(page)) == "总则\n第一条"
