"""What a text is found by, and what a query looks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chinese_llm_rag.chinese_script import one_script, traditional_characters
from chinese_llm_rag.retrievers.lexicon import Lexicon
from chinese_llm_rag.retrievers.query_terms import FIELD_WEIGHTS, SYNONYM_WEIGHT, query_terms
from chinese_llm_rag.retrievers.synonyms import Synonyms
from chinese_llm_rag.retrievers.terms import index_terms


def forms(text: str) -> set[str]:
    return set(index_terms(text).forms)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("两千零八年", {"2008"}),
        ("二〇〇八年八月一日", {"2008-08-01", "2008-08", "2008", "--08-01", "--08"}),
        ("2008年8月", {"2008-08", "2008", "--08"}),
        ("8月1日", {"--08-01", "--08"}),
        ("八月", {"--08"}),
        ("百分之三十五", {"35%"}),
        ("120万元", {"1200000", "1200000元"}),
        ("第十二 条", {"12", "第12条"}),
        ("三分之一", {"1/3"}),
        ("１，２００", {"1200"}),
        ("没有数字", set()),
    ],
)
def test_a_number_has_its_value_its_unit_and_what_a_date_is_part_of(text, expected):
    assert forms(text) == expected


@pytest.mark.parametrize(
    ("texts", "name"),
    [
        (["GPT-4", "GPT4", "gpt 4", "ＧＰＴ－４"], "gpt4"),
        (["COVID-19", "covid19", "Covid 19"], "covid19"),
        (["10 kg", "10kg"], "10kg"),
        (["user_id"], "userid"),
        (["AT&T"], "att"),
        (["C++"], "c++"),
        (["192.168.0.1"], "192.168.0.1"),
    ],
)
def test_a_name_of_letters_and_signs_is_one_term_in_all_its_forms(texts, name):
    for text in texts:
        assert name in forms(f"关于{text}的说明")


def test_a_title_is_one_term_without_the_signs_in_it():
    assert forms("見《資治通鑑·卷一》。") >= {"《资治通鉴卷一》"}


@pytest.mark.parametrize(
    ("traditional", "simplified"),
    [
        ("臺灣", "台湾"),
        ("頭髮", "头发"),
        ("發展", "发展"),
        ("乾淨", "干净"),
        ("幹部", "干部"),
        ("干戈", "干戈"),
        ("皇后", "皇后"),
        ("後面", "后面"),
        ("裡面", "里面"),
        ("裏面", "里面"),
        ("為了", "为了"),
        ("爲了", "为了"),
        ("眾人", "众人"),
        ("線路", "线路"),
        ("妳們", "你们"),
        ("瞭解", "了解"),
        ("戶口", "户口"),
    ],
)
def test_both_scripts_have_one_form(traditional, simplified):
    assert one_script(traditional) == one_script(simplified)


def test_words_that_regions_call_otherwise_stay_apart():
    assert one_script("軟體") != one_script("软件")


@given(st.text(max_size=60))
def test_the_one_script_of_any_text_has_itself_as_its_one_script(text):
    once = one_script(text)
    assert one_script(once) == once


@given(st.text(alphabet=st.sampled_from("臺台湾灣a1\0\ud800\n髮发 😀"), max_size=20))
def test_text_of_any_kind_keeps_its_length(text):
    assert len(one_script(text)) == len(text)


def test_only_terms_with_a_traditional_character_are_kept_as_written():
    assert index_terms("台灣人").written == ("灣", "台灣", "灣人")
    assert index_terms("台湾人").written == ()
    assert {"臺", "灣"} <= traditional_characters()
    assert not traditional_characters() & set("台湾人的一是")


def test_words_of_a_cutter_are_terms_where_they_are_longer_than_a_pair():
    cut = Lexicon(["王小明", "清华大学", "北京"])
    assert index_terms("王小明在北京清華大學讀書", cut).forms == ("王小明", "清华大学")


# --- lexicon ----------------------------------------------------------------------------------------


def test_of_two_words_over_one_another_the_longer_is_found():
    assert Lexicon(["中国", "中国人民", "人民银行"])("中国人民银行在中国") == ["中国人民", "中国"]


def test_a_latin_word_is_found_only_as_a_whole():
    words = Lexicon(["ai", "gpt4"])
    assert words("AI是什么，mail不是，ＧＰＴ４用AI") == ["ai", "gpt4", "ai"]


def test_empty_words_are_no_words():
    assert Lexicon(["", " "])("文 本") == []


# --- queries ----------------------------------------------------------------------------------------


def test_a_term_of_a_query_counts_as_often_as_it_is_said_times_its_field():
    weights = query_terms("灣灣 2008年")
    assert weights["body", "湾"] == 2 * FIELD_WEIGHTS["body"]
    assert weights["written", "灣"] == 2 * FIELD_WEIGHTS["written"]
    assert weights["forms", "2008"] == FIELD_WEIGHTS["forms"]


def test_synonyms_are_looked_for_by_their_pairs_at_less_weight():
    synonyms = Synonyms([["电脑", "計算機", "PC"]])
    weights = query_terms("電腦坏了", synonyms)
    assert weights["body", "电脑"] == 1.0
    assert {term: weight for (_, term), weight in weights.items() if weight == SYNONYM_WEIGHT} == {
        "计算": SYNONYM_WEIGHT,
        "算机": SYNONYM_WEIGHT,
        "pc": SYNONYM_WEIGHT,
    }


def test_a_synonym_does_not_weaken_a_word_that_the_query_says():
    weights = query_terms("电脑和计算机", Synonyms([["电脑", "计算机"]]))
    assert weights["body", "计算"] == 1.0
    assert weights["body", "电脑"] == 1.0


def test_a_synonym_of_one_character_is_looked_for_as_it_is():
    assert query_terms("小麦", Synonyms([["小麦", "麦"]]))["body", "麦"] == 1.0
    assert query_terms("葡萄", Synonyms([["葡萄", "提"]]))["body", "提"] == SYNONYM_WEIGHT
