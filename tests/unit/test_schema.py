"""The values that flow: pages of a span, answers that add up, the form in which they are printed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chinese_llm_rag.schema import Answer, AnswerSentence, Citation, Passage

PASSAGE = Passage("文字", "书.pdf", 3, 5, 120, 300, (100, 200, 250), 0.5, 2)
CITATION = Citation(2, "书.pdf", 3, 4, 190, 210, "引文", 0.75)


@pytest.mark.parametrize(
    ("start", "end", "pages"),
    [
        (120, 130, (3, 3)),
        (190, 200, (3, 3)),  # the end is exclusive: character 200 is not part of it
        (190, 201, (3, 4)),
        (199, 251, (3, 5)),
        (200, 250, (4, 4)),
        (250, 300, (5, 5)),
        (200, 200, (4, 4)),
        (249, 249, (4, 4)),
    ],
)
def test_pages_of_a_span_follow_from_the_page_offsets(start, end, pages):
    assert PASSAGE.pages_of(start, end) == pages


def test_pages_of_a_span_are_the_whole_range_where_the_offsets_are_not_known():
    assert Passage("文字", "书.pdf", 3, 5, 120, 300).pages_of(130, 131) == (3, 5)


@given(st.lists(st.integers(1, 20), min_size=1, max_size=6), st.data())
def test_pages_of_a_span_hold_its_first_and_last_character(lengths, data):
    page_of_character = [page for page, n in enumerate(lengths, 7) for _ in range(n)]
    offsets = tuple(page_of_character.index(page) for page in sorted(set(page_of_character)))
    passage = Passage("", "书.pdf", 7, 6 + len(lengths), 0, sum(lengths), offsets)
    start = data.draw(st.integers(0, sum(lengths) - 1))
    end = data.draw(st.integers(start + 1, sum(lengths)))
    assert passage.pages_of(start, end) == (page_of_character[start], page_of_character[end - 1])


def test_a_passage_is_printed_with_its_place():
    assert PASSAGE.to_dict() == {
        "file": "书.pdf",
        "page_start": 3,
        "page_end": 5,
        "start": 120,
        "end": 300,
        "place": None,
        "headings": [],
        "score": 0.5,
        "text": "文字",
    }


def test_a_citation_is_printed_as_a_passage_with_its_number():
    assert CITATION.to_dict() == {
        "passage": 2,
        "file": "书.pdf",
        "page_start": 3,
        "page_end": 4,
        "start": 190,
        "end": 210,
        "place": None,
        "headings": [],
        "score": 0.75,
        "text": "引文",
    }
    assert CITATION.to_dict().keys() == PASSAGE.to_dict().keys() | {"passage"}


def test_pieces_of_an_answer_add_up_in_order():
    sentence = AnswerSentence(0, 4, "黄河。", (CITATION,))
    pieces = [
        Answer("黄"),
        Answer("河。"),
        Answer(sentences=(sentence,), passages=(PASSAGE,), dropped=(PASSAGE,), usage={"prompt_tokens": 9}),
    ]
    whole = Answer()
    for piece in pieces:
        whole += piece
    assert whole == Answer(
        "黄河。", (sentence,), (PASSAGE,), (PASSAGE,), refused=False, reason=None, usage={"prompt_tokens": 9}
    )


def test_a_refusal_stays_one_with_its_reason():
    refusal = Answer("文档中没有说明。", refused=True, reason="缺少 2023")
    for whole in (Answer() + refusal, refusal + Answer()):
        assert whole.refused
        assert whole.reason == "缺少 2023"


answers = st.builds(
    Answer,
    text=st.text(max_size=3),
    refused=st.booleans(),
    reason=st.none() | st.text(min_size=1, max_size=2),
    usage=st.dictionaries(st.sampled_from("ab"), st.integers()),
    strategy=st.sampled_from(["", "stuff", "refine"]),
    withheld=st.text(max_size=2),
    turns_dropped=st.integers(0, 3),
)


@given(answers, answers, answers)
def test_adding_answers_does_not_depend_on_the_grouping(a, b, c):
    assert (a + b) + c == a + (b + c)
    assert Answer() + a == a + Answer() == a


def test_citations_of_an_answer_come_in_the_order_of_its_sentences():
    other = Citation(1, "文.pdf", 1, 1, 0, 2, "二字", 1.0)
    answer = Answer(
        "甲。乙。", (AnswerSentence(0, 2, "甲。", (other,)), AnswerSentence(2, 4, "乙。", (CITATION, other)))
    )
    assert answer.citations == (other, CITATION, other)


def test_a_sentence_is_supported_when_it_has_a_citation():
    assert AnswerSentence(0, 2, "甲。", (CITATION,)).supported
    assert not AnswerSentence(0, 2, "甲。").supported


def test_what_a_sentence_lacks_and_what_speaks_against_it_is_printed():
    sentence = AnswerSentence(0, 2, "甲。", unfound=("5亿",), contradicted_by=(CITATION,), coverage=0.5)
    (printed,) = Answer("甲。", (sentence,)).to_dict()["sentences"]
    assert (printed["unfound"], printed["coverage"]) == (["5亿"], 0.5)
    assert printed["contradicted_by"] == [CITATION.to_dict()]


def test_an_answer_is_printed_with_citations_that_name_their_sentence():
    sentences = (AnswerSentence(0, 2, "甲。"), AnswerSentence(2, 4, "乙。", (CITATION,)))
    printed = Answer("甲。乙。", sentences, (PASSAGE,), (PASSAGE,), usage={"n": 1}).to_dict()
    assert printed["citations"] == [{"sentence": 1, **CITATION.to_dict()}]
    nothing = {"coverage": 0.0, "unfound": [], "contradicted_by": []}
    assert printed["sentences"] == [
        {"start": 0, "end": 2, "text": "甲。", "supported": False, **nothing},
        {"start": 2, "end": 4, "text": "乙。", "supported": True, **nothing},
    ]
    assert printed["passages"] == [{"passage": 2, **PASSAGE.to_dict()}]
    assert printed["dropped"] == [PASSAGE.to_dict()]
    assert json.loads(json.dumps(printed)) == printed
