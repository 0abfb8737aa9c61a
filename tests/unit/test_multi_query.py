"""A question that asks two things, and other wordings of one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.language_models import FakeListLLM
from langchain_core.retrievers import BaseRetriever

from chinese_llm_rag.retrievers.multi_query import MultiQueryRetriever, llm_rewrite
from chinese_llm_rag.retrievers.question_parts import split_question


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        # two things side by side
        ("红楼梦和西游记的作者是谁", ["红楼梦的作者是谁", "西游记的作者是谁"]),
        ("张三和李四的工资分别是多少？", ["张三的工资是多少？", "李四的工资是多少？"]),
        ("2022年和2023年的营业收入是多少？", ["2022年的营业收入是多少？", "2023年的营业收入是多少？"]),
        ("这部电影的导演和编剧是谁？", ["这部电影的导演是谁？", "这部电影的编剧是谁？"]),
        ("我国人口的出生率和死亡率是多少？", ["我国人口的出生率是多少？", "我国人口的死亡率是多少？"]),
        ("合同的违约责任和解除条件是什么？", ["合同的违约责任是什么？", "合同的解除条件是什么？"]),
        ("他在俄罗斯和美国的职务是什么", ["他在俄罗斯的职务是什么", "他在美国的职务是什么"]),
        # asked one after the other
        ("《活着》的作者是谁？它的导演又是谁？", ["《活着》的作者是谁？", "《活着》导演又是谁？"]),
        ("《活着》的主演有谁，导演是谁？", ["《活着》的主演有谁", "《活着》导演是谁？"]),
        ("年假有几天，没休完怎么办？", ["年假有几天", "年假有，没休完怎么办？"]),
        ("押金是多少以及什么时候退？", ["押金是多少", "押金是，什么时候退？"]),
    ],
)
def test_a_question_that_asks_two_things_is_two_questions(question, parts):
    assert split_question(question) == parts


@pytest.mark.parametrize(
    "question",
    [
        "",
        "？",
        "和",
        "年假有几天？",
        "中华人民共和国的首都是哪里？",
        "诺贝尔和平奖是谁设立的？",
        "双方和解的条件是什么？",
        "打9折和包邮哪个划算",
        "根据合同第三条，乙方逾期付款的，违约金怎么计算？",
        "GPT-4和GPT-4o",
    ],
)
def test_a_question_that_asks_one_thing_stays_whole(question):
    assert split_question(question) == []


@given(st.text(alphabet="和，？的是谁几年月1234AB《》甲乙丙丁以及分别\n ", max_size=40))
def test_any_text_is_split_into_some_few_parts_or_none(text):
    parts = split_question(text)
    assert len(parts) in (0, 2, 3, 4)
    assert len(set(parts)) == len(parts)


class Shelf(BaseRetriever):
    """Finds by query, with falling scores."""

    shelves: dict[str, str]
    asked: list[str] = []  # noqa: RUF012  (pydantic copies it)

    def _get_relevant_documents(self, query, *, run_manager, k):
        self.asked.append(query)
        return [
            Document(f"text {name}", metadata={"chunk_id": name, "score": 1.0 - rank / 10})
            for rank, name in enumerate(self.shelves.get(query, "")[:k])
        ]


def shelves(**by_query: str) -> Shelf:
    return Shelf(shelves=by_query)


def test_the_question_and_its_parts_take_turns_and_scores_never_rise():
    retriever = MultiQueryRetriever(retriever=shelves(问="abc", 甲="ad", 乙="be"), rewrite=lambda _: ["甲", "乙"], k=5)
    found = retriever.invoke("问")
    assert [(d.id, d.metadata["query"]) for d in found] == [
        ("a", "问"),
        ("b", "乙"),
        ("d", "甲"),
        ("e", "乙"),
        ("c", "问"),
    ]
    assert [d.metadata["score"] for d in found] == pytest.approx([1.0, 1.0, 0.9, 0.9, 0.8])
    assert [d.id for d in retriever.invoke("问", k=2)] == ["a", "b"]


def test_a_question_of_one_thing_is_searched_as_it_is():
    inner = shelves(年假有几天="abc")
    found = MultiQueryRetriever(retriever=inner, k=2).invoke("年假有几天")
    assert inner.asked == ["年假有几天"]
    assert [d.metadata for d in found] == [{"chunk_id": "a", "score": 1.0}, {"chunk_id": "b", "score": 0.9}]


def test_the_same_query_is_searched_once_and_an_empty_one_never():
    inner = shelves(问="a")
    MultiQueryRetriever(retriever=inner, rewrite=lambda _: ["问", " ", "甲", "甲"]).invoke("问")
    assert inner.asked == ["问", "甲"]


def test_a_models_wordings_are_taken_without_their_numbers_and_repetitions():
    said = "1. 年假有多少天？\n2、一年能休几天假？\n\n年假有几天？\n- 年假有多少天？\n" + "很" * 300
    rewrite = llm_rewrite(FakeListLLM(responses=[said]), n=5)
    assert rewrite("年假有几天？") == ["年假有多少天？", "一年能休几天假？"]


def test_no_more_wordings_are_taken_than_were_asked_for():
    rewrite = llm_rewrite(FakeListLLM(responses=["甲\n乙\n丙\n丁"]), n=2)
    assert rewrite("问") == ["甲", "乙"]


def test_a_question_with_braces_reaches_the_model_as_it_is():
    asked = []

    class Listening(FakeListLLM):
        def _call(self, prompt, *args, **kwargs):
            asked.append(prompt)
            return super()._call(prompt, *args, **kwargs)

    llm_rewrite(Listening(responses=["甲"]))("{question} 是什么？")
    assert "{question} 是什么？" in asked[0]
