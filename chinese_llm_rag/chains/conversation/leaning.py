"""Does a question lean on what was said before? Rules over its words; pure, and no model.

A question leans by a pronoun (它的价格), a word that points (这个、该公司、前者), as a fragment (那第二年呢, 为什么),
by going on (还有呢, 详细说说), or by an ellipsis: it names an attribute or what happens, and not of what (价格是多少,
什么时候成立的). A pronoun whose noun stands in the question itself does not lean (公司和它的子公司).

Where the rules cannot tell, a question stands by itself: it is asked as the user wrote it.
"""

import re
from collections.abc import Callable
from typing import Literal

from chinese_llm_rag.chains.conversation import phrases

Leaning = Literal["pronoun", "pointing", "fragment", "continuation", "ellipsis"]

# 他 and 其 are parts of other words too; 该 is an auxiliary but before a noun.
PRONOUN = re.compile(r"(?:(?<!其)[它她]|(?<![其吉利排])他(?![人国乡])(?!命))们?")
_NOUN_AFTER_THIS = (
    "公司|企业|单位|机构|组织|部门|集团|学校|医院|项目|产品|系统|设备|合同|协议|规定|办法|条例|制度|政策|文件|报告|方法|技术|药|疾?病|书|作品|电影"
    "|城市|地区|员工|用户|客户|事件|问题|情况|行为|指标|数据|物|建筑|工程|标准|软件|平台|模型|算法|球队|乐队|节目|船|车|[条款项类种年月期地校院法国省市县人案剧片曲岛山河湖机]"
)
POINTING = re.compile(
    rf"(?<!应)(?<!活)该(?={_NOUN_AFTER_THIS})"
    r"|这(?!么多年|个?世[界上])"
    r"|(?<!刹)那(?=[个些种里次时年款位家份本项条类样段笔场张天])"
    r"|(?<![与尤极何耳])其(?![他它余实次乐])"
    r"|(?<![因由从彼至如])此(?=[类项种人处地书法案举])|对此"
    r"|前者|后者|两者|二者|三者"
    r"|上述|(?:^|[，,在对把将])以上(?!学历|职)|上面(?:的|提|说|讲)|刚才|前面(?:的|提|说|讲)|之前(?:提到|说|讲)|上一[个条点问题]|你(?:说|提到|讲)"
)
_CONNECTS = re.compile(
    r"^(?:那么|那(?![个些种里次时年款位家份本项条类样段笔场张天曲英坡]|拉提|不勒斯)"
    r"|好的?|嗯|哦|对了|另外|顺便问一下|再问一下|还想问)[，, ]*"
)
_POLITE = re.compile(r"^(?:请问|请告诉我|我想知道|我想问(?:一下)?|麻烦问一下)[，, ]*")
_BESIDE = re.compile(r"^(?:除此之外|除此以外|除此而外|此外|除了这|同样|相比之下|相比而言)")
_SUPPOSES = re.compile(r"^(?:如果|要是|假如|假设|万一)")
_DEFINES = re.compile(r"^(?:什么(?:是|叫)|何谓|何为|谁是)|(?:是什么意思|指什么|指的是什么|怎么定义)$")
_ALSO = re.compile(r"也(?:是|一样|如此|同样|适用|可以|行|要|算|能|包括|属于)吗?$")
# A predicate whose subject is left out.
_BEGINS_WITH_PREDICATE = re.compile(
    r"^(?:是(?![谁否]|不是|什么)|属于|享年|有(?=什么|哪|几|多少|何)|(?:位于|由)(?=什么|哪|何)|被(?=谁|哪|什么|何|称|认为|誉))"
)
_QUOTES = re.compile(r"[《「『“\"]")
# The word itself that was named, as in “胜任力”这个词.
_NAMED_WORD = re.compile(r"(?:[》」』”\"]|[a-z0-9])这(?:个|一)?(?=[词字名概])")
# Between a noun and the pronoun that stands for it: a clause's end, or a word that sets the two side by side.
_BINDS = re.compile(r"[，,；;：:。？?]|(?:和|与|及|以及|跟|同|或|把|将|使|导致|因为)$")
_SUFFIX_OF_FRAGMENT = "呢"
_FRAGMENT_CHARS, _SUPPOSED_CHARS = 12, 24
# Of a question in English: what it stands for is not in it. "how long does it take to ..." means nothing by "it".
_ENGLISH = re.compile(
    r"\bit\b(?!.*\b(?:to|that|if)\b)|\b(?:its|they|them|their|he|him|his|she|her|these|those)\b"
    r"|^(?:and |so |but )?(?:what|how) about\b|^(?:and |so |but )?(?:why|how|when|where|who)(?: not| so)?$"
)


def leaning(question: str) -> Leaning | None:
    """In what way a question leans on what was said before; None where it stands by itself."""
    text = phrases.plain(question)
    if not phrases.han_count(text):
        return "pronoun" if _ENGLISH.search(text) else None
    text, connected = without_opening(_NAMED_WORD.sub("", text))
    return next(
        (kind for kind, leans in _RULES if leans(text)), "ellipsis" if _is_ellipsis(text, connected=connected) else None
    )


def without_opening(text: str) -> tuple[str, bool]:
    """A plain question without polite words and 那么 at its beginning, and whether it began with the latter."""
    rest = _POLITE.sub("", text)
    connects = _CONNECTS.match(rest)
    return (_POLITE.sub("", rest[connects.end() :]), True) if connects else (rest, False)


def _is_fragment(text: str) -> bool:
    if not phrases.content(text):
        return True
    if text.endswith(_SUFFIX_OF_FRAGMENT) and not phrases.asks(text):
        return len(text) <= (_SUPPOSED_CHARS if _SUPPOSES.match(text) else _FRAGMENT_CHARS)
    return re.fullmatch(rf"(?:{phrases.WHICH}|[的和])+", text) is not None


def _goes_on(text: str) -> bool:
    return bool(_BESIDE.match(text) or _ALSO.search(text)) or not phrases.content_beside_more(text)


def _has_pronoun(text: str) -> bool:
    return any(not _bound(text[: match.start()]) for match in PRONOUN.finditer(text))


def _points(text: str) -> bool:
    return any(not _bound(text[: match.start()], of=match[0]) for match in POINTING.finditer(text))


def _bound(before: str, of: str = "") -> bool:
    """Whether the noun that a pronoun stands for is in the question before it."""
    if phrases.han_count(phrases.content(before)) < 2:
        return False
    return of in ("其", "对此", "两者", "二者", "三者", "前者", "后者") or bool(_BINDS.search(before))


def _is_ellipsis(text: str, *, connected: bool) -> bool:
    if _DEFINES.search(text) or _QUOTES.search(text):
        return False
    rest = phrases.named(text)
    if not rest or _BEGINS_WITH_PREDICATE.match(text):
        return True
    single = len(rest) == 1 and phrases.han_count(rest) == 1
    return single and not text.startswith(f"{rest}是") and (connected or not text.startswith(rest))


_RULES: tuple[tuple[Leaning, Callable[[str], bool]], ...] = (
    ("fragment", _is_fragment),
    ("continuation", _goes_on),
    ("pronoun", _has_pronoun),
    ("pointing", _points),
)
