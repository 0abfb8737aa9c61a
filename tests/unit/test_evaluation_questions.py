"""Questions that are made of documents, by cloze and by a model."""

import json
import re

import pytest
from langchain_core.documents import Document
from langchain_core.language_models import FakeListChatModel

from chinese_llm_rag.chinese_text import iter_sentences
from chinese_llm_rag.evaluation import SourceText, make_cloze_questions
from chinese_llm_rag.evaluation.ambiguity import with_one_place
from chinese_llm_rag.evaluation.question_writer import parse_reply, write_questions
from chinese_llm_rag.evaluation.questions import Evidence, Question
from chinese_llm_rag.llms.alpaca import ChineseAlpacaLLM
from chinese_llm_rag.schema import Span
from chinese_llm_rag.testing import ScriptedBackend

RIVERS = "黄河发源于青海省的巴颜喀拉山脉，流经九个省区。长江全长约6300公里，注入东海。珠江的年径流量居全国第二位。"
RULES = (
    "公司每年1月15日前公布上一年度的考勤汇总表。员工请病假须提交《病假申请单》，由部门主管审批。"
    "试用期一般为3个月，最长不超过6个月。办公用品的采购由行政人事部负责，每季度汇总一次。"
)


def source(doc_id: str, text: str) -> SourceText:
    return SourceText(doc_id, (doc_id,), text)


def test_each_question_is_a_clause_with_its_answer_asked_for():
    documents = [source("r", RIVERS), source("s", RULES)]
    texts = {document.doc_id: document.text for document in documents}
    made = make_cloze_questions(documents, 20)
    assert len(made) >= 4
    for question in made:
        [evidence] = question.evidence
        clause = texts[question.doc_ids[0]][evidence.span.start : evidence.span.end]
        [answer] = question.answers
        assert clause.count(answer) == 1
        before, after = clause.split(answer)
        assert question.question.startswith(before.strip("《")[:4])
        assert answer not in question.question
        assert re.search("多少|什么|谁|哪一年|哪里", question.question)
        assert question.question.endswith("？")
        assert len(question.question) >= len(before.strip("《")) + len(after.rstrip("，。》"))


@pytest.mark.parametrize(
    ("sentence", "question", "answer"),
    [
        ("长江全长约6300公里，注入东海。", "长江全长约多少公里，注入东海？", "6300"),
        ("城东古桥的主体结构建于1607年的夏天。", "城东古桥的主体结构建于哪一年的夏天？", "1607"),
        ("员工请病假须提交《病假申请单》的原件。", "员工请病假须提交什么的原件？", "病假申请单"),
        ("办公用品的采购由行政人事部负责。", "办公用品的采购由谁负责？", "行政人事部"),
        ("巴颜喀拉山脉主峰位于青海省玉树，海拔很高。", "巴颜喀拉山脉主峰位于哪里？", "青海省玉树"),
        ("本系统的后台程序用Python语言写成。", "本系统的后台程序用什么语言写成？", "Python"),
        ("各地的期刊论文都须经过TeX排版后再提交正式稿件.", "各地的期刊论文都须经过什么排版后再提交正式稿件？", "TeX"),
        ("臺灣大學學位論文的封面須包含作者姓氏，並裝訂成冊。", "臺灣大學學位論文的封面須包含什么？", "作者姓氏"),
        ("全书一共收录了三百二十首诗词作品。", "全书一共收录了多少首诗词作品？", "三百二十"),
    ],
)
def test_what_is_asked_for_and_how(sentence, question, answer):
    made = make_cloze_questions([source("d", sentence)], 1)
    assert [(q.question, q.answers) for q in made] == [(question, (answer,))]


@pytest.mark.parametrize(
    "sentence",
    [
        "其全长约6300公里，注入东海的入海口。",  # whose?
        "全长6300公里。",  # too little to go by
        "1. 长江和黄河都是我国重要的河流之一。",  # the number of an item
        "长江（全长约6300公里）注入东海的入海口。",  # an aside
        "他于2021年12月3日至15日住院接受治疗。",  # half of a date
        "长江全长约6300公里，注入东海",  # no end: a heading, a cell
        "| 长江全长约6300公里 | 注入东海 |。",
        "The Yangtze River is about 6300 kilometres long.",
        "作者的通信邮箱地址是 li@lab.org。",  # no name
        "第12条所称的合同包括书面合同和口头合同。",
        "",
    ],
)
def test_what_makes_no_question(sentence):
    assert make_cloze_questions([source("d", sentence)], 5) == []


