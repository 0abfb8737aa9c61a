"""What a question asks about, apart from the words that only ask. Pure; in either script.

Knows nothing about passages.
"""

import re
from functools import cache

from chinese_llm_rag.chinese_script import one_script
from chinese_llm_rag.chinese_text import normalize

# Words that ask, point, or politely wrap a question, and the particles between words.
_ASKING_WORDS = """
有什么 有哪些 有多少 有几个 有几种 有何
什么时候 什么地方 什么样 什么 为什么 为何 怎么样 怎么办 怎么 怎样 如何 多少 多久 多大 多长 多高 多远 多深
几个 几次 几种 几年 几月 几天 哪个 哪些 哪里 哪儿 哪年 哪一年 哪一 哪种 哪位 哪 谁 何时 何地 何处 何人 何种
是否 能否 可否 有没有 是不是 能不能 可不可以 请问 告诉我 我想知道 介绍一下 介绍 说明 解释 一下
以及 还有 并且 关于 对于 根据 按照 其中 属于 叫做 称为 进行 可以 能够 应该 应当 需要 必须
这个 这些 那个 那些 我们 吗 呢 吧 啊 是 在 的 了 和 与 或 及 被 把 这 那 它 他 她 您 你 我 也
"""
# Longer words first, so that they go as a whole; 请 only where the question begins, not in 请假.
_ASKING = "|".join([*sorted(_ASKING_WORDS.split(), key=len, reverse=True), "^请"])
_ASKING_ENGLISH_WORDS = """
what which who whom whose when where why how is are was were be do does did can could should will would the an of
in on at to for from by with and or not it its this that there much many long please tell me about
"""
ASKING_ENGLISH = frozenset(_ASKING_ENGLISH_WORDS.split())
# What asks how or why, or for all there is to say.
_OPEN = (
    r"总结|概[述括]|介绍|[描论简]述|说明|解释|分析|谈谈|讨论|评价|比较|对比|区别|列[举出]|如何|怎[么样]|为什么|为何|原因|哪些"
    r"|有什么|什么[是样]|什么.{0,2}(?:措施|举措|影响|作用|意义|特点)"
    r"|\b(?:how(?! (?:many|much|long|old|far|tall))|why|describe|explain)\b"
)
_ASKS_FOR_TIME = r"何[时年月日]|什么时[候间]|什么日[期子]|[哪几][一]?[年月天日号]|[时日][间期]|\bwhen\b"
_ASKS_HOW_MANY = r"几|多少|数[量目]|\b(?:how many|number of)\b"
_JOINS = r"和|与|跟|及|同|、|还是|比较|\b(?:and|or|versus|vs)\b"
_ENGLISH = re.compile(r"[a-z]+")


def content_of(question: str) -> str:
    """The question in normal form and one script, with commas in place of the words that only ask."""
    text = _in_one_script(_ASKING).sub("，", _compared(question))  # a space would join what stands around it
    return _ENGLISH.sub(lambda match: " " if match[0] in ASKING_ENGLISH else match[0], text)


def asks_for_one(question: str) -> bool:
    """Whether a question asks for one name, number, date or place, so that two answers cannot both be right."""
    return _in_one_script(_OPEN).search(_compared(question)) is None


def asks_for_time(question: str) -> bool:
    """Whether a question asks when."""
    return _in_one_script(_ASKS_FOR_TIME).search(_compared(question)) is not None


def speaks_of_two(question: str) -> bool:
    """Whether a question joins what it asks about, and does not ask how many there are: 两家 is its own count then."""
    text = _compared(question)
    return _in_one_script(_JOINS).search(text) is not None and _in_one_script(_ASKS_HOW_MANY).search(text) is None


def _compared(question: str) -> str:
    return normalize(one_script(question))


@cache
def _in_one_script(pattern: str) -> re.Pattern[str]:
    return re.compile(one_script(pattern))
