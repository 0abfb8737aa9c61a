"""Which questions lean on what was said before, and what they are when they stand by themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

from chinese_llm_rag.chains.conversation import Exchange, leaning, phrases, standalone
from chinese_llm_rag.chains.conversation.standalone import with_queries
from chinese_llm_rag.chains.exchange import exchanges
from chinese_llm_rag.errors import ConfigError

LEANS = {
    "pronoun": """
它的价格是多少？ 他什么时候出生的？ 她写过哪些书？ 他们有几个分公司？ 水温对它有什么影响？ 員工怎麼向他申請？
""",
    "pointing": """
该公司有多少员工？ 这个药一天吃几次？ 那种材料耐高温吗？ 其中最贵的是哪个？ 前者和后者有什么区别？
上述规定适用于哪些人？ 此类合同要公证吗？ 這種茶怎麼沖泡？ 你刚才说的第二点能展开吗？ 那里的气候怎么样？
""",
    "fragment": """
为什么？ 那第二年呢？ 2023年呢？ 上海的呢？ 如果合同没有约定租期呢？ 多少钱？ 那怎么办？ 在哪里？ 兼职员工呢？
第三条
""",
    "continuation": """
详细说说 举个例子 能再具体一点吗？ 红茶也一样吗？ 除此之外还有什么要求？ 总结一下
""",
    "ellipsis": """
