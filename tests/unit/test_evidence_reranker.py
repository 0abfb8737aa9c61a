"""The reranker without a model: what it puts first, what it leaves as it was."""

import pytest
from langchain_core.documents import Document
from pydantic import ValidationError

from chinese_llm_rag.retrievers.agreement import FEATURES
from chinese_llm_rag.retrievers.evidence_reranker import EvidenceReranker

ONLY_NUMBERS = {"numbers": 1.0}


def passages(*texts: str, scores: tuple[float, ...] | None = None) -> list[Document]:
    given = scores or tuple(1 - n / len(texts) for n in range(len(texts)))
    return [
        Document(text, id=f"p{n}", metadata={"chunk_id": f"p{n}", "score": score})
        for n, (text, score) in enumerate(zip(texts, given, strict=True))
    ]


def order(documents: list[Document]) -> list[str | None]:
    return [document.id for document in documents]


def test_of_passages_that_were_found_alike_the_one_that_agrees_comes_first():
    found = passages("合同于2009年签订", "合同于二〇〇八年签订", scores=(0.9, 0.88))
    assert order(EvidenceReranker().compress_documents(found, "2008年签订的合同")) == ["p1", "p0"]


def test_a_score_is_the_weighted_mean_of_the_old_one_and_the_features():
    found = passages("2009年", "2008年", scores=(0.8, 0.6))
    ranked = EvidenceReranker(weights=ONLY_NUMBERS).compress_documents(found, "2008年")
    # numbers agree by 0 and by 1: (0.8 + 0) / 2 and (0.6 + 1) / 2
    assert [(d.id, d.metadata["score"]) for d in ranked] == [("p1", pytest.approx(0.8)), ("p0", pytest.approx(0.4))]


def test_without_agreement_to_tell_them_apart_the_order_stays():
    found = passages("甲", "乙", "丙", scores=(0.5, 0.5, 0.5))
    assert order(EvidenceReranker().compress_documents(found, "丁")) == ["p0", "p1", "p2"]


def test_passages_beyond_the_depth_stay_behind_in_their_order():
    found = passages("2009年", "2010年", "2008年", "2008年")
    ranked = EvidenceReranker(weights={"numbers": 100.0}, depth=3).compress_documents(found, "2008年")
    assert order(ranked) == ["p2", "p0", "p1", "p3"]
    scores = [document.metadata["score"] for document in ranked]
    assert scores == sorted(scores, reverse=True)


def test_k_keeps_the_best():
    assert order(EvidenceReranker(k=2).compress_documents(passages("甲", "乙", "丙"), "问")) == ["p0", "p1"]


def test_scores_of_any_retriever_are_stretched_on_request():
    found = passages("2008年", "2009年", "2009年", scores=(10.0, 30.0, 20.0))
    ranked = EvidenceReranker(weights=ONLY_NUMBERS, stretch=True).compress_documents(found, "2009年")
    assert [(d.id, d.metadata["score"]) for d in ranked] == [
        ("p1", pytest.approx(1.0)),
        ("p2", pytest.approx(0.75)),
        ("p0", pytest.approx(0.0)),
    ]


def test_headings_are_read_with_the_passage():
    found = passages("承租人应当按时缴纳租金。", "出租人应当按时交付房屋。", scores=(0.9, 0.89))
    found[1].metadata["headings"] = ["《租赁合同》", "第12条"]
    assert order(EvidenceReranker().compress_documents(found, "《租赁合同》第十二条"))[0] == "p1"


def test_documents_given_in_are_left_as_they_were():
    found = passages("甲", "乙")
    before = [document.model_copy(deep=True) for document in found]
    EvidenceReranker().compress_documents(found, "乙")
    assert found == before


def test_nothing_gives_nothing():
    assert EvidenceReranker().compress_documents([], "问") == []


def test_the_weights_are_of_the_features_that_there_are():
    assert set(EvidenceReranker().weights) == set(FEATURES)


@pytest.mark.parametrize("wrong", [{"k": 0}, {"depth": 0}])
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(ValidationError):
        EvidenceReranker(**wrong)
