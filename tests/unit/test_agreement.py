"""How well passages agree with a question: each feature, its bounds, and what it is blind to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chinese_llm_rag.retrievers.agreement import FEATURES, WINDOW_CHARS, Asked, agreement


def features(question: str, *passages: str) -> dict[str, list[float]]:
    """Each feature by name, a value a passage."""
    found = agreement(question, passages)
    return {name: [round(float(value), 4) for value in found[:, column]] for column, name in enumerate(FEATURES)}


def test_words_are_pairs_and_latin_words_each_once():
    assert Asked.of("深度学习GPT-4的GPT").words == ["深度", "度学", "学习", "gpt", "4", "的"]
    assert Asked.of("臺灣").words == Asked.of("台湾").words == ["台湾"]


def test_the_share_of_words_weighs_rare_ones_more():
    # Of two passages both hold 合同, one holds 违约: ln(1 + 3 / 2.5) = 0.7885 and ln(1 + 3 / 1.5) = 1.0986;
    # 同违 is in neither: ln(1 + 3 / 0.5) = 1.9459. All three are worth 3.8330.
    found = features("合同违约", "合同与违约金", "合同与租金")
    assert found["words"] == [pytest.approx(1.8871 / 3.8330, abs=2e-4), pytest.approx(0.7885 / 3.8330, abs=2e-4)]


def test_single_characters_count_where_pairs_do_not_meet():
    found = features("北京大学", "北大在京学子", "上海")
    assert found["words"] == [0.0, 0.0]
    assert found["characters"] == [1.0, 0.0]


def test_words_close_together_are_worth_more_than_words_far_apart():
    near = "长江的发源地。" + "水" * 300
    far = "长江。" + "水" * 300 + "发源地"
    found = features("长江发源地", near, far)
    assert found["words"][0] == found["words"][1]
    assert found["window"][0] > found["window"][1]
    assert found["window"][0] == found["words"][0]


def test_a_window_is_a_hundred_characters_from_the_first_word_to_the_last():
    gap = WINDOW_CHARS - 2
    inside, outside = (f"长江{'水' * n}发源" for n in (gap, gap + 1))
    found = features("长江 发源", inside, outside)
    assert found["window"] == [pytest.approx(2 * found["window"][1], abs=2e-4), found["window"][1]]


def test_numbers_agree_by_what_they_are_worth():
    found = features("2008年的百分之三十五", "二〇〇八年为35%", "2009年为35%", "没有数字")
    assert found["numbers"] == [1.0, 0.5, 0.0]


def test_a_question_without_numbers_or_names_asks_for_none():
    found = features("长江在哪里", "2008年 GPT", "长江")
    assert found["numbers"] == found["names"] == [1.0, 1.0]


def test_names_are_latin_words_quotes_and_titles():
    assert Asked.of("《红楼梦》与“林黛玉”用GPT写").names == {"红楼梦", "林黛玉", "gpt"}
    found = features("《紅樓夢》的作者", "红楼梦的作者是曹雪芹", "西游记的作者是吴承恩")
    assert found["names"] == [1.0, 0.0]


def test_a_latin_word_is_held_only_as_a_whole():
    found = features("AI", "the mail", "an AI model")
    assert found["words"] == [0.0, 1.0]


def test_both_scripts_and_all_widths_agree():
    assert features("臺灣ＧＤＰ", "台湾 gdp") == features("台湾GDP", "臺灣 ＧＤＰ")
    assert features("臺灣ＧＤＰ", "台湾 gdp")["words"] == [1.0]


@pytest.mark.parametrize("question", ["", " ", "？！", "😀", "\0", "\ud800", "(*+[?", "AND OR \\"])
def test_a_question_of_any_kind_has_features(question):
    found = agreement(question, ["合同", "", "(*+[?", "\ud800"])
    assert found.shape == (4, len(FEATURES))
    assert np.isfinite(found).all()


def test_a_question_of_ten_thousand_characters_is_bounded():
    question = "".join(chr(0x4E00 + i % 5000) for i in range(10_000))
    assert len(Asked.of(question).words) <= 200


def test_no_passages_have_no_rows():
    assert agreement("问题", []).shape == (0, len(FEATURES))


@given(st.text(max_size=40), st.lists(st.text(max_size=80), max_size=5))
def test_features_lie_between_0_and_1(question, passages):
    found = agreement(question, passages)
    assert found.shape == (len(passages), len(FEATURES))
    assert ((found >= 0) & (found <= 1 + 1e-9)).all()


@given(st.text(min_size=1, max_size=40))
def test_the_question_itself_agrees_in_all(question):
    found = features(question, question)
    asked = Asked.of(question)
    assert found["numbers"] == found["names"] == [1.0]
    assert found["words"] == [1.0 if asked.words else 0.0]
    assert found["characters"] == [1.0 if asked.characters else 0.0]
