"""number_traces: fits every text that find_numbers finds one of the numbers in, and few others."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chinese_llm_rag.retrievers.agreement import folded
from chinese_llm_rag.retrievers.number_traces import number_traces
from chinese_llm_rag.retrievers.terms import number_terms

SIGNS = "0123456789.,%/-一二两三四五六七八九十百千万亿点零〇年月日第分之多余民国元个 "
_HAN = "零一二三四五六七八九"


WRITTEN = (
    "1200000 1,200,000 120万 一百二十万 壹佰贰拾萬 0.5 零点五 35% 百分之三十五 千分之三 3‰ 百分之百 三分之一 1/3 "
    "第十二 第12 两千零八年 二〇〇八年 民國97年 民国九十七年 2008-08-01 八月一日 十二月二十五日 3月 廿三 卅 一万二 "
    "三千多万 1.2万亿 007 十 0"
)


@pytest.mark.parametrize("written", WRITTEN.split())
def test_each_way_of_writing_a_number_leaves_a_trace_of_it(written):
    text = folded(f"共{written}元")
    values = set(number_terms(text))
    for value in values:
        assert number_traces([value]).search(text), value


def test_a_text_without_the_number_mostly_leaves_none():
    traces = number_traces(number_terms(folded("2008年8月的1200000元")))
    assert not traces.search("没有数字的一段话，三个人在五月里走了七天")


@given(st.integers(0, 10**12), st.sampled_from(["{}元", "{}年", "第{}条", "百分之{}", "{}万", "{:,}"]))
def test_numbers_in_digits_leave_a_trace(number, form):
    text = form.format(number)
    for value in number_terms(text):
        assert number_traces([value]).search(text)


@given(st.dates(dt.date(1912, 1, 1), dt.date(2199, 12, 31)))
def test_dates_leave_a_trace_in_each_form(date):
    han = "".join(_HAN[int(digit)] for digit in str(date.year))
    forms = [
        date.isoformat(),
        f"{han}年{date.month}月{date.day}日",
        f"民国{date.year - 1911}年{date.month}月{date.day}日",
    ]
    values = set(number_terms(forms[0]))
    for text in forms:
        assert values == set(number_terms(text))
        for value in values:
            assert number_traces([value]).search(text), (value, text)


@given(
    st.text(
        alphabet=st.sampled_from("0123456789.,%/-一二两三四五六七八九十百千万亿点零〇年月日第分之多余民国元个 "),
        max_size=30,
    )
)
def test_whatever_is_found_leaves_a_trace(text):
    plain = folded(text)
    for value in number_terms(plain):
        assert number_traces([value]).search(plain), value
