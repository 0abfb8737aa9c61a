"""find_numbers: one value for all ways of writing a number, and nothing where none is said."""

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chinese_llm_rag.chinese_numbers import find_numbers


def values(text: str) -> list[tuple[str, str, str]]:
    """What is written, its kind and its value."""
    return [(text[m.span.start : m.span.end], m.kind, m.value) for m in find_numbers(text)]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (
            "1200000",
            ["一百二十万", "120万", "1,200,000", "１２０００００", "壹佰贰拾萬", "120 万", "1200千", "一百二十多万"],
        ),
        ("2008", ["二千零八", "两千零八", "兩千〇八", "二〇〇八", "2008", "2,008"]),
        ("350", ["三百五十", "三百五", "350", "350.0", "叁佰伍拾"]),
        ("12000", ["一万二", "一万二千", "1万2千", "1.2万"]),
        ("230000000", ["两亿三千万", "2亿3000万", "2.3亿", "二億三千萬"]),
        ("1200000000000", ["1.2万亿", "一万二千亿"]),
        ("3.14", ["三点一四", "3.14", "三點一四", "３．１４"]),
        ("0.5", ["零点五", "0.5"]),
        ("23", ["二十三", "廿三", "23"]),
        ("10001", ["一万零一", "10001", "10,001"]),
        ("110", ["一百一十", "壹佰壹拾", "110"]),
        ("98000", ["九万八", "9.8万"]),
    ],
)
def test_a_number_has_one_value_in_all_its_forms(value, written):
    for form in written:
        assert values(f"共{form}元") == [(form, "number", value)]


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        ("percent", "35%", ["百分之三十五", "35%", "３５％", "35 %", "百分之35"]),
        ("percent", "12.5%", ["百分之十二点五", "12.5%"]),
        ("percent", "0.3%", ["千分之三", "3‰", "0.3%"]),
        ("percent", "100%", ["百分之百", "百分之一百", "100%"]),
        ("fraction", "1/3", ["三分之一", "1/3", "3分之1"]),
        ("ordinal", "12", ["第十二", "第12", "第 12", "第１２"]),
        ("ordinal", "123", ["第一百二十三", "第123"]),
        (
            "date",
            "2023-05-01",
            [
                "二〇二三年五月一日",
                "2023-05-01",
                "2023/5/1",
                "2023.5.1",
                "2023年5月1日",
                "２０２３年 5 月 1 号",
                "民國112年5月1日",
            ],
        ),
        ("date", "2023-05", ["2023年5月", "2023-05", "2023/5", "二○二三年五月份", "民国一百一十二年五月"]),
        ("date", "2008", ["2008年", "两千零八年", "二〇〇八年", "2008 年", "民國97年", "民国九十七年"]),
        ("date", "--12-25", ["12月25日", "十二月二十五日", "12月25號"]),
        ("date", "--03", ["3月份", "三月", "3 月"]),
    ],
)
def test_percentages_fractions_ordinals_and_dates_have_one_value_in_all_their_forms(kind, value, written):
    for form in written:
        assert values(f"（{form}）") == [(form, kind, value)]


@pytest.mark.parametrize(
    "text",
    [
        "统一思想，一些人十分高兴，万一失败",
        "三国演义、四川、五星、百姓、千万别、九州",
        "三四个人，二三十岁，几十年，数百人，好几千",
        "GPT4、v1.2.3、10.0.0.1",
        "民国政府与民主",
        "第几条、百分之几",
        "一般，一个，一家",
        "",
    ],
)
def test_what_only_looks_like_a_number_is_none(text):
    assert values(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A第12条第二款", [("第12", "ordinal", "12"), ("第二", "ordinal", "2")]),
        ("1999-2008年", [("1999", "number", "1999"), ("2008年", "date", "2008")]),
        ("三个人走了十天", [("三", "number", "3"), ("十", "number", "10")]),
        ("编号007，电话01012345678", [("007", "number", "007"), ("01012345678", "number", "01012345678")]),
        ("三万一般", [("三万", "number", "30000")]),
        ("1,2,3", [("1", "number", "1"), ("2", "number", "2"), ("3", "number", "3")]),
        ("5千克", [("5千", "number", "5000")]),
        ("九八年", [("九八", "number", "98")]),
        ("人数三百，系数二点五", [("三百", "number", "300"), ("二点五", "number", "2.5")]),
        ("三点十五分", [("十五", "number", "15")]),
        ("2023年度", [("2023年", "date", "2023")]),
    ],
)
def test_numbers_are_told_from_what_stands_around_them(text, expected):
    assert values(text) == expected


@pytest.mark.parametrize("text", ["2023年13月", "2023-13-01", "2023-02-30", "13月5日", "2月30日"])
def test_a_date_that_does_not_exist_is_none(text):
    assert all(mention.value not in ("2023-13", "2023-02-30", "--13-05", "--02-30") for mention in find_numbers(text))
    assert not any(len(mention.value) == len("2023-02-30") for mention in find_numbers(text))


def test_a_number_too_long_for_one_is_a_code():
    code = "98765432109876543210987654321"
    assert values(code) == [(code, "number", code)]
    assert values("一万" * 3000) == []


def spoken(number: int) -> str:
    """The number in Han characters, for tests: written from the place values, not read by find_numbers."""
    digits = "零一二三四五六七八九"

    def below_ten_thousand(n: int) -> str:
        said, zero = "", False
        for size, unit in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
            digit, n = divmod(n, size)
            if digit:
                said += ("零" if zero else "") + digits[digit] + unit
            zero = not digit and bool(said)
        return said

    groups = [(number // 10**8, "亿"), (number // 10**4 % 10**4, "万"), (number % 10**4, "")]
    said = ""
    for n, unit in groups:
        if n:
            said += ("零" if said and n < 1000 else "") + below_ten_thousand(n) + unit
    return said


@given(st.integers(11, 10**12 - 1))
def test_a_spoken_number_has_the_value_of_its_digits(number):
    assert [m.value for m in find_numbers(spoken(number) + "元")] == [str(number)]
    assert [m.value for m in find_numbers(f"{number:,}元")] == [str(number)]


@given(st.dates(min_value=dt.date(1000, 1, 1), max_value=dt.date(2199, 12, 31)))
def test_a_date_has_its_iso_form_however_it_is_written(date):
    year = "".join("〇一二三四五六七八九"[int(digit)] for digit in str(date.year))
    han = f"{year}年{spoken(date.month) or ''}月{spoken(date.day)}日"
    for text in (
        han,
        date.isoformat(),
        f"{date.year}/{date.month}/{date.day}",
        f"{date.year}年{date.month}月{date.day}日",
    ):
        assert [m.value for m in find_numbers(text)] == [date.isoformat()]


numeric = st.text(
    st.sampled_from("0123456789０９.,，%％-/年月日号第百千万亿十一二三零〇两廿点分之多余民国元个 a"), max_size=60
)


@given(numeric | st.text(max_size=60))
def test_spans_are_in_order_apart_and_hold_what_they_say(text):
    end = 0
    for mention in find_numbers(text):
        assert end <= mention.span.start < mention.span.end <= len(text)
        end = mention.span.end
        if mention.kind == "number":
            assert Decimal(mention.value) >= 0
