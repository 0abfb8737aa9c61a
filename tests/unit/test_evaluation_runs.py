"""evaluate and evaluate_answers over retrievers and chains whose results are known."""

import json

import pytest
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda

from chinese_llm_rag.errors import ConfigError, ContextWindowExceededError
from chinese_llm_rag.evaluation import (
    Answering,
    Candidate,
    EvaluationReport,
    Evidence,
    Question,
    QuestionSet,
    WithholdingRetriever,
    evaluate,
    evaluate_answers,
)
from chinese_llm_rag.evaluation.citing import CitedEvidence, cited_evidence
from chinese_llm_rag.evaluation.rendering import to_html, to_markdown
from chinese_llm_rag.evaluation.tables import sections
from chinese_llm_rag.retrievers.bm25 import BM25Retriever
from chinese_llm_rag.schema import Answer, AnswerSentence, Citation, Span

TEA = "龙井茶产于杭州西湖一带，属于绿茶。"
RIVER = "长江发源于唐古拉山脉，全长约6300公里。"
LAKE = "青海湖是中国最大的内陆湖。"
QUESTIONS = (
    Question("茶", "龙井茶属于什么茶？", ("绿茶",), (), ("茶.md",), (Evidence(("绿茶",)),)),
    Question("江", "长江多长？", ("6300公里",), (), ("江.md",), (Evidence(("6300公里",)),)),
)


class Scripted(BaseRetriever):
    """Gives for each question what it is told to, and may raise."""

    results: dict[str, list[str] | type[BaseException]]

    def _get_relevant_documents(self, query: str, *, run_manager: object) -> list[Document]:
        found = self.results[query]
        if isinstance(found, type):
            raise found
        sources = {TEA: "茶.md", RIVER: "江.md", LAKE: "湖.md"}
        return [Document(text, metadata={"source": sources[text], "start": 0, "end": len(text)}) for text in found]


GOOD = Scripted(results={QUESTIONS[0].question: [TEA, RIVER], QUESTIONS[1].question: [RIVER, TEA]})
POOR = Scripted(results={QUESTIONS[0].question: [LAKE, RIVER, TEA], QUESTIONS[1].question: [LAKE]})


def test_any_langchain_retriever_is_measured():
    documents = [
        Document(text, metadata={"source": name}) for text, name in ((TEA, "茶.md"), (RIVER, "江.md"), (LAKE, "湖.md"))
    ]
    report = evaluate(BM25Retriever.from_documents(documents, k=3), QUESTIONS, at=(1, 3))
    [figures] = report.figures
    assert figures.estimates["documents"]["hit@1"].mean == 1
    assert figures.estimates["evidence"]["recall@3"].mean == 1
    assert report.missed == ()
    assert 0 < figures.latency_ms["p50"] <= figures.latency_ms["p95"]


def test_what_a_setting_shows_is_counted_at_its_own_k():
    report = evaluate(Candidate(POOR, "A", 1), QUESTIONS, against=Candidate(POOR, "B", 3), at=(1, 3))
    shown = [figures.estimates["evidence"]["recall@shown"].mean for figures in report.figures]
    assert shown == [0.0, 0.5]
    assert [figures.shown_chars for figures in report.figures] == [
        len(LAKE),
        (len(LAKE + RIVER + TEA) + len(LAKE)) / 2,
    ]


def test_missed_questions_say_what_was_expected_and_what_was_found():
    report = evaluate(Candidate(POOR, "A", 3), QUESTIONS, at=(1, 3), document_names={"江.md": "/文档/江.md"})
    [missed] = report.missed
    assert (missed.id, missed.answer, missed.documents) == ("江", "6300公里", "/文档/江.md")
    assert missed.found == f"湖.md: {LAKE}"


def test_the_rows_hold_the_ranks_of_both_settings():
    report = evaluate(GOOD, QUESTIONS, against=POOR, at=(1, 3))
    assert [(row.id, row.document_ranks, row.evidence_ranks) for row in report.rows] == [
        ("茶", (1, 3), ((1,), (3,))),
        ("江", (1, None), ((1,), (None,))),
    ]


def test_forty_questions_tell_two_settings_apart_and_two_do_not():
    assert all(d.verdict == "not shown" for d in evaluate(GOOD, QUESTIONS, against=POOR).differences)
    many = [Question(f"{i}", QUESTIONS[i % 2].question, doc_ids=QUESTIONS[i % 2].doc_ids) for i in range(40)]
    report = evaluate(Candidate(POOR, "A"), many, against=Candidate(GOOD, "B"))
    assert {(d.measure, d.verdict) for d in report.differences} == {
        (name, "better") for name in ("hit@1", "recall@shown", "mrr", "ndcg")
    }
    text = to_markdown(sections(EvaluationReport(report)))
    assert "The difference is real: B is better than A" in text
    assert "documents, right one first (R@1): B against A +100.0 points [+100.0, +100.0]" in text


