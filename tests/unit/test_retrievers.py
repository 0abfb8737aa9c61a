"""The retrievers' own rules; LangChain's standard suite runs over them in conformance/."""

import numpy as np
import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import InMemoryVectorStore
from pydantic import ValidationError

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.retrievers.bm25 import BM25Retriever
from chinese_llm_rag.retrievers.dense import DenseRetriever, cosine_similarity
from chinese_llm_rag.retrievers.hybrid import HybridRetriever


class ListRetriever(BaseRetriever):
    """Gives the same documents to every query, and remembers how many were asked for."""

    documents: list[Document]
    asked: list[int] = []  # noqa: RUF012  (pydantic copies it)

    def _get_relevant_documents(self, query, *, run_manager, k):
        self.asked.append(k)
        return self.documents[:k]


def documents_of(*texts: str) -> list[Document]:
    return [Document(text, metadata={"chunk_id": f"c{n}", "source": "f"}) for n, text in enumerate(texts)]


def scores_of(**scores: float) -> ListRetriever:
    found = [Document(f"text {i}", metadata={"chunk_id": i, "score": score}) for i, score in scores.items()]
    return ListRetriever(documents=found)


def ids(documents: list[Document]) -> list[str | None]:
    return [document.id for document in documents]


def dense_over(documents: list[Document], **fields: object) -> DenseRetriever:
    store = InMemoryVectorStore(DeterministicFakeEmbedding(size=16))
    store.add_documents([document.model_copy(update={"id": document.metadata["chunk_id"]}) for document in documents])
    return DenseRetriever(vector_store=store, to_score=float, **fields)


# --- what all of them keep ------------------------------------------------------------------------

FRUIT = documents_of("苹果 红", "苹果 青 大", "苹果", "香蕉 苹果 葡萄 西瓜")


def make_bm25(**fields: object) -> BaseRetriever:
    return BM25Retriever.from_documents(FRUIT, **fields)


def make_dense(**fields: object) -> BaseRetriever:
    return dense_over(FRUIT, **fields)


def make_hybrid(**fields: object) -> BaseRetriever:
    return HybridRetriever(bm25=make_bm25(), dense=make_dense(), **fields)


every_retriever = pytest.mark.parametrize("make", [make_bm25, make_dense, make_hybrid])


@every_retriever
def test_documents_come_best_first_with_a_score_and_their_chunk_id_as_id(make):
    found = make(k=3).invoke("苹果")
    scores = [document.metadata["score"] for document in found]
    assert len(found) == 3
    assert scores == sorted(scores, reverse=True)
    assert all(type(score) is float for score in scores)
    assert all(document.id == document.metadata["chunk_id"] for document in found)
    assert all(document.metadata["source"] == "f" for document in found)


@every_retriever
def test_the_documents_given_in_are_left_as_they_were(make):
    before = [document.model_copy(deep=True) for document in FRUIT]
    found = make().invoke("苹果")
    found[0].metadata["source"] = "changed"
    assert before == FRUIT


@every_retriever
def test_k_of_a_call_goes_over_the_retrievers_own(make):
    retriever = make(k=2)
    assert [len(retriever.invoke("苹果", k=k)) for k in (1, 3, 99)] == [1, 3, 4]
    assert len(retriever.invoke("苹果")) == 2


@every_retriever
def test_k_below_one_is_refused(make):
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        make(k=0)
    with pytest.raises(ConfigError, match="k=0"):
        make().invoke("苹果", k=0)


@every_retriever
@pytest.mark.parametrize("query", ["", "  ", "\n"])
def test_an_empty_query_finds_nothing(make, query):
    assert make().invoke(query) == []


@every_retriever
async def test_async_gives_the_same(make):
    retriever = make()
    assert await retriever.ainvoke("苹果", k=2) == retriever.invoke("苹果", k=2)


# --- bm25 -----------------------------------------------------------------------------------------


