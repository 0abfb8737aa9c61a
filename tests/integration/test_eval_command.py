"""`clrag eval` as a user meets it: no question set, a question set, two settings, answers, and mistakes."""

import csv
import json
from pathlib import Path

import pytest

from chinese_llm_rag.evaluation import load_questions

TEA = (
    "龙井茶产于杭州西湖一带，属于绿茶。冲泡龙井茶的水温以80度左右为宜。明前茶的采摘期大约只有15天时间。"
    "杭州市茶叶研究院编写了《龙井茶加工规程》这一标准。"
)
RIVER = (
    "长江发源于唐古拉山脉，全长约6300公里。三峡大坝的坝顶总长度为3035米。"
    "葛洲坝水利枢纽工程于1988年全部建成完工。洞庭湖的湖区面积大约有2625平方公里。"
)
QUESTIONS = [
    {"id": "1", "question": "龙井茶属于什么茶？", "answers": ["绿茶"], "doc_ids": ["茶.md"]},
    {"id": "2", "question": "长江全长多少公里？", "answers": ["6300公里"], "doc_ids": ["长江.txt"]},
    {"id": "3", "question": "黄河的源头在哪里？", "answerable": False},
]


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "文档"
    folder.mkdir()
    (folder / "茶.md").write_text(TEA, encoding="utf-8")
    (folder / "长江.txt").write_text(RIVER, encoding="utf-8")
    return folder


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    file = tmp_path / "题.jsonl"
    file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in QUESTIONS), encoding="utf-8")
    return file


def test_a_folder_without_questions_ends_with_a_report_and_no_trace(clrag, documents, home, tmp_path):
    status, out, err = clrag("eval", str(documents), "--save", str(tmp_path / "报告"))
    assert status == 0, err
    assert "questions, from cloze on the documents themselves." in out
    assert "They do not show how well questions in a person's own words are answered" in out
    assert "right one first (R@1)" in out
    assert not (home / "kb").exists()
    saved = {file.name for file in (tmp_path / "报告").iterdir()}
    assert saved == {"report.md", "report.html", "report.json", "questions.csv", "questions.jsonl"}
    assert (tmp_path / "报告" / "report.md").read_text(encoding="utf-8") == out
    page = (tmp_path / "报告" / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert not any(word in page for word in ("<script", "<link", "http:", "https:", "@import", "url("))


@pytest.mark.parametrize(("against", "warned"), [("mode=dense", True), ("chunk_size=20", False)])
def test_cloze_does_not_decide_between_words_and_meaning(clrag, documents, against, warned):
    _, out, _ = clrag("eval", str(documents), "--against", against)
    assert ("A and B differ in search_mode: do not decide between them by these questions" in out) is warned


def test_files_that_could_not_be_read_are_named_in_the_report(clrag, documents):
    (documents / "空.txt").write_bytes(b"")
    status, out, _ = clrag("eval", str(documents))
    assert status == 0
    assert f"1 files could not be read: {documents / '空.txt'}" in out


def test_saved_questions_give_the_same_figures_again(clrag, documents, tmp_path):
    _, first, _ = clrag("eval", str(documents), "--json", "--save", str(tmp_path / "甲"))
    asked = tmp_path / "甲" / "questions.jsonl"
    assert len(load_questions(asked).questions) >= 4
    _, second, _ = clrag("eval", str(documents), "--json", "--questions", str(asked))
    measures = [json.loads(out)["settings"][0]["measures"] for out in (first, second)]
    assert measures[0] == measures[1]


def test_a_question_set_on_the_base_of_the_user(clrag, documents, questions):
    clrag("ingest", str(documents))
    status, out, _ = clrag("eval", "--questions", str(questions), "--mode", "bm25", "--json")
    report = json.loads(out)
    assert status == 0
    assert report["n_questions"] == 2  # the third has nothing to find
    assert report["settings"][0]["measures"]["documents"]["hit@1"]["mean"] == 1
    assert report["settings"][0]["measures"]["evidence"]["hit@1"]["n"] == 2


def test_two_settings_are_compared_in_plain_words(clrag, documents, questions):
    status, out, _ = clrag(
        "eval", str(documents), "--questions", str(questions), "--mode", "bm25", "--against", "mode=dense"
    )
    assert status == 0
    assert "| A (search_mode=bm25) " in out
    assert "## Is the difference real?" in out
    assert "2 questions are few" in out


@pytest.mark.parametrize("against", ["chunk_size=20", "k=1", "kb=other"])
def test_another_index_another_k_and_another_base(clrag, documents, questions, against):
    clrag("ingest", str(documents))
    clrag("ingest", "--kb", "other", "--chunk-size", "20", str(documents))
    status, out, err = clrag("eval", "--questions", str(questions), "--against", against, "--json")
    assert status == 0, err
    names = [setting["name"] for setting in json.loads(out)["settings"]]
    assert names[1] == f"B ({against})"
    shown = [setting["shown_chars"] for setting in json.loads(out)["settings"]]
    assert shown[1] < shown[0]
    status, out, _ = clrag("status", "--json")
    assert json.loads(out)["n_files"] == 2


def test_documents_of_the_question_set_itself(clrag, tmp_path):
    lines = [{"id": "茶", "text": TEA}, {"id": "a/江", "text": RIVER}]
    docs, asked = tmp_path / "docs.jsonl", tmp_path / "queries.jsonl"
    docs.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines), encoding="utf-8")
    asked.write_text('{"question": "三峡大坝坝顶多长？", "doc_ids": ["a/江"], "answers": ["3035米"]}', encoding="utf-8")
    status, out, err = clrag("eval", str(docs), "--questions", str(asked), "--mode", "bm25", "--json")
    assert status == 0, err
    assert json.loads(out)["settings"][0]["measures"]["documents"]["hit@1"]["mean"] == 1