def test_ctrl_c_leaves_a_report_on_what_was_asked():
    third = Question("湖", "最大的湖？", doc_ids=("湖.md",))
    broken = Scripted(results={**GOOD.results, third.question: KeyboardInterrupt})
    report = evaluate(broken, [*QUESTIONS, third])
    assert (report.interrupted, report.n_asked, report.n_questions) == (True, 2, 3)
    assert report.figures[0].estimates["documents"]["hit@1"].n == 2
    assert to_markdown(sections(EvaluationReport(report))).startswith("# Evaluation\n\nInterrupted: 2 of 3 questions")


def test_ctrl_c_before_the_first_answer_leaves_an_empty_report():
    broken = Scripted(results={QUESTIONS[0].question: KeyboardInterrupt})
    report = evaluate(broken, QUESTIONS, against=GOOD)
    assert (report.n_asked, report.differences, report.rows) == (0, (), ())
    for render in (to_markdown, to_html):
        assert "Interrupted: 0 of 2" in render(sections(EvaluationReport(report)))


def test_an_interrupted_comparison_is_over_the_questions_that_both_were_asked():
    broken = Scripted(results={**GOOD.results, QUESTIONS[1].question: KeyboardInterrupt})
    report = evaluate(GOOD, QUESTIONS, against=broken)
    assert [figures.estimates["documents"]["hit@1"].n for figures in report.figures] == [1, 1]


def test_questions_that_say_nothing_of_what_is_right_are_an_error():
    with pytest.raises(ConfigError, match="no question says which document or passage is right"):
        evaluate(
            GOOD, [Question("1", "？", answers=("甲",)), Question("2", "？", answerable=False, doc_ids=("茶.md",))]
        )


def test_progress_counts_questions():
    told: list[tuple[int, int]] = []
    evaluate(GOOD, QUESTIONS, on_progress=lambda *at: told.append(at))
    assert told == [(1, 2), (2, 2)]


def test_notes_and_markup_of_documents_cannot_break_the_page():
    questions = [Question("1", QUESTIONS[0].question, ("<script>alert(1)</script>|",), doc_ids=("无.md",))]
    report = evaluate(Candidate(GOOD, "A <b>|"), QuestionSet(tuple(questions), "x", ("note\nof two lines",)))
    shown = sections(EvaluationReport(report))
    page = to_html(shown)
    assert "<script" not in page
    assert "http" not in page
    text = to_markdown(shown)
    assert "- note of two lines" in text
    assert "| A <b>\\| " in text


def test_the_report_is_plain_json():
    report = EvaluationReport(evaluate(GOOD, QUESTIONS, against=POOR))
    values = json.loads(json.dumps(report.to_dict()))
    assert values["settings"][0]["measures"]["documents"]["hit@1"] == {"mean": 1.0, "low": 0.3424, "high": 1.0, "n": 2}
    assert values["answers"] is None


def answer(text: str, *, cited: bool = True, refused: bool = False) -> Answer:
    citation = Citation(1, "茶.md", 1, 1, 0, 17, TEA, 1.0)
    sentences = () if refused else (AnswerSentence(0, len(text), text, (citation,) if cited else ()),)
    return Answer(text=text, sentences=sentences, refused=refused)


REFUSED = answer("文档中没有说明。", refused=True)
ABSENT = Question("无", "谁发明了龙井茶？", answerable=False)


def chain(**replies: Answer) -> RunnableLambda:
    by_wording = {
        question.question: replies[question.id] for question in (*QUESTIONS, ABSENT) if question.id in replies
    }
    return RunnableLambda(lambda wording: by_wording[wording])


def figures_of(qa: Answering) -> dict[str, float]:
    [figures] = evaluate_answers(qa, [*QUESTIONS, ABSENT]).figures
    return {name: value.mean for name, value in figures.estimates.items()}


def test_answers_are_scored_and_both_errors_counted():
    right = chain(茶=answer("绿茶"), 江=REFUSED, 无=answer("陆羽", cited=False))
    withheld = chain(茶=answer("红茶"), 江=REFUSED)
    assert figures_of(Answering(right, withheld)) == {
        "citation_precision": 1.0,
        "citation_recall": 1.0,
        "refusal_recall": pytest.approx(1 / 3),  # of the absent one, and of two with their evidence withheld
        "refusal_precision": 0.5,
        "support": 0.5,
        "wrong_refusal": 0.5,
        "wrong_answer_withheld": 0.5,
        "holds_answer": 0.5,
        "f1": 0.5,
        "exact_match": 0.5,
        "wrong_answer": 1.0,
    }