def test_documents_without_ids_are_told_apart_and_keep_no_id():
    found = BM25Retriever.from_documents([Document("苹果"), Document("苹果"), Document("香蕉")]).invoke("苹果")
    assert [(document.page_content, document.id) for document in found] == [("苹果", None)] * 2


def test_bm25_passes_over_invisible_ids_and_still_gives_k():
    retriever = BM25Retriever.from_documents(documents_of(*["苹果"] * 40))
    everything = retriever.resolve
    visible = {"c5", "c38", "c39"}
    hiding = BM25Retriever(
        index=retriever.index, resolve=lambda wanted: {i: d for i, d in everything(wanted).items() if i in visible}
    )
    assert ids(hiding.invoke("苹果", k=2)) == ["c38", "c39"]
    assert ids(hiding.invoke("苹果", k=9)) == ["c38", "c39", "c5"]


# --- dense ----------------------------------------------------------------------------------------


def test_cosine_similarity_is_one_less_the_distance():
    assert [cosine_similarity(distance) for distance in (0.0, 0.25, 2.0)] == [1.0, 0.75, -1.0]


def test_dense_takes_documents_from_resolve_and_passes_over_invisible_ones():
    texts = documents_of(*[f"第 {n} 条" for n in range(40)])
    fresh = {"c7": Document("新文本", metadata={"chunk_id": "c7", "source": "moved"})}
    retriever = dense_over(texts, resolve=lambda wanted: {i: fresh[i] for i in wanted if i in fresh}, k=3)
    found = retriever.invoke("问题")
    assert [(d.id, d.page_content, d.metadata["source"]) for d in found] == [("c7", "新文本", "moved")]
    assert found[0].metadata["score"] == pytest.approx(
        next(d for d in dense_over(texts).invoke("问题", k=40) if d.id == "c7").metadata["score"]
    )


# --- hybrid ---------------------------------------------------------------------------------------


def test_hybrid_blends_by_its_weights():
    bm25, dense = scores_of(a=30.0, b=20.0, c=10.0), scores_of(c=0.9, b=0.8, d=0.7)
    found = HybridRetriever(bm25=bm25, dense=dense, weights=(3, 1), k=9).invoke("问")
    # b: 3/4 · 0.5 + 1/4 · 0.5
    assert [(d.id, d.metadata["score"]) for d in found] == [
        ("a", pytest.approx(0.75)),
        ("b", pytest.approx(0.5)),
        ("c", pytest.approx(0.25)),
        ("d", pytest.approx(0.0)),
    ]


class AnyScoreRetriever(ListRetriever):
    """Scores documents that it does not give, too."""

    others: dict[str, float]

    def scores_of(self, query, ids):
        return {identity: self.others[identity] for identity in ids if identity in self.others}


def test_a_candidate_of_one_retriever_is_scored_by_the_other_where_that_can():
    bm25, dense = scores_of(a=30.0, b=10.0), scores_of(c=0.9, b=0.5)
    able = AnyScoreRetriever(documents=dense.documents, others={"a": 0.7})
    found = HybridRetriever(bm25=bm25, dense=able, weights=(1, 1)).invoke("问")
    # meaning: c 1, a 0.5, b 0; words: a 1, b 0, and c, which they cannot score, as the last
    assert {d.id: d.metadata["score"] for d in found} == {
        "a": pytest.approx(0.75),
        "c": pytest.approx(0.5),
        "b": pytest.approx(0.0),
    }


def test_bm25_scores_documents_that_it_would_not_give():
    retriever = BM25Retriever.from_documents(FRUIT, k=1)
    everything = {document.id: document.metadata["score"] for document in retriever.invoke("苹果 青", k=9)}
    assert retriever.scores_of("苹果 青", ["c3", "c0"]) == {i: pytest.approx(everything[i]) for i in ("c0", "c3")}
    assert retriever.scores_of("无关", ["c1"]) == {"c1": 0.0}
    assert retriever.scores_of("苹果", []) == {}


