"""Question sets as users write them, good and bad."""

import json
from pathlib import Path

import pytest

from chinese_llm_rag.errors import ConfigError, DocumentError
from chinese_llm_rag.evaluation import Evidence, Question, load_documents, load_questions
from chinese_llm_rag.schema import Span

CONTEXT = "龙井茶产于杭州西湖一带，属于绿茶。冲泡水温以80度为宜。"
SQUAD = {
    "version": "1",
    "data": [
        {
            "title": "茶",
            "paragraphs": [
                {
                    "id": "茶-1",
                    "context": CONTEXT,
                    "qas": [
                        {"id": "q1", "question": "水温多少？", "answers": [{"text": "80度", "answer_start": 22}]},
                        {"id": "q2", "question": "谁种的？", "answers": [], "is_impossible": True},
                    ],
                }
            ],
        }
    ],
}
FIRST_CMRC = [
    {
        "context_id": "TRIAL_1",
        "context_text": CONTEXT,
        "title": "茶",
        "qas": [{"query_id": "TRIAL_1_QUERY_0", "query_text": "属于什么茶？", "answers": ["绿茶", "绿茶"]}],
    }
]


@pytest.fixture
def write(tmp_path: Path):
    def write(content: object, name: str = "题.jsonl", encoding: str = "utf-8") -> Path:
        file = tmp_path / name
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        file.write_bytes(text.encode(encoding))
        return file

    return write


def test_json_lines_with_all_fields(write):
    lines = [
        {
            "id": "a",
            "question": " 多长？ ",
            "answers": ["6300公里", "6300公里"],
            "answer_parts": [["6300", "六千三"], ["公里"]],
            "doc_ids": ["长江.txt"],
            "evidence": ["全长约6300公里。"],
            "type": "事实",
        },
        {"id": "b", "question": "谁写的？", "answerable": False},
    ]
    found = load_questions(write("\n".join(json.dumps(line, ensure_ascii=False) for line in lines) + "\n\n"))
    assert found.questions == (
        Question(
            id="a",
            question="多长？",
            answers=("6300公里",),
            answer_parts=(("6300", "六千三"), ("公里",)),
            doc_ids=("长江.txt",),
            evidence=(Evidence(("全长约6300公里。",), ("长江.txt",)),),
            kind="事实",
        ),
        Question(id="b", question="谁写的？", answerable=False),
    )
    assert found.notes == ()


def test_what_is_written_is_read_back(write):
    question = Question(
        "x",
        "多少？",
        ("一", "二"),
        (("三",),),
        ("d",),
        (Evidence(("一",), ("d",), Span(3, 9)), Evidence(("二", "三"))),
        kind="k",
    )
    # A text without a document of its own is looked for in the question's.
    [found] = load_questions(write(question.to_dict())).questions
    assert found.evidence[0] == question.evidence[0]
    assert found.evidence[1] == Evidence(("二", "三"), ("d",))
    assert found.to_dict() | {"evidence": None} == question.to_dict() | {"evidence": None}


def test_missing_ids_are_the_line_numbers(write):
    text = '{"question": "甲？", "answer": "1"}\n\n{"question": "乙？", "answer": "2"}'
    assert [question.id for question in load_questions(write(text)).questions] == ["1", "3"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "big5hkscs"])
def test_a_spreadsheets_csv_in_any_encoding_with_chinese_headers(write, encoding):
    rows = '問題,答案,文件\n龍井茶產於杭州西湖一帶嗎,綠茶|一種綠茶,"茶,上.pdf"\n長江有多長,6300公里,\n'
    found = load_questions(write(rows, "题.csv", encoding))
    assert [(q.id, q.question, q.answers, q.doc_ids) for q in found.questions] == [
        ("2", "龍井茶產於杭州西湖一帶嗎", ("綠茶", "一種綠茶"), ("茶,上.pdf",)),
        ("3", "長江有多長", ("6300公里",), ()),
    ]


def test_tabs_separate_too(write):
    [question] = load_questions(write("question\tanswers\t可回答\n多长？\t1\t否\n", "题.tsv")).questions
    assert (question.answers, question.answerable) == (("1",), False)


def test_squad_evidence_is_the_sentence_of_the_answer(write):
    found = load_questions(write(SQUAD, "dev.json"))
    assert found.documents == {"茶-1": CONTEXT}
    assert found.questions == (
        Question("q1", "水温多少？", ("80度",), (), ("茶-1",), (Evidence(("冲泡水温以80度为宜。",), ("茶-1",)),)),
        Question("q2", "谁种的？", doc_ids=("茶-1",), answerable=False),
    )


