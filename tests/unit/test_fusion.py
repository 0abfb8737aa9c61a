"""Fusion: several rankings in, one out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chinese_llm_rag.retrievers import fusion
from chinese_llm_rag.retrievers.fitted import FUSION_WEIGHTS
from chinese_llm_rag.retrievers.fusion import (
    LEAST_WEIGHT,
    fitted_weights,
    min_max_blend,
    query_features,
    reciprocal_rank_fusion,
    stretched,
)

# Whole numbers, so that stretching and moving them cannot make ties by rounding.
rankings = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(-1000, 1000).map(float))


def test_reciprocal_ranks_are_summed_over_the_rankings_an_id_is_in():
    words = {"a": 9.0, "b": 5.0}  # ranks: a 1, b 2
    vectors = {"b": 0.9, "c": 0.8}  # ranks: b 1, c 2
    assert reciprocal_rank_fusion([words, vectors]) == [
        ("b", pytest.approx(1 / 62 + 1 / 61)),
        ("a", pytest.approx(1 / 61)),
        ("c", pytest.approx(1 / 62)),
    ]


def test_reciprocal_rank_weights_scale_the_votes_of_a_ranking():
    fused = dict(reciprocal_rank_fusion([{"a": 1.0}, {"b": 1.0}], [1.0, 3.0], constant=9))
    assert fused == {"a": pytest.approx(0.1), "b": pytest.approx(0.3)}


@given(rankings, rankings)
def test_reciprocal_rank_fusion_looks_at_the_order_only(words, vectors):
    stretched_words = {i: score * 7 - 3 for i, score in words.items()}
    assert reciprocal_rank_fusion([words, vectors]) == reciprocal_rank_fusion([stretched_words, vectors])


def test_blend_is_the_weighted_mean_of_scores_stretched_to_zero_and_one():
    words = {"a": 20.0, "b": 15.0, "c": 10.0}  # 1, 0.5, 0
    vectors = {"b": 0.90, "d": 0.86, "a": 0.80}  # 1, 0.6, 0
    assert min_max_blend([words, vectors], [3, 2]) == [
        ("b", pytest.approx(0.6 * 0.5 + 0.4 * 1)),
        ("a", pytest.approx(0.6 * 1)),
        ("d", pytest.approx(0.4 * 0.6)),
        ("c", 0.0),
    ]


@pytest.mark.parametrize("fuse", [min_max_blend, reciprocal_rank_fusion])
@given(first=rankings, second=rankings)
def test_fusion_keeps_every_id_once_and_the_best_first(fuse, first, second):
    fused = fuse([first, second])
    ids = [i for i, _ in fused]
    scores = [score for _, score in fused]
    assert sorted(ids) == sorted(first.keys() | second.keys())
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("fuse", [min_max_blend, reciprocal_rank_fusion])
@given(first=rankings, second=rankings)
def test_fusion_does_not_depend_on_the_order_ids_come_in(fuse, first, second):
    turned = [dict(reversed(ranking.items())) for ranking in (first, second)]
    assert fuse(turned) == fuse([first, second])


@pytest.mark.parametrize("fuse", [min_max_blend, reciprocal_rank_fusion])
def test_ids_with_equal_scores_come_in_the_order_of_their_names(fuse):
    assert [i for i, _ in fuse([{"b": 1.0, "a": 1.0}, {"a": 2.0, "b": 2.0}])] == ["a", "b"]


@given(rankings.filter(bool), st.sampled_from([0.1, 1.0, 50.0]))
def test_what_leads_both_rankings_leads_the_blend_with_score_one(ranking, weight):
    best, score = min_max_blend([ranking, ranking], [weight, 1.0])[0]
    assert ranking[best] == max(ranking.values())
    assert score == pytest.approx(1.0)


@given(rankings)
def test_stretching_keeps_the_order_and_uses_the_whole_range(ranking):
    result = stretched(ranking)
    assert sorted(result, key=lambda i: (result[i], i)) == sorted(ranking, key=lambda i: (ranking[i], i))
    if len(set(ranking.values())) > 1:
        assert (min(result.values()), max(result.values())) == (0.0, 1.0)
    else:
        assert set(result.values()) <= {1.0}


def test_a_ranking_that_found_nothing_leaves_the_other_as_it_is():
    assert min_max_blend([{}, {"a": 3.0, "b": 1.0}], [1.0, 1.0]) == [("a", 0.5), ("b", 0.0)]
    assert [i for i, _ in reciprocal_rank_fusion([{}, {"a": 3.0, "b": 1.0}])] == ["a", "b"]


@pytest.mark.parametrize("fuse", [min_max_blend, reciprocal_rank_fusion])
def test_as_many_weights_as_rankings_are_needed(fuse):
    with pytest.raises(ValueError, match="zip"):
        fuse([{"a": 1.0}, {"b": 1.0}], [1.0])


# --- weights by the query ---------------------------------------------------------------------------


def test_what_is_seen_of_a_query_and_its_rankings():
    words, meaning = {"a": 9.0, "b": 6.0, "c": 3.0}, {"a": 0.9}
    assert query_features("GPT是什么", words, meaning) == {
        "always": 1.0,
        "length": pytest.approx(6 / 60),
        "latin": pytest.approx(3 / 6),
        "peak_of_words": pytest.approx(0.5),
        "peak_of_meaning": 1.0,
    }


def test_the_rows_of_the_table_are_what_is_seen():
    assert set(query_features("", {}, {})) == set(FUSION_WEIGHTS)


def test_weights_are_the_sums_over_the_rows_as_shares(monkeypatch):
    table = dict.fromkeys(FUSION_WEIGHTS, (0.0, 0.0)) | {"always": (0.5, 0.5), "latin": (1.0, 0.0)}
    monkeypatch.setattr(fusion, "FUSION_WEIGHTS", table)
    # half of the characters are Latin: words count 0.5 + 0.5, meaning 0.5
    assert fitted_weights("ab汉字", {"a": 1.0}, {}) == (pytest.approx(2 / 3), pytest.approx(1 / 3))


@given(st.text(max_size=80), rankings, rankings)
def test_both_rankings_always_count(query, words, meaning):
    of_words, of_meaning = fitted_weights(query, words, meaning)
    assert of_words + of_meaning == pytest.approx(1)
    assert min(of_words, of_meaning) >= LEAST_WEIGHT - 1e-9