def test_answers_show_both_errors(clrag, documents, questions, tmp_path):
    says = ("绿茶。", "红茶。", "文档中没有说明。", "文档中没有说明。", "青海。")
    status, out, err = clrag(
        "eval",
        str(documents),
        "--questions",
        str(questions),
        "--answers",
        "--mode",
        "bm25",
        "--json",
        "--save",
        str(tmp_path / "报告"),
        says=says,
    )
    assert status == 0, err
    [figures] = json.loads(out)["answers"]["settings"]
    measured = figures["measures"]
    assert measured["exact_match"]["n"] == measured["wrong_refusal"]["n"] == 2
    assert measured["wrong_answer"]["n"] == 1
    assert measured["wrong_answer_withheld"]["n"] == 2
    with (tmp_path / "报告" / "answers.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["id"], row["right"], row["answer"]) for row in rows][:1] == [("1", "绿茶", "绿茶。")]
    assert "refused although the answer is there" in (tmp_path / "报告" / "report.md").read_text(encoding="utf-8")


def test_a_configured_model_writes_the_questions(clrag, documents, monkeypatch):
    monkeypatch.setenv("CHINESE_LLM_RAG_MODEL", "some-model")
    status, out, err = clrag(
        "eval", str(documents), "-n", "1", "--json", says=("问题：坝顶有多长呢？\n答案：不详",) * 4
    )
    assert status == 1
    assert "no question could be made of 2 documents" in err
    good = ("问题：三峡大坝坝顶长度是多少？\n答案：3035米",) * 4
    status, out, err = clrag("eval", str(documents), "-n", "1", "--json", says=good)
    assert status == 0, err
    assert "written by the language model" in json.loads(out)["origin"]


@pytest.mark.parametrize(
    ("arguments", "message", "status"),
    [
        (("--against", "mode"), "--against 'mode', expected SETTING=VALUE", 2),
        (("--against", "mode=psychic"), "search_mode='psychic'", 2),
        (("--against", "colour=red"), "unknown setting 'colour'", 2),
        (("--against", "k=1", "--against", "k=2"), "each once", 2),
        (("--against", "k=0"), "k='0'", 2),
        (("--make", "magic"), "make='magic', expected cloze or llm", 2),
        (("-n", "0"), "at least 1", 2),
        (("--chunk-size", "100"), "chunk_size is part of the knowledge base", 2),
        (("--questions", "nowhere.jsonl"), "cannot read 'nowhere.jsonl'", 1),
        (("nowhere",), "nowhere", 1),
    ],
)
def test_mistakes_are_told_apart_in_one_line_with_a_hint(clrag, documents, arguments, message, status):
    clrag("ingest", str(documents))
    ended, out, err = clrag("eval", *arguments)
    assert ended == status
    assert message in err
    assert out == ""
    assert "Traceback" not in err


def test_no_base_and_an_empty_one_say_what_to_do(clrag, tmp_path, documents):
    status, _, err = clrag("eval")
    assert status == 1
    assert "there is no knowledge base" in err
    clrag("ingest", str(documents))
    clrag("remove", str(documents))
    status, _, err = clrag("eval")
    assert status == 1
    assert "there are no documents to ask about" in err
    assert "clrag ingest PATH" in err


def test_questions_about_other_documents(clrag, documents, tmp_path):
    file = tmp_path / "q.jsonl"
    file.write_text('{"question": "黄河多长？", "answers": ["5464公里"], "doc_ids": ["黄河.pdf"]}', encoding="utf-8")
    status, _, err = clrag("eval", str(documents), "--questions", str(file))
    assert status == 1
    assert "none of the 1 questions" in err


def test_files_that_are_gone_cannot_be_cut_anew(clrag, documents):
    clrag("ingest", str(documents))
    (documents / "茶.md").unlink()
    status, _, err = clrag("eval", "--against", "chunk_size=50")
    assert status == 1
    assert "another index needs the files again, and 1 are gone" in err


def test_a_report_that_cannot_be_written_says_so(clrag, documents, tmp_path):
    (tmp_path / "x").write_text("")
    status, _, err = clrag("eval", str(documents), "--save", str(tmp_path / "x"))
    assert status == 1
    assert "cannot write to" in err


def test_ctrl_c_prints_what_there_is_and_ends_with_130(clrag, documents, questions, monkeypatch):
    from chinese_llm_rag.evaluation import retrieval

    ranked = retrieval.rank
    calls: list[str] = []

    def interrupted(retriever, question, document_id):
        calls.append(question.id)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return ranked(retriever, question, document_id)

    monkeypatch.setattr(retrieval, "rank", interrupted)
    status, out, _ = clrag("eval", str(documents), "--questions", str(questions), "--mode", "bm25")
    assert status == 130
    assert "Interrupted: 1 of 2 questions were asked." in out


def test_a_spreadsheet_takes_nothing_for_a_formula(clrag, documents, tmp_path):
    file = tmp_path / "q.jsonl"
    file.write_text('{"question": "=1+1 长江多长？", "answers": ["6300公里"]}', encoding="utf-8")
    clrag("eval", str(documents), "--questions", str(file), "--mode", "bm25", "--save", str(tmp_path / "r"))
    with (tmp_path / "r" / "questions.csv").open(encoding="utf-8-sig", newline="") as opened:
        assert next(csv.DictReader(opened))["question"] == "'=1+1 长江多长？"
