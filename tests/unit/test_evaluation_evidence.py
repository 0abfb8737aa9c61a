"""Whether a passage holds the evidence, and what a question set means for given documents."""

import pytest
from langchain_core.documents import Document

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.evaluation import Evidence, Question, QuestionSet, SourceText, locate
from chinese_llm_rag.evaluation.holding import comparable, holds, stands_in
from chinese_llm_rag.schema import Span

TEA = "龙井茶产于杭州西湖一带，属于绿茶。冲泡水温以80度为宜。"
RIVER = "长江发源于唐古拉山脉，全长约6300公里。"


def passage(text: str, start: int = 0, **metadata: object) -> Document:
    return Document(text, metadata={"start": start, "end": start + len(text), **metadata})


@pytest.mark.parametrize(
    ("evidence", "text", "expected"),
    [
        ("数完九个“九”共81天", "数完九个“九” 共 81 天。", True),
        ("全长６３００公里", "全长6300公里", True),
        ("70", "1970年", False),
        ("70", "共70人", True),
        ("3.5", "13.5万元", False),
        ("5", "3.5万元", False),
        ("5", "5.5万元", False),
        ("1.5", "1.5 万元", True),
        ("cat", "concatenate", False),
        ("GPT 4", "用 gpt 4 写成", True),
        ("GPT4", "用 gpt 4 写成", False),
        ("绿茶。", "属于绿茶，", True),
        ("。。", "。。。", False),
        ("", "任何文字", False),
    ],
)
def test_a_text_stands_in_another_up_to_space_width_and_case(evidence, text, expected):
    assert stands_in(evidence, comparable(text)) is expected


def test_a_span_must_be_in_the_passage_as_a_whole_and_in_its_document():
    evidence = Evidence(doc_ids=("d",), span=Span(10, 20))
    assert holds(passage("x" * 10, 10), "d", evidence)
    assert not holds(passage("x" * 9, 10), "d", evidence)
    assert not holds(passage("x" * 30, 11), "d", evidence)
    assert not holds(passage("x" * 30), "e", evidence)
    assert not holds(Document("x" * 30), "d", evidence)


def test_headings_and_table_header_are_read_with_the_passage():
    row = passage("| 宽带 | 200 |", table_header="| 项目 | 月费（元） |", headings=["资费标准"])
    assert holds(row, "d", Evidence(("月费（元）",)))
    assert holds(row, "d", Evidence(("资费标准",)))
    assert not holds(passage("| 宽带 | 200 |"), "d", Evidence(("月费（元）",)))


def test_the_right_words_in_a_wrong_document_are_no_evidence():
    assert not holds(passage(TEA), "d", Evidence(("绿茶",), ("e",)))


SOURCES = (
    SourceText("h1", ("/home/a/茶/龙井.pdf",), TEA),
    SourceText("h2", ("/home/a/江/长江.txt", "/home/a/江/副本.txt"), RIVER),
)


def located(*questions: Question, sources: tuple[SourceText, ...] = SOURCES) -> QuestionSet:
    return locate(QuestionSet(questions, "题.jsonl"), sources)


@pytest.mark.parametrize(
    "name", ["/home/a/江/长江.txt", "长江.txt", "长江", "江/长江.txt", "江\\长江.txt", "副本.txt", "h2"]
)
def test_a_document_may_be_called_by_path_name_or_id(name):
    [question] = located(Question("1", "长江多长？", doc_ids=(name,))).questions
    assert question.doc_ids == ("h2",)


def test_a_name_of_two_documents_is_an_error_that_shows_it():
    twins = (SourceText("h1", ("/a/合同.pdf",), TEA), SourceText("h2", ("/b/合同.pdf",), RIVER))
    with pytest.raises(ConfigError, match=r"question '1': '合同.pdf' is the name of 2 documents"):
        located(Question("1", "？", doc_ids=("合同.pdf",)), sources=twins)
    [question] = located(Question("1", "？", doc_ids=("b/合同.pdf",)), sources=twins).questions
    assert question.doc_ids == ("h2",)


def test_without_evidence_the_answers_are_looked_for_in_the_right_document():
    [question] = located(Question("1", "水温？", answers=("八十度", "80度"), doc_ids=("龙井",))).questions
    assert question.evidence == (Evidence(("八十度", "80度"), ("h1",)),)


def test_each_part_of_an_answer_is_a_piece_of_evidence():
    [question] = located(Question("1", "？", answers=("6300公里",), answer_parts=(("6300公里",), ("80度",)))).questions
    assert question.evidence == (Evidence(("6300公里",)), Evidence(("80度",)))


def test_an_answer_that_stands_nowhere_is_left_out_and_counted():
    found = located(
        Question("1", "多长？", answers=("六千多公里",), doc_ids=("长江",)), Question("2", "？", answers=("绿茶",))
    )
    assert [question.evidence for question in found.questions] == [(), (Evidence(("绿茶",)),)]
    assert "answer of 1 questions stands nowhere" in found.notes[0]


def test_documents_that_are_not_there_are_named_in_the_notes():
    found = located(Question("1", "？", doc_ids=("长江", "黄河.pdf")))
    assert found.questions[0].doc_ids == ("h2",)
    assert "1 documents that the questions name are not among these" in found.notes[0]
    assert "黄河.pdf" in found.notes[0]


def test_a_set_about_other_documents_is_an_error_with_the_next_step():
    with pytest.raises(ConfigError, match=r"none of the 1 questions of '题.jsonl'") as caught:
        located(Question("1", "？", answers=("黄河",), doc_ids=("黄河.pdf",)))
    assert "clrag eval PATH --questions FILE" in caught.value.hint


def test_a_span_in_a_document_that_is_not_there_is_left_out():
    question = Question("1", "？", answers=("绿茶",), evidence=(Evidence(("绿茶",), ("黄河",), Span(1, 3)),))
    [found] = located(question).questions
    assert found.evidence == (Evidence(("绿茶",), ()),)