def test_the_first_form_of_cmrc_says_no_place_so_the_answers_are_the_evidence(write):
    [question] = load_questions(write(FIRST_CMRC, "dev.json")).questions
    assert question == Question(
        "TRIAL_1_QUERY_0", "属于什么茶？", ("绿茶",), (), ("TRIAL_1",), (Evidence(("绿茶",), ("TRIAL_1",)),)
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no questions"),
        ("\n\n", "holds no questions"),
        ("question,answers\n", "holds no questions"),
        ("[]", "holds no questions"),
        ('{"data": []}', "holds no questions"),
        ('{"question": "甲？", "answers": ["1"]}\n{"question": "乙？",\n', r"line 2: broken JSON \(.* column \d+\)"),
        ('{"question": "甲？", "answers": ["1"]}\n3\n', "line 2: '3' is no JSON object"),
        ('{"text": "甲"}', "line 1: no field 'question' among"),
        (
            '{"question": "甲？", "answers": ["1"], "doc_id": "d"}',
            "line 1: unknown field 'doc_id'; did you mean 'doc_ids'",
        ),
        ("问题,答按\n甲？,1\n", "says of no question what is right"),
        ("标题,正文\n甲,乙\n", "line 2: no field 'question' among"),
        ('question,answers\n甲？,"1\n', "broken CSV"),
        ("question,answers\n甲？,1,2\n", "line 2: another number of cells"),
        ("question,answers\n甲？\n", "line 2: another number of cells"),
        ('{"question": " ", "answers": ["1"]}', "line 1: the question is empty"),
        ('{"question": ["甲"], "answers": ["1"]}', "line 1: question="),
        ('{"question": "甲？", "answers": [{"text": "1"}]}', "line 1: answers="),
        ('{"question": "甲？", "answers": ["1"], "answerable": "maybe"}', "line 1: answerable='maybe'"),
        ('{"question": "甲？", "query": "乙？", "answers": ["1"]}', "line 1: two fields for 'question'"),
        ('{"question": "甲？", "evidence": [{"start": 5, "end": 3}], "doc_ids": ["d"]}', "line 1: evidence="),
        ('{"question": "甲？", "evidence": [{"start": 3, "end": 5}]}', "line 1: evidence="),
        ('{"question": "甲？"}', "says of no question what is right"),
        (
            '{"id": "a", "question": "甲？", "answers": ["1"]}\n{"id": "a", "question": "乙？", "answers": ["1"]}',
            "questions 1 and 2 have the same id 'a'",
        ),
        ('{"data": [{"title": "t", "paragraphs": [{"context": "文"}]}]}', "broken after 0 paragraphs"),
        (
            '{"data": [{"title": "t", "paragraphs": [{"context": "文", "qas": [{"id": "1"}]}]}]}',
            "broken after 1 paragraphs",
        ),
        ('{"data": [3]}', "broken after 0 paragraphs"),
    ],
)
def test_a_bad_set_is_an_error_that_names_the_place(write, text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        load_questions(write(text))
    assert "题.jsonl" in str(caught.value)


def test_fields_that_are_not_used_are_named_once(write):
    row = {"question": "甲？", "answers": ["1"], "choices": ["1", "2"], "难度": 3}
    assert load_questions(write(row)).notes == ("fields that are not used: choices, 难度",)


def test_a_missing_file_and_a_file_that_is_no_text(write, tmp_path):
    with pytest.raises(DocumentError, match="No such file"):
        load_questions(tmp_path / "无.jsonl")
    (tmp_path / "x.jsonl").write_bytes(bytes(range(256)) * 4)
    with pytest.raises(DocumentError):
        load_questions(tmp_path / "x.jsonl")


def test_documents_of_lines_and_of_squad(write):
    lines = '{"id": "a", "text": "甲", "title": "t"}\n{"id": 2, "text": "乙"}'
    assert load_documents(write(lines)) == {"a": "甲", "2": "乙"}
    assert load_documents(write(SQUAD, "dev.json")) == {"茶-1": CONTEXT}


@pytest.mark.parametrize("line", ['{"id": "a"}', '{"text": "乙"}', '{"id": "a", "text": "乙"}'])
def test_a_document_without_id_or_text_or_with_anothers_id_is_an_error(write, line):
    with pytest.raises(ConfigError, match="line 2: expected a document with an 'id' of its own and a 'text'"):
        load_documents(write('{"id": "a", "text": "甲"}\n' + line))
