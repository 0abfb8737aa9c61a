"""The evidence gate: names and numbers must be there whole, half of the words too."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chinese_llm_rag.evidence import MIN_COVERAGE, check_evidence, content_words


def test_a_question_whose_words_stand_in_the_passages_passes():
    check = check_evidence("黄河全长多少公里？", ["黄河发源于青海省，全长约5464公里。"])
    assert check.sufficient
    assert check.coverage == 0.75  # of 黄河, 河全, 全长 and 公里
    assert check.missing == ("河全",)


def test_a_question_about_something_else_is_refused():
    check = check_evidence("长江流经哪些省份？", ["图书馆周末上午十点开放。"])
    assert not check.sufficient
    assert check.coverage == 0
    assert check.missing == ("长江流经", "省份")


@pytest.mark.parametrize(
    ("question", "passage"),
    [
        ("2023年的产量", "12023年的产量"),
        ("2023年的产量", "20231年的产量"),
        ("23年的产量", "2023年的产量"),
        ("14的意思", "3.14的意思"),
        ("3的意思", "3.14的意思"),
        ("v3的功能", "v30的功能"),
        ("v3的功能", "v3.1的功能"),
        ("v3的功能", "rev3的功能"),
        ("docker的功能", "dockerfile的功能"),
        ("3的功能", "v3的功能"),
        ("128gb的内存", "12的内存 gb"),
    ],
)
def test_a_part_of_a_longer_number_or_name_is_not_the_number_or_name(question, passage):
    assert not check_evidence(question, [passage]).sufficient


@pytest.mark.parametrize(
    ("question", "passage"),
    [
        ("v3版本支持什么？", "v3版本支持离线。"),
        ("需要8GB内存吗？", "至少需要8GB内存。"),
        ("需要8GB内存吗？", "至少需要 8 GB 内存。"),
        ("langchain.core是什么", "langchain.core 是核心包"),
        ("CUDA12.1怎么安装", "安装CUDA12.1的步骤"),
        ("２０２３年的产量", "2023年的产量"),
        ("docker的功能", "Docker的功能"),
        ("x86_64的支持", "x86_64 的支持"),
        ("3.14是什么", "圆周率是3.14。"),
        ("2023年的产量是多少？", "2022年的产量不变，2023年的产量上升"),
        ("第3章的标题", "标题：第 3 章"),
        ("Café的菜单", "CAFÉ 的菜单"),
        ("2008年的产量", "二〇〇八年的产量"),
        ("产量120万吨", "产量一百二十万吨"),
        ("5%的税率", "百分之五的税率"),
        ("水費的計算", "水费的计算"),
        ("水费的计算", "水費的計算"),
    ],
)
def test_a_number_or_name_in_the_passages_is_found_whatever_stands_around_it(question, passage):
    check = check_evidence(question, [passage])
    assert check.sufficient, check.missing


def test_one_missing_number_refuses_though_all_words_are_there():
    check = check_evidence("2023年黄河的全长", ["黄河的全长"])
    assert not check.sufficient
    assert check.missing[0] == "2023"


def test_the_score_is_what_the_threshold_is_compared_with():
    assert check_evidence("甲乙丙丁戊己庚", ["甲乙丙丁"]).score == 0.5
    assert check_evidence("2023年黄河的全长", ["黄河的全长"]).score == 0
    assert check_evidence("黄河", []).score == 0


def test_the_gate_stands_at_the_share_of_words_it_is_given():
    question, passage = "甲乙丙丁戊己庚", "甲乙丙丁"  # six pairs, three of them there
    check = check_evidence(question, [passage])
    assert check.coverage == MIN_COVERAGE == 0.5
    assert check.missing == ("丁戊己庚",)
    assert check.sufficient
    assert not check_evidence(question, [passage], min_coverage=0.51).sufficient


def test_words_that_only_ask_do_not_count():
    pairs, exact = content_words("请问这个图书馆是什么时候开放的呢？")
    assert pairs == ["图书", "书馆", "开放"]
    assert exact == []
    assert check_evidence("请问什么是图书馆？", ["图书馆"]).coverage == 1


def test_words_of_several_passages_count_together():
    question = "黄河和长江发源何处"
    assert check_evidence(question, ["黄河", "长江发源"]).coverage == 1
    assert check_evidence(question, ["黄河"]).coverage < 1


def test_a_question_of_one_character_asks_for_that_character():
    assert content_words("茶是什么？") == (["茶"], [])
    assert check_evidence("茶是什么？", ["绿茶"]).sufficient
    assert not check_evidence("茶是什么？", ["咖啡"]).sufficient


@pytest.mark.parametrize("passages", [[], [""], [" \n", "　"]])
@pytest.mark.parametrize("question", ["黄河的全长", "这是什么？", ""])
def test_no_passages_or_empty_ones_refuse_every_question(question, passages):
    assert not check_evidence(question, passages).sufficient


def test_repeated_words_count_once():
    assert content_words("黄河黄河2023年2023年") == (["黄河", "河黄"], ["2023"])


words = st.lists(st.sampled_from(["黄河", "图书馆", "2023", "v3", "8GB", "3.14", "docker", "的", "，", " ", "年"])).map(
    "".join
)


@given(words.filter(lambda text: any(content_words(text))))
def test_a_passage_that_repeats_the_question_is_always_enough(question):
    check = check_evidence(question, [f"他问：{question}。"])
    assert check.sufficient
    assert check.missing == ()


@given(words, st.lists(words), words)
def test_one_more_passage_never_lowers_the_coverage(question, passages, more):
    before, after = check_evidence(question, passages), check_evidence(question, [*passages, more])
    assert after.coverage >= before.coverage
    assert all(any(word in former for former in before.missing) for word in after.missing)


def test_a_word_that_only_begins_like_an_asking_word_is_content():
    assert check_evidence("请假须提前几天？", ["请假须提前三天告知。"]).sufficient
    assert not check_evidence("成都在哪里？", ["请假须提前三天告知。"]).sufficient


def test_the_asking_words_of_an_english_question_do_not_count():
    assert check_evidence("What is the window of llama?", ["llama 的 window 是 4096。"]).sufficient
    assert not check_evidence("What is the price of llama?", ["llama 的 window 是 4096。"]).sufficient


def test_of_a_few_words_half_is_not_enough():
    check = check_evidence("公司的电话？", ["公司2023年营业收入为1,234.5万元。"])
    assert (check.coverage, check.sufficient, check.missing) == (0.5, False, ("电话",))


@pytest.mark.parametrize("question", ["？！。", "😀", "</", "的了吗", "我"])
def test_a_question_without_content_is_refused_whatever_the_passages(question):
    check = check_evidence(question, ["我们的图书馆周末开放。"])
    assert (check.sufficient, check.missing) == (False, ())
