"""What a question asks about, and what kind of answer it wants; in either script."""

import pytest

from chinese_llm_rag.chinese_questions import asks_for_one, asks_for_time, content_of


@pytest.mark.parametrize(
    ("question", "content"),
    [
        ("图书馆周末几点开放？", ["图书馆周末几点开放"]),
        ("请问图书馆什么时候开放？", ["图书馆", "开放"]),
        ("论文封面的纸张有什么颜色？", ["论文封面", "纸张", "颜色"]),
        ("請問圖書館什麼時候開放？", ["图书馆", "开放"]),
        ("What is the window of llama?", ["window", "llama"]),
        ("这是什么？", []),
    ],
)
def test_words_that_only_ask_are_no_content(question, content):
    found = content_of(question).replace("，", " ").replace("?", " ").split()
    assert found == content


@pytest.mark.parametrize(
    "question",
    ["谁发明了活字印刷？", "《霸王别姬》的导演", "公司募集了多少资金？", "水溫是多少？", "how many are there"],
)
def test_a_question_for_one_thing(question):
    assert asks_for_one(question)


@pytest.mark.parametrize(
    "question",
    [
        "总结公司的措施",
        "公司是如何做到的？",
        "為什麼下雨？",
        "有哪些材料？",
        "申请需要有什么材料？",
        "什么是年假？",
        "列举三个特点",
        "两者的区别",
        "how does it work",
    ],
)
def test_a_question_that_more_than_one_answer_can_be_right_for(question):
    assert not asks_for_one(question)


@pytest.mark.parametrize(
    "question", ["大桥何时通车？", "大橋是什麼時候通車的？", "哪一年成立？", "开放时间", "几月开学？"]
)
def test_a_question_for_a_time(question):
    assert asks_for_time(question)


@pytest.mark.parametrize("question", ["谁发明了活字印刷？", "大桥全长多少米？"])
def test_a_question_for_something_else(question):
    assert not asks_for_time(question)
