"""What can be looked up word for word, in one form for all ways of writing it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chinese_llm_rag.chinese_facts import agree, alike, find_facts, is_among


def facts(text: str) -> list[tuple[str, str, str]]:
    return [(fact.kind, fact.value, fact.unit) for fact in find_facts(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("募集资金5亿元", [("amount", "500000000", "元")]),
        ("募集资金五亿圆", [("amount", "500000000", "元")]),
        ("售价￥99", [("amount", "99", "元")]),
        ("售价99美金", [("amount", "99", "美元")]),
        ("全长3200米", [("number", "3200", "米")]),
        ("面积12平方公里", [("number", "12", "平方公里")]),
        ("内存8 GB", [("number", "8", "gb")]),
        ("增长35%", [("percent", "35%", "")]),
        ("二〇二三年五月一日", [("date", "2023-05-01", "")]),
        ("第十二条", [("ordinal", "12", "")]),
        ("基于GPT-3的系统", [("name", "gpt3", "")]),
        ("见《合同法》", [("name", "合同法", "")]),
        ("没有数字", []),
    ],
)
def test_each_kind_of_fact_has_one_form(text, expected):
    assert facts(text) == expected


def test_the_span_is_that_of_the_number_without_its_unit():
    text = "共募集五亿元。"
    (fact,) = find_facts(text)
    assert text[fact.span.start : fact.span.end] == "五亿"


@pytest.mark.parametrize(
    ("said", "held"),
    [
        ("5亿元", "500,000,000元"),
        ("5亿元", "50000万人民币"),
        ("2017年5月", "2017年5月3日"),
        ("2017年", "2017-05-03"),
        ("0.25", "25%"),
        ("3个", "3所"),
        ("12", "12公里"),
        ("《合同法》", "《合同法》"),
        ("GPT-3", "gpt3"),
        ("第3", "第三条"),
        ("第3条", "3条"),
    ],
)
def test_what_bears_out_what(said, held):
    assert is_among(find_facts(said)[0], find_facts(held))


@pytest.mark.parametrize(
    ("said", "held"),
    [
        ("10元", "10页"),
        ("5亿元", "5亿美元"),
        ("2017年5月3日", "2017年5月"),
        ("2017年5月", "2018年5月"),
        ("25", "25%"),
        ("GPT-3", "3"),
    ],
)
def test_what_does_not_bear_out_what(said, held):
    assert not is_among(find_facts(said)[0], find_facts(held))


def test_facts_are_alike_where_one_can_stand_in_the_place_of_the_other():
    def first(text):
        return find_facts(text)[0]

    assert alike(first("5亿元"), first("6亿元"))
    assert alike(first("5亿元"), first("6亿美元"))
    assert not alike(first("5米"), first("6公里"))
    assert not alike(first("5亿元"), first("6%"))
    assert alike(first("2017年"), first("2018年5月"))
    assert not alike(first("2017年"), first("5月"))


@given(st.text(alphabet="0123456789.,%年月日元亿万第《》a-GPT三五 ，", max_size=30))
def test_facts_stand_in_the_text_in_order_and_each_agrees_with_itself(text):
    found = find_facts(text)
    assert all(0 <= fact.span.start < fact.span.end <= len(text) for fact in found)
    assert [fact.span.start for fact in found] == sorted(fact.span.start for fact in found)
    assert all(agree(fact, fact) for fact in found)