价格是多少？ 什么时候成立的？ 怎么泡？ 第三条规定了什么？ 需要什么材料？ 那费用由谁承担？ 2023年的营收是多少？
作者是谁？ 属于哪一类茶？ 是哪一年发布的新标准？ 還有哪些條件？
""",
}
STAND = """
龙井茶的水温是多少？ 公司和它的子公司有什么区别？ 员工辞职，他需要提前几天通知？ 60岁以上老人有什么优惠？
什么是利润？ 谁是李白？ 土耳其的首都是哪里？ 吉他有几根弦？ 维他命C有什么作用？ 应该怎么报销差旅费？
合同该如何签？ 那曲在哪里？ 继续教育的学时要求是什么？ 具体怎么报销差旅费？ 详细说说龙井茶的冲泡方法
人口最多的国家是哪个？ “胜任力”这个词第一次在哪里出现？ 水质及其影响因素有哪些？ 《瞄》是谁主编的？
公司如何保障其他股东的权益？ 尤其适合老人的运动有哪些？ 茶是什么？ 甲方逾期付款，这种情况怎么处理？
路德什么时候将他的攻击扩大到教会？ 请问离心机的转速是多少？ 那么离心机怎么校准？ 是谁劝阻孙皓废后？ 有机肥怎么发酵？
"""
STANDS = [*STAND.split(), "why is the sky over Lhasa blue?", "how long does it take to apply?"]


@pytest.mark.parametrize(("how", "question"), [(how, q) for how, questions in LEANS.items() for q in questions.split()])
def test_a_follow_up_leans_in_its_way(how, question):
    assert leaning(question) == how


@pytest.mark.parametrize("question", STANDS)
def test_a_question_that_names_what_it_is_about_stands_by_itself(question):
    assert leaning(question) is None


@pytest.mark.parametrize("question", ["how much does it cost?", "what about the second year?", "why?", "who are they?"])
def test_english_follow_ups_lean_too(question):
    assert leaning(question) == "pronoun"


TEA = ("龙井茶产于哪里？", "龙井茶产于杭州西湖一带。")
LAW = ("《劳动合同法》第三十九条规定了什么？", "用人单位可以解除劳动合同的情形。")
KIND = ("龙井茶属于什么茶？", "龙井茶属于绿茶。")
REVENUE = ("公司2022年的营收是多少？", "一亿元。")


@pytest.mark.parametrize(
    ("before", "question", "expected"),
    [
        (TEA, "它的价格是多少？", "龙井茶的价格是多少？"),
        (TEA, "那里的气候怎么样？", "杭州西湖一带的气候怎么样？"),
        (TEA, "那碧螺春呢？", "碧螺春产于哪里？"),
        (TEA, "水温呢？", "龙井茶的水温？"),
        (TEA, "怎么泡", "龙井茶怎么泡"),
        (TEA, "其保质期是多久？", "龙井茶的保质期是多久？"),
        (TEA, "详细说说", "请说明：龙井茶产于哪里"),
        (TEA, "还有别的吗？", "龙井茶产于哪里，还有哪些？"),
        (LAW, "第四十条呢？", "《劳动合同法》第四十条规定了什么？"),
        (LAW, "为什么？", "《劳动合同法》第三十九条规定了什么，为什么？"),
        (REVENUE, "那2023年呢？", "公司2023年的营收是多少？"),
        (REVENUE, "净利润是多少？", "公司的净利润是多少？"),
        (("合同第一年的租金是多少？", "三千元。"), "那第二年呢？", "合同第二年的租金是多少？"),
        (("北京的人口是多少？", "两千万。"), "上海的呢？", "上海的人口是多少？"),
        (("中国银行的总部在哪里？", "北京。"), "什么时候成立的？", "中国银行什么时候成立的？"),
        (("红楼梦的作者是谁？", "红楼梦的作者是曹雪芹。"), "他什么时候出生的？", "曹雪芹什么时候出生的？"),
        (("红楼梦的作者是谁？", "文档中没有说明。"), "他什么时候出生的？", "红楼梦什么时候出生的？"),
        (("华为公司的营收是多少？", "很多。"), "该公司有多少员工？", "华为公司有多少员工？"),
        (("龙井茶和碧螺春有何区别？", "产地。"), "前者产自哪里？", "龙井茶和碧螺春有何区别，前者产自哪里？"),
        (("龙井茶属于绿茶吗？", "属于。"), "红茶也一样吗？", "红茶属于绿茶吗？"),
        (("龍井茶的產地在哪裡？", "杭州。"), "這種茶怎麼沖泡？", "龍井茶怎麼沖泡？"),
        (("试用期最长多久？", "六个月。"), "工资呢？", "试用期的工资？"),
        (("试用期最长多久？", "六个月。"), "保修期呢？", "保修期最长多久？"),
        (("试用期最长多久？", "六个月。"), "试用期工资呢？", "试用期工资？"),
        (("试用期最长多久？", "六个月。"), "如果不通过呢？", "试用期最长多久，如果不通过呢？"),
        (("公司2020年的净利率是多少？", "一成。"), "毛利率呢？", "公司2020年的毛利率是多少？"),
        (KIND, "它的保质期呢？", "龙井茶的保质期？"),
        (KIND, "那保质期呢？", "龙井茶的保质期？"),
        (KIND, "那它的产地和价格呢？", "龙井茶的产地和价格？"),
        (KIND, "它呢？", "龙井茶属于什么茶，它呢？"),
        (KIND, "碧螺春呢？", "碧螺春属于什么茶？"),
        (("龍井茶屬於什麼茶？", "綠茶。"), "它的保質期呢？", "龍井茶的保質期？"),
        (("龙井茶的产地是哪里？", "杭州。"), "保质期呢？", "龙井茶的保质期？"),
        (("龙井茶的产地是哪里？", "杭州。"), "碧螺春的价格呢？", "碧螺春的价格？"),
        (("长江全长约多少公里？", "6300公里。"), "它的流域面积呢？", "长江的流域面积？"),
        (("长江全长约多少公里？", "6300公里。"), "流域面积呢？", "长江的流域面积？"),
        (("长江全长约多少公里？", "6300公里。"), "黄河呢？", "黄河全长约多少公里？"),
        (("华为公司什么时候成立的？", "1987年。"), "该公司的总部呢？", "华为公司的总部？"),
        (("华为公司什么时候成立的？", "1987年。"), "这家公司的创始人呢？", "华为公司的创始人？"),
        (("华为公司什么时候成立的？", "1987年。"), "其员工人数呢？", "华为公司的员工人数？"),
        (("《红楼梦》的作者是谁？", "曹雪芹。"), "它的成书时间呢？", "《红楼梦》的成书时间？"),
        (("《红楼梦》的作者是谁？", "曹雪芹。"), "《西游记》的呢？", "《西游记》的作者是谁？"),
        (("中国的人口是多少？", "十四亿。"), "印度呢？", "印度的人口是多少？"),
        (("合同第一年的押金是多少？", "三千元。"), "第二年的租金呢？", "合同第二年的租金？"),
        (TEA, "属于哪一类茶？", "龙井茶属于哪一类茶？"),
        (("如何冲泡龙井茶？", "用热水。"), "那要多长时间？", "龙井茶要多长时间？"),
    ],
)
def test_a_follow_up_is_made_to_stand_by_itself(before, question, expected):
    assert standalone(question, exchanges([before])) == expected


@pytest.mark.parametrize("question", STANDS)
def test_a_question_that_stands_by_itself_is_left_letter_by_letter(question):
    assert standalone(question, [Exchange(*TEA)]) == question


def test_without_anything_before_a_question_is_left_as_it_is():
    assert standalone("它的价格是多少？", []) == "它的价格是多少？"


def test_the_topic_is_carried_over_several_follow_ups():
    history = exchanges([TEA, ("它的价格是多少？", "每斤八百元。"), ("为什么？", "产量少。")])
    assert standalone("水温呢？", history) == "龙井茶的水温？"
    assert [exchange.query for exchange in with_queries(history)][:2] == ["龙井茶产于哪里？", "龙井茶的价格是多少？"]


def test_a_query_that_is_known_is_not_made_again():
    known = Exchange("它的水温呢？", "八十度。", query="碧螺春的水温是多少？")
    assert standalone("价格呢？", [Exchange(*TEA), known]) == "碧螺春的价格？"


def test_history_is_taken_as_pairs_exchanges_and_messages():
    messages = [SystemMessage("守则"), HumanMessage("一？"), AIMessage("壹。"), HumanMessage("没有回答？")]
    expected = (Exchange("一？", "壹。"), Exchange("二？", "贰。"), Exchange("三？", "叁。"))
    assert exchanges([*messages, ("二？", "贰。"), Exchange("三？", "叁。")]) == expected


@pytest.mark.parametrize("turn", ["一？", ("一？",), ("一？", None), 3, {"question": "一？"}])
def test_anything_else_as_history_is_refused_by_name(turn):
    with pytest.raises(ConfigError, match="history holds"):
        exchanges([turn])


words = st.sampled_from(
    [
        "它",
        "该公司",
        "那",
        "呢",
        "为什么",
        "还有",
        "第二年",
        "2023年",
        "龙井茶",
        "《茶经》",
        "的",
        "价格",
        "是多少",
        "怎么泡",
        "其中",
        "这种茶",
        "？",
        "，",
        "。",
        "\n",
        "a",
        "Ⅷ",
        "也一样吗",
        "除此之外",
        "如果",
        "𠀀",
        "﷽",
        "的的",
    ]
)
questions = st.lists(words, max_size=7).map("".join) | st.text(max_size=20)


@given(questions, st.lists(st.tuples(questions, questions), max_size=3))
def test_no_question_breaks_the_rules_and_none_vanishes(question, history):
    made = standalone(question, exchanges(history))
    assert made.strip() or not question.strip()
    if leaning(question) is None:
        assert made == question


@given(st.text(max_size=40))
def test_simplified_keeps_every_character_in_its_place(text):
    assert len(phrases.simplified(text)) == len(text)
