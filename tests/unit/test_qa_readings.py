"""The results of several queries as one ranking."""

from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document

from chinese_llm_rag.chains.qa_readings import merged


def documents(texts: str) -> list[Document]:
    return [Document(text) for text in texts]


ids = st.text("0123456789", max_size=6).filter(lambda text: len(set(text)) == len(text))


@given(ids, ids)
def test_both_searches_are_kept_in_their_order_without_repeats_and_no_longer_than_one(first, second):
    found = [document.page_content for document in merged([documents(first), documents(second)])]
    assert len(found) == len(set(found)) == min(len({*first, *second}), max(len(first), len(second)))
    assert [n for n in found if n in first and n not in second] == [n for n in first if n in found and n not in second]
    assert found[:1] == list((first or second)[:1])


def test_two_documents_of_the_query_stand_before_one_of_the_question_as_asked():
    found = merged([documents("甲乙丙丁"), documents("子丑寅卯")])
    assert "".join(document.page_content for document in found) == "甲乙子丙"


def test_the_results_of_one_query_stay_as_they_are():
    assert merged([documents("甲乙丙")]) == documents("甲乙丙")
    assert merged([]) == merged([[], []]) == []
