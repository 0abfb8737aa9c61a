"""WordIndex in memory: what is found, in which order, with which score."""

import math
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rank_bm25 import BM25Okapi

from chinese_llm_rag.chinese_text import search_terms
from chinese_llm_rag.retrievers.word_index import MAX_QUERY_TERMS, WordIndex

words = st.sampled_from(["apple", "pear", "fig", "plum", "lime"])
texts = st.lists(words, min_size=1, max_size=40).map(" ".join)


def index_of(*items: str, source: str = "文件.txt") -> WordIndex:
    """An index over texts, ids d0, d1, …"""
    index = WordIndex()
    index.add((f"d{number}", text, source) for number, text in enumerate(items))
    index.commit()
    return index


def found(index: WordIndex, query: str, k: int = 10) -> list[str]:
    return [identity for identity, _ in index.search(query, k)]


# --- scores -------------------------------------------------------------------------------------


def test_scores_of_a_case_worked_by_hand():
    # N = 3 texts of 2, 4 and 1 terms, mean length 7/3. "apple" is in n = 2 of them:
    #   idf = ln(1 + (3 - 2 + 0.5) / (2 + 0.5)) = ln 1.6 = 0.470004
    #   d0: tf 1, length 2: 1.2 · (0.25 + 0.75 · 2 / (7/3)) = 1.071429 → 0.470004 · 2.2 · 1 / 2.071429 = 0.499177
    #   d1: tf 2, length 4: 1.2 · (0.25 + 0.75 · 4 / (7/3)) = 1.842857 → 0.470004 · 2.2 · 2 / 3.842857 = 0.538144
    index = index_of("apple banana", "apple apple cherry banana", "cherry")
    assert index.search("apple", 5) == [
        ("d1", pytest.approx(0.538144, abs=1e-4)),
        ("d0", pytest.approx(0.499177, abs=1e-4)),
    ]


def reference_scores(items: list[str], query: str) -> dict[str, float]:
    """BM25 by the package rank_bm25, with the idf that is never negative: ln(1 + (N - n + 0.5) / (n + 0.5))."""
    terms = [search_terms(item) for item in items]
    reference = BM25Okapi(terms, k1=1.2, b=0.75)
    n_with = Counter(term for own in terms for term in set(own))
    reference.idf = {term: math.log(1 + (len(items) - n + 0.5) / (n + 0.5)) for term, n in n_with.items()}
    scores = reference.get_scores(search_terms(query))
    return {f"d{number}": float(score) for number, score in enumerate(scores) if score > 0}


@settings(deadline=None)  # an index starts a thread, which a busy machine delays
@given(st.lists(texts, min_size=2, max_size=8), texts)
def test_scores_equal_another_implementation(items, query):
    expected = reference_scores(items, query)
    result = index_of(*items).search(query, len(items))
    assert dict(result) == {identity: pytest.approx(score, abs=2e-4) for identity, score in expected.items()}


def test_scores_of_chinese_text_equal_another_implementation():
    items = ["北京是中国的首都。", "上海是中国最大的城市。", "首都机场在北京市东北。"]
    query = "中国的首都在哪里？"
    result = index_of(*items).search(query, 3)
    expected = reference_scores(items, query)
    assert dict(result) == {identity: pytest.approx(score, abs=2e-4) for identity, score in expected.items()}


def test_lengths_over_forty_terms_are_stepped_and_stay_within_a_tenth_of_the_formula():
    items = [f"apple {'pear ' * n}" for n in (41, 97, 333, 1000)]
    expected = reference_scores(items, "apple")
    assert dict(index_of(*items).search("apple", 9)) == {
        identity: pytest.approx(score, rel=0.1) for identity, score in expected.items()
    }


def test_a_term_counts_as_often_as_the_query_says_it():
    index = index_of("apple fig", "pear fig")
    once, twice = index.search("apple", 1)[0][1], index.search("apple apple", 1)[0][1]
    assert twice == pytest.approx(2 * once, abs=2e-4)


# --- what is found --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("税", "d0"),  # one character
        ("增值税", "d0"),
        ("GPT-4", "d1"),  # Latin words whole, case and width folded
        ("ｇｐｔ", "d1"),
        ("2024", "d2"),
        ("２０２４年", "d2"),
        ("繁體", "d3"),
    ],
)
def test_a_word_of_a_text_finds_it(query, expected):
    index = index_of("增值税的税率是百分之十三。", "模型 GPT-4 很大。", "在 2024 年开会。", "這是繁體字。")
    assert found(index, query)[0] == expected


def test_part_of_a_latin_word_finds_nothing():
    assert found(index_of("internationalization"), "nation") == []


@pytest.mark.parametrize("query", ["", " ", "？！。", "+-*/", "\0", "\ud800", "😀", "\n\t"])
def test_a_query_without_letters_or_digits_finds_nothing(query):
    assert index_of("苹果。", "😀？").search(query, 5) == []


