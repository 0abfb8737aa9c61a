"""Answers as the server and the page give them out."""

from dataclasses import replace
from pathlib import Path

from chinese_llm_rag.app.rendering import numbered, sources_text
from chinese_llm_rag.app.server.base_forms import AnswerReply
from chinese_llm_rag.app.views import answer_dict
from chinese_llm_rag.schema import Answer, AnswerSentence, Citation, Passage

FOLDER = Path("/home/someone/documents/default")
CITED = Citation(1, f"{FOLDER}/茶.md", 1, 1, 0, 3, "绿茶。", 0.9)
PASSAGE = Passage("绿茶。", "/elsewhere/红.md", 1, 1, 0, 3, (0,), 0.5, 1)
ANSWER = Answer(
    text="绿茶。红茶。",
    sentences=(
        AnswerSentence(0, 3, "绿茶。", (CITED, CITED), ("9",), (CITED,), 1.0),
        AnswerSentence(3, 6, "红茶。"),
    ),
    passages=(PASSAGE,),
    dropped=(PASSAGE,),
    usage={"input_tokens": 1},
    strategy="stuff",
    removed=(AnswerSentence(0, 3, "黑茶。", contradicted_by=(CITED,)),),
    turns_dropped=1,
)


def test_no_form_of_an_answer_tells_where_its_files_lie():
    values = answer_dict(ANSWER, FOLDER)
    assert "/home" not in str(values)
    assert "/elsewhere" not in str(values)
    assert values["sentences"][0]["contradicted_by"][0]["name"] == "茶.md"
    assert values["passages"][0]["name"] == "红.md"


def test_the_replys_form_leaves_nothing_of_an_answer_out():
    values = {"query": None, **answer_dict(ANSWER, FOLDER)}
    assert AnswerReply(**values).model_dump(mode="json") == values


def test_a_place_that_is_cited_twice_has_one_number_and_what_is_unsupported_is_said():
    values = answer_dict(ANSWER, FOLDER)
    places, sentences = numbered(values)
    assert [place["text"] for place in places] == ["绿茶。"]
    assert [numbers for _, numbers in sentences] == [[1], []]
    assert sources_text(values) == (
        "\n\nSources:\n[1] 茶.md, page 1：“绿茶。”\nwithout support in the documents: 红茶。"
    )


def test_quotations_are_told_from_what_a_model_wrote():
    quoted = sources_text(answer_dict(replace(ANSWER, strategy="extractive"), FOLDER))
    assert "no model was asked: these are sentences of the documents" in quoted
