"""Measures, intervals and tests against values worked out by hand or printed in books."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chinese_llm_rag.errors import ConfigError, MissingDependencyError
from chinese_llm_rag.evaluation.answer_scores import character_f1, exact_match, holds_answer
from chinese_llm_rag.evaluation.comparison import compare
from chinese_llm_rag.evaluation.measures import measure
from chinese_llm_rag.evaluation.questions import Evidence, Question
from chinese_llm_rag.evaluation.rankings import Ranking
from chinese_llm_rag.evaluation.statistics import estimate, holm, paired_test, percentile


def ranking(*doc_ids: str, evidence: tuple[int | None, ...] = ()) -> Ranking:
    return Ranking(doc_ids, evidence, (100,) * len(doc_ids), 0.001, "")


def documents_of(relevant: tuple[str, ...], *found: str) -> dict[str, float]:
    question = Question("q", "？", doc_ids=relevant)
    values = measure([question], {"q": ranking(*found)}, (1, 3, 5))["documents"]
    return {name: by_question["q"] for name, by_question in values.items()}


def test_one_right_document_in_third_place():
    values = documents_of(("r",), "a", "b", "r", "c")
    assert values["hit@1"] == 0
    assert values["recall@3"] == values["hit@3"] == 1
    assert values["mrr"] == pytest.approx(1 / 3)
    assert values["ndcg@5"] == pytest.approx(1 / math.log2(4))


def test_two_right_documents_one_of_them_found():
    values = documents_of(("r", "s"), "r", "a", "b", "c", "d", "s")
    assert values["hit@1"] == 1
    assert values["recall@5"] == 0.5
    assert values["mrr"] == 1
    assert values["ndcg@5"] == pytest.approx(1 / (1 + 1 / math.log2(3)))


def test_a_document_stands_where_its_first_passage_stands():
    assert documents_of(("r",), "a", "a", "a", "r")["mrr"] == 0.5


def test_nothing_found_counts_0_and_not_as_no_question():
    assert set(documents_of(("r",)).values()) == {0.0}


def test_each_piece_of_evidence_counts_by_itself():
    question = Question("q", "？", evidence=(Evidence(("甲",)), Evidence(("乙",)), Evidence(("丙",))))
    found = ranking("a", "a", "b", "c", evidence=(1, 4, None))
    values = {name: v["q"] for name, v in measure([question], {"q": found}, (1, 4))["evidence"].items()}
    assert values["hit@1"] == pytest.approx(1 / 3)
    assert values["recall@4"] == pytest.approx(2 / 3)
    assert values["mrr"] == pytest.approx((1 + 1 / 4) / 3)
    assert values["ndcg@4"] == pytest.approx((1 + 1 / math.log2(5)) / 3)


def test_what_a_question_says_nothing_of_is_not_measured():
    questions = [Question("a", "？", doc_ids=("r",)), Question("b", "？", answerable=False, doc_ids=("r",))]
    measured = measure(questions, {"a": ranking("r"), "b": ranking("r")}, (1,))
    assert list(measured) == ["documents"]
    assert measured["documents"]["hit@1"] == {"a": 1.0}


def test_cutoffs_from_1_on():
    with pytest.raises(ConfigError, match="ranks from 1"):
        measure([Question("a", "？", doc_ids=("r",))], {"a": ranking("r")}, (0, 5))


@given(st.lists(st.booleans(), min_size=1, max_size=12), st.integers(1, 12))
def test_recall_and_mrr_follow_from_the_rank_alone(noise, place):
    found = [f"n{i}" for i in range(len(noise))]
    found.insert(min(place, len(found)) - 1, "r")
    rank = found.index("r") + 1
    values = documents_of(("r",), *found)
    assert values["mrr"] == pytest.approx(1 / rank)
    assert values["recall@5"] == (rank <= 5)


def test_a_share_has_wilsons_interval():
    # 8 of 10: (0.8 + z²/20 ± z·sqrt(0.016 + z²/400)) / (1 + z²/10) with z = 1.95996
    found = estimate([1.0] * 8 + [0.0] * 2)
    z = 1.959964
    middle, half = 0.8 + z**2 / 20, z * math.sqrt(0.8 * 0.2 / 10 + z**2 / 400)
    assert found.mean == 0.8
    assert found.low == pytest.approx((middle - half) / (1 + z**2 / 10), abs=1e-6)
    assert found.high == pytest.approx((middle + half) / (1 + z**2 / 10), abs=1e-6)


def test_all_right_is_not_certain():
    assert estimate([1.0] * 10).low == pytest.approx(1 / (1 + 1.959964**2 / 10), abs=1e-6)
    assert estimate([0.5]).to_dict() == {"mean": 0.5, "low": 0.0, "high": 1.0, "n": 1}


def test_a_mean_has_the_bootstraps_interval_and_always_the_same():
    values = [0.0, 0.25, 0.5, 1.0] * 50
    found = estimate(values)
    half = 1.959964 * np.std(values) / math.sqrt(200)  # normal theory, which so many values come close to
    assert found.low == pytest.approx(0.4375 - half, abs=0.01)
    assert found.high == pytest.approx(0.4375 + half, abs=0.01)
    assert estimate(values) == found


def test_yes_and_no_are_compared_by_mcnemars_exact_test():
    a, b = [1.0] * 20 + [0.0] * 9 + [1.0], [1.0] * 20 + [1.0] * 9 + [0.0]
    found = paired_test(a, b)  # 9 gained, 1 lost
    assert found.p == pytest.approx(2 * (1 + 10) / 2**10)
    assert found.difference.mean == pytest.approx(8 / 30)
    assert found.difference.low < 8 / 30 < found.difference.high


def test_other_values_are_compared_by_all_signs_where_they_are_few():
    # Of the 8 signs of 0.1, 0.2, 0.3 only +++ and --- are as far from 0.
    assert paired_test([0.5, 0.5, 0.5], [0.6, 0.7, 0.8]).p == pytest.approx(2 / 8)


def test_equal_on_every_question_is_no_difference():
    found = paired_test([0.5, 1.0], [0.5, 1.0])
    assert (found.p, found.difference.mean) == (1.0, 0.0)


def test_holms_correction():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_lowers_a_p_value_and_keeps_their_order(p_values):
    corrected = holm(p_values)
    assert all(p <= c <= 1 for p, c in zip(p_values, corrected, strict=True))
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    assert [corrected[i] for i in order] == sorted(corrected)


def test_a_difference_is_called_real_only_when_chance_is_unlikely():
    many = {str(i): 0.0 for i in range(40)}
    found = compare(
        {"documents": {"mrr": many}}, {"documents": {"mrr": {**many, **dict.fromkeys("0123456789", 1.0)}}}, ["mrr"]
    )
    assert [(d.verdict, d.test.difference.mean) for d in found] == [("better", 0.25)]
    found = compare({"documents": {"mrr": many}}, {"documents": {"mrr": {**many, "0": 1.0}}}, ["mrr"])
    assert [d.verdict for d in found] == ["not shown"]


def test_only_questions_that_both_settings_have_are_compared():
    [found] = compare({"x": {"mrr": {"a": 0.0, "b": 1.0}}}, {"x": {"mrr": {"a": 1.0}}}, ["mrr"])
    assert found.test.difference.n == 1


def test_percentiles_lie_between_neighbours():
    assert percentile([1.0, 2.0, 3.0, 4.0], 50) == 2.5


def test_exact_match_is_blind_to_width_space_case_and_punctuation():
    assert exact_match("３６４．６ 公里。", ["364.6公里"]) == 1
    assert exact_match("约364.6公里", ["364.6公里"]) == 0
    assert exact_match("Ω-Force", ["ω force"]) == 1


def test_f1_counts_han_characters_and_whole_numbers():
    # 约 364.6 公 里 against 364.6 公 里: three tokens in common of four and three.
    assert character_f1("约364.6公里", ["364.6公里"]) == pytest.approx(2 * 3 / 7)
    assert character_f1("1364.6公里", ["364.6公里"]) == pytest.approx(2 * 2 / 6)
    assert character_f1("", ["公里"]) == 0
    assert character_f1("公里", ["海里", "公里"]) == 1


def test_every_part_of_an_answer_must_be_there():
    parts = [["长津湖之水门桥", "水门桥"], ["流浪地球2"]]
    assert holds_answer("分别是《水门桥》和《流浪地球2》", parts) == 1
    assert holds_answer("《流浪地球2》", parts) == 0
    assert holds_answer("共1970人", [["70"]]) == 0


def test_without_the_extra_the_error_names_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ir_measures", None)
    with pytest.raises(MissingDependencyError, match="ir_measures") as caught:
        measure([Question("a", "？", doc_ids=("r",))], {"a": ranking("r")}, (1,))
    assert "chinese-llm-rag[eval]" in caught.value.hint