@pytest.mark.parametrize(
    "query", ['"苹果', "苹果 AND 香蕉", "body:苹果", "(苹果", "苹果*", "-苹果", "苹果^2~1", "/苹果/"]
)
def test_no_character_of_a_query_is_an_operator(query):
    index = index_of("苹果。", "葡萄。")
    assert found(index, query) == ["d0"]


@pytest.mark.parametrize("query", ["source:[a TO z]", "id:d0", "*", "*:*", "source:文件", "NOT 葡萄干"])
def test_no_word_of_a_query_names_a_field_or_a_command(query):
    index = index_of("苹果。", "香蕉。")
    assert found(index, query) == []


@pytest.fixture(scope="module")
def one_text() -> WordIndex:
    return index_of("苹果 apple 2024")


@given(st.text(max_size=200))
def test_any_query_is_answered(one_text, query):
    for identity, score in one_text.search(query, 3):
        assert identity == "d0"
        assert score > 0


@settings(deadline=None)
@given(st.text(max_size=60))
def test_a_text_with_terms_is_found_by_itself(text):
    assert found(index_of(text), text) == (["d0"] if search_terms(text) else [])


def test_a_query_of_ten_thousand_characters_finds_the_text_it_quotes():
    page = "".join(chr(0x4E00 + (i * 7919) % 4000) for i in range(10_000))
    index = index_of(page[5_000:5_100], "苹果。", *[f"{a}{b}" for a, b in pairwise(page[:300])])
    assert len(set(search_terms(page))) > MAX_QUERY_TERMS
    assert found(index, page, 1) == ["d0"]


def test_a_term_of_a_hundred_thousand_letters_does_no_harm():
    index = index_of("x" * 100_000 + " 苹果")
    assert found(index, "苹果") == ["d0"]
    assert found(index, "x" * 100_000) == []


def test_no_more_than_k_are_given_and_k_below_one_gives_none():
    index = index_of(*["苹果"] * 9)
    assert [len(index.search("苹果", k)) for k in (-1, 0, 1, 4, 9, 50)] == [0, 0, 1, 4, 9, 9]


def test_an_empty_index_finds_nothing():
    assert WordIndex().search("苹果", 3) == []
    assert WordIndex().ids() == set()


# --- order ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_commits", [1, 3, 12])
def test_equal_scores_come_in_the_order_of_their_ids_however_they_came_in(n_commits):
    ids = [f"c{(number * 37) % 100:03d}" for number in range(60)]
    index = WordIndex()
    for start in range(n_commits):
        index.add((identity, "苹果 香蕉 fig 2024", "f") for identity in ids[start::n_commits])
        index.commit()
    assert found(index, "苹果 2024 fig", 7) == sorted(ids)[:7]
    assert found(index, "苹果 2024 fig", 60) == sorted(ids)


# --- change ---------------------------------------------------------------------------------------


def test_a_text_with_the_same_id_replaces_the_old_one():
    index = index_of("苹果", "香蕉")
    index.add([("d0", "葡萄", "f"), ("d0", "西瓜", "f")])
    index.commit()
    assert (found(index, "苹果"), found(index, "葡萄"), found(index, "西瓜"), len(index)) == ([], [], ["d0"], 2)


def test_changes_are_seen_after_commit_and_not_before():
    index = index_of("苹果")
    index.delete(["d0", "unknown"])
    index.add([("n", "香蕉", "f")])
    assert (found(index, "苹果"), found(index, "香蕉")) == (["d0"], [])
    index.commit()
    assert (found(index, "苹果"), found(index, "香蕉")) == ([], ["n"])


def test_rollback_forgets_what_was_not_committed():
    index = index_of("苹果")
    index.delete(["d0"])
    index.add([("n", "香蕉", "f")])
    index.rollback()
    index.add([("m", "葡萄", "f")])
    index.commit()
    assert index.ids() == {"d0", "m"}


def test_ids_and_length_count_what_is_there():
    index = index_of("苹果", "香蕉", "葡萄")
    index.delete(["d1"])
    index.commit()
    assert (index.ids(), len(index)) == ({"d0", "d2"}, 2)


# --- files ----------------------------------------------------------------------------------------


def test_sources_limit_a_search_to_files_and_leave_the_scores_alone():
    index = WordIndex()
    index.add([("a", "苹果 香蕉", "甲 (1).pdf"), ("b", "苹果", "乙.pdf"), ("c", "苹果 葡萄 西瓜", "/丙 OR 丁.pdf")])
    index.commit()
    scores = dict(index.search("苹果", 5))
    assert index.search("苹果", 5, sources=["甲 (1).pdf"]) == [("a", scores["a"])]
    assert dict(index.search("苹果", 5, sources={"甲 (1).pdf", "/丙 OR 丁.pdf"})) == {i: scores[i] for i in "ac"}
    assert index.search("苹果", 5, sources=["甲"]) == []
    assert index.search("苹果", 5, sources=[]) == []


def test_a_file_name_that_is_no_utf8_can_be_searched_in():
    name = b"\xff.pdf".decode("utf-8", "surrogateescape")
    index = index_of("苹果", source=name)
    assert [i for i, _ in index.search("苹果", 1, sources=[name])] == ["d0"]
