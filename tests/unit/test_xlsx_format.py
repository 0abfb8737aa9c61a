"""Numbers as a spreadsheet shows them. What is expected was worked out by the rules of the format codes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chinese_llm_rag.document_loaders.xlsx_format import BUILT_IN, shown_number


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        (3.0, "General", "3"),
        (0.1 + 0.2, "", "0.3"),
        (1234567.891, "#,##0.00", "1,234,567.89"),
        (-1234.5, "#,##0;-#,##0", "-1,234"),
        (-5, "0.0;(0.0)", "(5.0)"),
        (0, '0.0;-0.0;"零"', "零"),
        (0.1234, "0.00%", "12.34%"),
        (0.15, "0%", "15%"),
        (12.5, '"¥"#,##0.00', "¥12.50"),
        (12.5, "[$¥-804]#,##0.00", "¥12.50"),
        (7, "000", "007"),
        (12345678, '0.0,,"百万"', "12.3百万"),
        (1.5, "0.##", "1.5"),
        (2, "0.##", "2"),
        (5, '0"元"', "5元"),
        (5, "_(* #,##0_);_(* \\(#,##0\\)", "5"),
        (0.25, "# ?/?", "0.25"),
        (12300, "0.00E+00", "12300"),
        (5, "[Red]0", "5"),
        (5, "@", "5"),
    ],
)
def test_numbers(value, code, shown):
    assert shown_number(value, code) == shown


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        (45356, BUILT_IN[14], "2024/3/5"),  # 2024-03-05
        (45356, 'yyyy"年"m"月"d"日"', "2024年3月5日"),
        (45356, 'yyyy"年"m"月"d"日";@', "2024年3月5日"),
        (45356.604166666664, "yyyy-mm-dd hh:mm", "2024-03-05 14:30"),
        (45356.604166666664, BUILT_IN[22], "2024/3/5 14:30"),
        (0.604166666666667, "h:mm AM/PM", "2:30 PM"),
        (0.604166666666667, '上午/下午h"时"mm"分"', "下午2时30分"),
        (1.5, "[h]:mm", "36:00"),
        (45356, "[$-804]aaaa", "星期二"),
        (45356, "d-mmm-yy", "5-Mar-24"),
        (1, "yyyy/m/d", "1900/1/1"),
        (61, "yyyy/m/d", "1900/3/1"),
        (0.5, "mm:ss", "00:00"),
        (45356, BUILT_IN[57], "2024年3月"),
        (45356, "[DBNum1]yyyy/m/d", "2024/3/5"),
        (-1, "yyyy/m/d", "-1"),
    ],
)
def test_dates_and_times(value, code, shown):
    assert shown_number(value, code) == shown


def test_days_since_1904():
    assert shown_number(43894, "yyyy/m/d", since_1904=True) == "2024/3/5"


@given(
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12),
    st.text('0#?,.%;"\\yYmdhs/年[]AP_*Eg@', max_size=12),
)
def test_any_code_gives_a_text_and_never_fails(value, code):
    assert isinstance(shown_number(value, code), str)
