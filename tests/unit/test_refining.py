"""What happens to candidates: reranking, collapsing, spreading out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from chinese_llm_rag.retrievers.diversity import DiversityReranker, marginal_relevance_order
from chinese_llm_rag.retrievers.near_duplicates import NearDuplicateFilter, groups_of_near_duplicates
from chinese_llm_rag.retrievers.refining import RefiningRetriever
from chinese_llm_rag.retrievers.rerank import CrossEncoderReranker

NEWS = "中国国家统计局10日发布数据，今年前三季度居民消费价格比去年同期上涨百分之二，涨幅与上半年相同。"
OTHER = "今年前三季度，全国粮食产量稳中有增，秋粮收购进展顺利。"


def documents_of(*texts: str) -> list[Document]:
    return [
        Document(text, metadata={"chunk_id": f"c{n}", "source": f"f{n}", "score": 1.0 - n / 10})
        for n, text in enumerate(texts)
    ]


def ids(documents) -> list[str]:
    return [document.metadata["chunk_id"] for document in documents]


class LengthScorer:
    """Longer passages are better; remembers its batches."""

    identity = "length"

    def __init__(self, seconds: float = 0.0) -> None:
        self.batches: list[list[str]] = []
        self.clock = 0.0
        self._seconds = seconds

    def score(self, query, passages):
        self.batches.append(list(passages))
        self.clock += self._seconds
        return [float(len(passage)) for passage in passages]


# --- near-duplicates ------------------------------------------------------------------------------


def test_a_passage_that_repeats_a_better_one_is_noted_with_it():
    copy = NEWS.replace("，", ", ").replace("10日", "１０日") + "（完）"
    found = NearDuplicateFilter().compress_documents(documents_of(NEWS, OTHER, copy), "物价")
    assert ids(found) == ["c0", "c1"]
    assert found[0].metadata["duplicates"] == [{"chunk_id": "c2", "source": "f2"}]
    assert "duplicates" not in found[1].metadata


def test_the_same_facts_in_other_words_stay():
    said_otherwise = "统计局的最新数据显示，前三季度的物价涨幅为百分之二，和上半年持平。"
    assert len(NearDuplicateFilter().compress_documents(documents_of(NEWS, said_otherwise), "物价")) == 2


def test_a_passage_within_a_longer_one_stays():
    assert len(NearDuplicateFilter().compress_documents(documents_of(NEWS, NEWS + OTHER * 3), "物价")) == 2


def test_the_documents_given_in_are_left_as_they_were_by_the_filter():
    given_in = documents_of(NEWS, NEWS)
    NearDuplicateFilter().compress_documents(given_in, "物价")
    assert all("duplicates" not in document.metadata for document in given_in)


@given(st.lists(st.text(alphabet="一二三四五六", max_size=12), max_size=12), st.sampled_from([0.3, 0.8, 1.0]))
def test_groups_hold_every_text_once_and_equal_texts_together(texts, threshold):
    groups = groups_of_near_duplicates(texts, threshold)
    assert sorted(index for group in groups for index in group) == list(range(len(texts)))
    assert [group[0] for group in groups] == sorted(group[0] for group in groups)
    of = {index: number for number, group in enumerate(groups) for index in group}
    for i, a in enumerate(texts):
        assert all(of[i] == of[j] for j, b in enumerate(texts) if a == b and a)


# --- diversity ------------------------------------------------------------------------------------


def test_mmr_by_hand():
    similarity = np.array([[1.0, 0.9, 0.1], [0.9, 1.0, 0.1], [0.1, 0.1, 1.0]])
    # second step: 1: 0.5 * 0.9 - 0.5 * 0.9 = 0; 2: 0.5 * 0 - 0.5 * 0.1 = -0.05
    assert marginal_relevance_order([1.0, 0.9, 0.0], similarity, 0.5, 3) == [0, 1, 2]
    # 1: 0.4 * 0.9 - 0.6 * 0.9 = -0.18; 2: -0.06
    assert marginal_relevance_order([1.0, 0.9, 0.0], similarity, 0.4, 3) == [0, 2, 1]


@given(
    st.lists(st.integers(-50, 50).map(float), min_size=1, max_size=8),
    st.integers(1, 9),
    st.integers(0, 2**32 - 1),
)
def test_mmr_of_relevance_alone_is_the_order_of_relevance(relevance, k, seed):
    n = len(relevance)
    similarity = np.random.default_rng(seed).random((n, n))
    order = marginal_relevance_order(relevance, similarity, 1.0, k)
    assert [relevance[index] for index in order] == sorted(relevance, reverse=True)[:k]


def test_diversity_puts_what_repeats_behind_what_is_new():
    found = documents_of(NEWS, NEWS[:-6] + "。", OTHER)
    assert ids(DiversityReranker(weight=0.5).compress_documents(found, "物价")) == ["c0", "c2", "c1"]
    assert ids(DiversityReranker(weight=0.5, k=2).compress_documents(found, "物价")) == ["c0", "c2"]
    assert DiversityReranker().compress_documents([], "物价") == []


def test_diversity_by_vectors_takes_likeness_in_meaning():
    vectors = {"c0": [1.0, 0.0], "c1": [0.8, 0.6], "c2": [0.999, 0.045]}
    found = documents_of("一", "二", "三")
    by_vectors = DiversityReranker(weight=0.3, vectors_of=lambda wanted: {i: vectors[i] for i in wanted})
    assert ids(by_vectors.compress_documents(found, "问")) == ["c0", "c1", "c2"]
    swapped = [found[0], found[2], found[1]]
    assert ids(by_vectors.compress_documents(swapped, "问")) == ["c0", "c1", "c2"]
    assert ids(DiversityReranker(vectors_of=lambda _: {}).compress_documents(found, "问")) == ["c0", "c1", "c2"]


# --- cross-encoder --------------------------------------------------------------------------------


def test_reranked_documents_carry_the_new_score_and_come_in_its_order():
    found = CrossEncoderReranker(scorer=LengthScorer()).compress_documents(documents_of("一", "一二三", "一二"), "问")
    assert [(d.id, d.metadata["score"], d.metadata["reranked"]) for d in found] == [
        ("c1", 3.0, True),
        ("c2", 2.0, True),
        ("c0", 1.0, True),
    ]


def test_batches_hold_texts_of_like_length_and_the_best_ranks_are_read_first():
    scorer = LengthScorer()
    texts = ["一" * n for n in (9, 1, 8, 2, 7, 3, 6, 4, 5)]  # four batches of two make a portion
    CrossEncoderReranker(scorer=scorer, batch_size=2).compress_documents(documents_of(*texts), "问")
    assert [[len(text) for text in batch] for batch in scorer.batches] == [[8, 9], [1, 2], [6, 7], [3, 4], [5]]


def test_after_the_time_budget_the_rest_keeps_its_order_behind(monkeypatch):
    scorer = LengthScorer(seconds=1.0)
    monkeypatch.setattr("chinese_llm_rag.retrievers.rerank.time.monotonic", lambda: scorer.clock)
    texts = ["一", "一二", "一二三", "一二三四", "一二三四五"]
    reranker = CrossEncoderReranker(scorer=scorer, batch_size=1, time_budget_s=2.5)
    found = reranker.compress_documents(documents_of(*texts), "问")
    assert len(scorer.batches) == 3
    assert ids(found) == ["c2", "c1", "c0", "c3", "c4"]
    assert [d.metadata["score"] for d in found] == [3.0, 2.0, 1.0, 1.0, 1.0]
    assert [d.metadata["reranked"] for d in found] == [True, True, True, False, False]


def test_reading_stops_when_batches_bring_nothing_among_the_best():
    scorer = LengthScorer()
    texts = ["一" * 9, "一" * 8, *["一" * n for n in (1, 2, 3, 4, 5, 6)], "一" * 10]
    reranker = CrossEncoderReranker(scorer=scorer, batch_size=1, k=2, patience=2)
    found = reranker.compress_documents(documents_of(*texts), "问")
    assert ids(found) == ["c0", "c1"]
    assert len(scorer.batches) == 4  # two that fill the best two, two that change nothing


def test_what_was_scored_is_not_scored_again():
    scorer = LengthScorer()
    reranker = CrossEncoderReranker(scorer=scorer, batch_size=9)
    reranker.compress_documents(documents_of("一", "一二"), "问")
    again = reranker.compress_documents(documents_of("一二三", "一二", "一"), "问")
    assert scorer.batches == [["一", "一二"], ["一二三"]]
    assert ids(again) == ["c0", "c1", "c2"]
    reranker.compress_documents(documents_of("一"), "另问")
    assert scorer.batches[2:] == [["一"]]


def test_no_more_scores_are_remembered_than_the_cache_holds():
    scorer = LengthScorer()
    reranker = CrossEncoderReranker(scorer=scorer, batch_size=1, cache_size=1)
    for _ in range(2):
        reranker.compress_documents(documents_of("一", "一二"), "问")
    assert len(scorer.batches) >= 3


def test_headings_are_read_with_a_passage():
    scorer = LengthScorer()
    chunk = Document("十年。", metadata={"chunk_id": "c", "headings": ["第三章 处罚", "第十二条"]})
    CrossEncoderReranker(scorer=scorer).compress_documents([chunk], "问")
    assert scorer.batches == [["第三章 处罚\n第十二条\n十年。"]]


# --- steps ----------------------------------------------------------------------------------------


class ListRetriever(BaseRetriever):
    documents: list[Document]

    def _get_relevant_documents(self, query, *, run_manager, k):
        return self.documents[:k]


def test_steps_run_in_order_over_more_candidates_than_are_given():
    texts = [NEWS, NEWS, OTHER, "短"]
    retriever = RefiningRetriever(
        retriever=ListRetriever(documents=documents_of(*texts)),
        steps=[NearDuplicateFilter(), CrossEncoderReranker(scorer=LengthScorer())],
        fetch_k=4,
        k=2,
    )
    assert ids(retriever.invoke("问")) == ["c0", "c2"]
    assert ids(retriever.invoke("问", k=1)) == ["c0"]
    assert ids(retriever.model_copy(update={"fetch_k": 1}).invoke("问", k=2)) == ["c0"]


@pytest.mark.parametrize("query", ["", " "])
def test_an_empty_question_asks_nobody(query):
    scorer = LengthScorer()
    retriever = RefiningRetriever(
        retriever=ListRetriever(documents=documents_of(NEWS)), steps=[CrossEncoderReranker(scorer=scorer)]
    )
    assert retriever.invoke(query) == []
    assert scorer.batches == []