def test_a_refusal_is_right_where_there_is_no_answer_and_scores_nothing_where_there_is():
    measured = figures_of(Answering(chain(茶=REFUSED, 江=REFUSED, 无=REFUSED)))
    assert measured == {
        "wrong_refusal": 1.0,
        "holds_answer": 0.0,
        "f1": 0.0,
        "exact_match": 0.0,
        "wrong_answer": 0.0,
        "refusal_recall": 1.0,
        "refusal_precision": pytest.approx(1 / 3),
    }


def test_citations_are_compared_with_the_evidence_by_place_or_by_words():
    def cite(quote: str, start: int, source: str = "茶.md") -> Citation:
        return Citation(1, source, 1, 1, start, start + len(quote), quote, 1.0)

    by_place = Evidence(doc_ids=("a1",), span=Span(10, 20))
    by_words = Evidence(("全长约6300公里",), ("b2",))
    ids = {"茶.md": "a1", "江.md": "b2"}.__getitem__
    cited = [cite("属于绿茶。", 15), cite("产于杭州。", 5), cite(RIVER, 0, "江.md"), cite(RIVER, 40)]
    assert cited_evidence(cited, [by_place, by_words], ids) == CitedEvidence((True, False, True, False), (True, True))
    assert cited_evidence(cited[1:2] * 2, [by_place], ids) == CitedEvidence((False,), (False,))


def test_two_chains_are_compared():
    good = chain(茶=answer("绿茶"), 江=answer("6300公里"), 无=REFUSED)
    poor = chain(茶=REFUSED, 江=REFUSED, 无=REFUSED)
    report = evaluate_answers([Answering(poor), Answering(good, name="B")], [*QUESTIONS, ABSENT])
    found = {difference.measure: difference.test.difference.mean for difference in report.differences}
    assert (found["f1"], found["wrong_refusal"], found["wrong_answer"]) == (1.0, -1.0, 0.0)


def test_a_question_that_does_not_fit_the_window_is_counted_and_the_others_go_on():
    def reply(wording: str) -> Answer:
        if wording == QUESTIONS[0].question:
            raise ContextWindowExceededError(prompt_tokens=5000, max_tokens=64, context_window=4096)
        return answer("6300公里")

    [figures] = evaluate_answers(Answering(RunnableLambda(reply)), QUESTIONS).figures
    assert figures.n_failed == 1
    assert "context_window=4096" in figures.outcomes[0].failed
    assert figures.estimates["f1"].n == 1


def test_ctrl_c_while_answering_keeps_what_there_is():
    def reply(wording: str) -> Answer:
        if wording == QUESTIONS[1].question:
            raise KeyboardInterrupt
        return answer("绿茶")

    report = evaluate_answers(Answering(RunnableLambda(reply)), QUESTIONS)
    assert (report.interrupted, report.n_asked, report.n_questions) == (True, 1, 2)
    assert report.figures[0].estimates["exact_match"].mean == 1


def test_questions_without_answers_cannot_be_scored():
    with pytest.raises(ConfigError, match="no question has an answer to compare with"):
        evaluate_answers(Answering(chain()), [Question("1", "？", doc_ids=("茶.md",))])


def test_withholding_takes_away_every_passage_that_tells():
    [tea, _] = QUESTIONS
    everything = Scripted(results={tea.question: [TEA, RIVER, LAKE], "别的？": [TEA, RIVER, LAKE]})

    def kept(question: Question, wording: str | None = None, k: int = 2) -> list[str]:
        retriever = WithholdingRetriever(retriever=everything, questions={question.question: question}, k=k)
        return [document.page_content for document in retriever.invoke(wording or question.question)]

    assert kept(tea) == [RIVER, LAKE]
    assert kept(tea, "别的？") == [TEA, RIVER]  # nothing is known of it
    by_answer = Question("茶", tea.question, ("绿茶",))
    assert kept(by_answer) == [RIVER, LAKE]
    # A passage with a part of the span tells something too.
    span = Question("茶", tea.question, ("无",), evidence=(Evidence((), ("茶.md",), Span(15, 40)),))
    assert kept(span) == [RIVER, LAKE]
    elsewhere = Question("茶", tea.question, ("无",), evidence=(Evidence((), ("茶.md",), Span(17, 40)),))
    assert kept(elsewhere) == [TEA, RIVER]