def test_dense_scores_documents_whose_vectors_it_is_given():
    retriever = dense_over(FRUIT)
    model = retriever.vector_store.embeddings
    vectors = {d.metadata["chunk_id"]: np.array(model.embed_query(d.page_content)) for d in FRUIT}
    unit = {identity: vector / np.linalg.norm(vector) for identity, vector in vectors.items()}
    able = retriever.model_copy(update={"vectors_of": lambda ids: {i: unit[i] for i in ids if i in unit}})
    expected = {document.id: document.metadata["score"] for document in retriever.invoke("苹果", k=4)}
    assert able.scores_of("苹果", ["c0", "c2", "unknown"]) == {
        i: pytest.approx(expected[i], abs=1e-5) for i in ("c0", "c2")
    }
    assert retriever.scores_of("苹果", ["c0"]) == {}


def test_dense_asks_for_ids_alone_where_documents_are_resolved():
    by_id = {document.metadata["chunk_id"]: document for document in FRUIT}
    asked = []

    def nearest(vector, k, condition):
        asked.append((len(vector), k, condition))
        return [("c2", 0.1), ("gone", 0.2), ("c0", 0.4)][:k]

    retriever = dense_over(FRUIT).model_copy(
        update={
            "nearest": nearest,
            "resolve": lambda ids: {i: by_id[i] for i in ids if i in by_id},
            "to_score": lambda distance: 1.0 - distance,
            "condition": {"page_start": {"$lte": 3}},
        }
    )
    found = retriever.invoke("苹果", k=2)
    assert [(d.id, d.metadata["score"]) for d in found] == [("c2", pytest.approx(0.9)), ("c0", pytest.approx(0.6))]
    # one of the two nearest is not to be seen, so more are asked for
    dimension = len(retriever.vector_store.embeddings.embed_query("苹果"))
    assert asked == [(dimension, 2, {"page_start": {"$lte": 3}}), (dimension, 4, {"page_start": {"$lte": 3}})]


def test_hybrid_fuses_ranks_on_request():
    bm25, dense = scores_of(a=30.0, b=29.0), scores_of(b=0.9, c=0.1)
    found = HybridRetriever(bm25=bm25, dense=dense, method="rrf", weights=(1, 1), k=1).invoke("问")
    assert [(d.id, d.metadata["score"]) for d in found] == [("b", pytest.approx(1 / 62 + 1 / 61))]


def test_hybrid_asks_both_for_fetch_k_candidates_or_k_when_that_is_more():
    bm25, dense = scores_of(a=1.0), scores_of(b=1.0)
    hybrid = HybridRetriever(bm25=bm25, dense=dense, fetch_k=20)
    hybrid.invoke("问")
    hybrid.invoke("问", k=30)
    assert (bm25.asked, dense.asked) == ([20, 30], [20, 30])


def test_hybrid_gives_what_one_of_both_finds_when_the_other_finds_nothing():
    assert ids(HybridRetriever(bm25=scores_of(), dense=scores_of(a=0.5, b=0.4)).invoke("问")) == ["a", "b"]
    assert ids(HybridRetriever(bm25=scores_of(a=7.0, b=3.0), dense=scores_of()).invoke("问")) == ["a", "b"]


@pytest.mark.parametrize("wrong", [{"weights": (0, 1)}, {"weights": (1,)}, {"method": "sum"}, {"fetch_k": 0}])
def test_hybrid_refuses_settings_that_cannot_work(wrong):
    with pytest.raises(ValidationError):
        HybridRetriever(bm25=scores_of(), dense=scores_of(), **wrong)


def test_tracing_shows_both_retrievers_under_the_hybrid_one():
    class Runs(BaseCallbackHandler):
        def __init__(self) -> None:
            self.started = []

        def on_retriever_start(self, serialized, query, *, run_id, parent_run_id=None, **kwargs):
            self.started.append((kwargs["name"], parent_run_id))
            self.first = getattr(self, "first", run_id)

    runs = Runs()
    make_hybrid().invoke("苹果", {"callbacks": [runs]})
    assert runs.started == [
        ("HybridRetriever", None),
        ("BM25Retriever", runs.first),
        ("DenseRetriever", runs.first),
    ]
