"""Labels of Word's automatic lists."""

import pytest
from lxml import etree

from chinese_llm_rag.document_loaders.docx_numbering import Numbering, chinese_number, counted, roman

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def level(number: int, number_format: str, text: str, start: int = 1, more: str = "") -> str:
    return (
        f'<w:lvl w:ilvl="{number}"><w:start w:val="{start}"/><w:numFmt w:val="{number_format}"/>{more}'
        f'<w:lvlText w:val="{text}"/></w:lvl>'
    )


def numbering(*levels: str, nums: str = '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>') -> Numbering:
    xml = f'<w:numbering {W}><w:abstractNum w:abstractNumId="0">{"".join(levels)}</w:abstractNum>{nums}</w:numbering>'
    return Numbering(etree.fromstring(xml))


def test_articles_and_clauses_count_on_and_begin_anew():
    of = numbering(
        level(0, "chineseCountingThousand", "第%1条", more='<w:suff w:val="nothing"/>'), level(1, "decimal", "%1.%2")
    )
    assert [of.label("1", at) for at in (0, 1, 1, 0, 1)] == ["第一条", "一.1 ", "一.2 ", "第二条", "二.1 "]


def test_legal_levels_show_plain_digits():
    of = numbering(level(0, "chineseCounting", "%1、"), level(1, "decimal", "%1.%2", more="<w:isLgl/>"))
    assert [of.label("1", at) for at in (0, 1)] == ["一、 ", "1.1 "]


def test_bullets_and_unknown_lists_have_no_label():
    of = numbering(level(0, "bullet", "•"))
    assert of.label("1", 0) == of.label("9", 0) == of.label("1", 3) == ""
    assert Numbering(None).label("1", 0) == ""


def test_lists_of_one_definition_count_on_and_an_override_begins_anew():
    nums = "".join(
        f'<w:num w:numId="{n}"><w:abstractNumId w:val="0"/>{more}</w:num>'
        for n, more in (
            (1, ""),
            (2, ""),
            (3, '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/></w:lvlOverride>'),
        )
    )
    of = numbering(level(0, "decimal", "%1."), nums=nums)
    assert [of.label(num, 0) for num in "11233"] == ["1. ", "2. ", "3. ", "5. ", "6. "]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "一"),
        (10, "十"),
        (12, "十二"),
        (20, "二十"),
        (101, "一百零一"),
        (110, "一百一十"),
        (1005, "一千零五"),
        (9999, "九千九百九十九"),
    ],
)
def test_chinese_numerals(number, text):
    assert chinese_number(number) == text


@pytest.mark.parametrize(
    ("number_format", "text"),
    [
        ("upperRoman", "IV"),
        ("lowerLetter", "d"),
        ("ideographTraditional", "丁"),
        ("ideographZodiac", "卯"),
        ("decimalEnclosedCircleChinese", "④"),
        ("decimalFullWidth", "４"),
        ("chineseLegalSimplified", "肆"),
        ("decimalZero", "04"),
        ("ordinalOfMars", "4"),
    ],
)
def test_formats(number_format, text):
    assert counted(4, number_format) == text


def test_numbers_beyond_a_format_are_plain():
    assert counted(21, "decimalEnclosedCircle") == "21"
    assert counted(0, "chineseCounting") == "0"
    assert counted(28, "upperLetter") == "BB"
    assert roman(1994) == "MCMXCIV"
