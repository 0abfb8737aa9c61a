"""RecentQueries: the vectors of the model, each query computed once while it is remembered."""

from chinese_llm_rag.embeddings.recent_queries import RecentQueries
from chinese_llm_rag.testing import HashEmbeddings


class Counting(HashEmbeddings):
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def embed_query(self, text: str) -> list[float]:
        self.asked.append(text)
        return super().embed_query(text)


def test_a_query_that_comes_again_is_not_computed_again():
    model = Counting()
    recent = RecentQueries(model)
    assert recent.embed_query("甲") == recent.embed_query("甲") == HashEmbeddings().embed_query("甲")
    assert model.asked == ["甲"]


def test_a_changed_vector_is_nobodys_but_the_callers():
    recent = RecentQueries(HashEmbeddings())
    recent.embed_query("甲")[0] = 7.0
    assert recent.embed_query("甲") == HashEmbeddings().embed_query("甲")


def test_the_oldest_of_many_queries_is_forgotten():
    model = Counting()
    recent = RecentQueries(model)
    for text in ["甲", *map(str, range(63)), "甲", "新", "甲"]:
        recent.embed_query(text)
    assert model.asked.count("甲") == 1
    recent.embed_query("0")
    assert model.asked.count("0") == 2


def test_passages_are_the_models():
    assert RecentQueries(HashEmbeddings()).embed_documents(["甲", "乙"]) == HashEmbeddings().embed_documents(
        ["甲", "乙"]
    )