def test_a_question_that_two_sentences_fit_is_not_asked():
    one = source("a", "新购设备的额定输出功率为35千瓦。")
    assert len(make_cloze_questions([one], 5)) == 1
    twin = source("b", "新购设备的额定输出功率为50千瓦。")
    assert make_cloze_questions([one, twin], 5) == []


def test_another_sentence_with_the_answer_needs_less_to_be_mistaken():
    question = Question(
        "q",
        "长江全长约多少公里，注入东海？",
        ("6300",),
        doc_ids=("a",),
        evidence=(Evidence(("6300",), ("a",), Span(0, 15)),),
    )
    text = "长江全长约6300公里，注入东海。"
    assert with_one_place([question], [source("a", text)]) == [question]
    unlike = text + "尼罗河的总长约5000公里。"
    assert with_one_place([question], [source("a", unlike)]) == [question]
    assert with_one_place([question], [source("a", text + "长江干流的全长约6300公里。")]) == []


def test_questions_are_spread_over_the_documents_and_the_same_each_time():
    long = (
        "长江口的潮位由12台自动仪器连续记录。黄河中游的输沙量在汛期达到85万吨。珠江三角洲共有水闸340座投入使用。"
        "辽河平原的冬小麦播种面积为27万亩。海河流域的地下水埋深平均下降9米左右。松花江封冻期长达150天以上。"
    )
    documents = [source("long", long), source("short", RULES)]
    made = make_cloze_questions(documents, 4, seed=3)
    assert [question.doc_ids[0] for question in made].count("short") == 2
    assert made == make_cloze_questions(documents, 4, seed=3)
    assert len({question.id for question in made}) == 4


PASSAGE = Document(RULES, metadata={"content_hash": "h" * 64, "start": 100, "end": 100 + len(RULES)})


def test_a_models_question_is_taken_with_the_sentence_of_its_answer():
    found = parse_reply("问题：新员工的试用期通常有多长？\n答案：3个月。", PASSAGE)
    assert (found.question, found.answers) == ("新员工的试用期通常有多长？", ("3个月",))
    [evidence] = found.evidence
    sentence = next(s for s in iter_sentences(RULES) if "试用期" in RULES[s.start : s.end])
    assert evidence.span == Span(100 + sentence.start, 100 + sentence.end)
    assert (
        parse_reply("新员工的试用期通常有多长？\n答案：3个月\n\n段落：", PASSAGE) == found
    )  # a completed few-shot prompt


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "我不知道。",
        "问题：新员工的试用期通常有多长？\n答案：半年以上",  # stands nowhere
        "问题：文中试用期一般为多长时间？\n答案：3个月",  # points at its passage
        "问题：试用期一般为3个月对不对？\n答案：3个月",  # holds its answer
        "问题：珠穆朗玛峰海拔有多高呢？\n答案：3个月",  # of something else
        "问题：长？\n答案：3个月",
    ],
)
def test_what_a_model_writes_and_cannot_be_used(reply):
    assert parse_reply(reply, PASSAGE) is None


def test_chat_and_base_models_are_asked_in_their_own_ways():
    reply = "问题：新员工的试用期通常有多长？\n答案：3个月"
    documents = [SourceText("h" * 64, ("规定.pdf",), "无" * 100 + RULES)]
    told: list[tuple[int, int]] = []
    chat = write_questions(
        FakeListChatModel(responses=["没有问题", reply]),
        [PASSAGE, PASSAGE],
        documents,
        5,
        on_progress=lambda *at: told.append(at),
    )
    assert [question.answers for question in chat] == [("3个月",)]
    assert told == [(1, 5)]
    backend = ScriptedBackend([reply.removeprefix("问题：")])
    base = write_questions(ChineseAlpacaLLM(backend=backend, max_tokens=64), [PASSAGE], documents, 5)
    assert base == chat
    [(prompt, _)] = backend.history
    assert json.dumps(prompt, ensure_ascii=False, default=str).count("问题：") >= 3
    assert str(prompt).rstrip("'])\"").endswith("问题：")
