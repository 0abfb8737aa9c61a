"""What a line with a heading's mark is, by itself: a heading, an item with text behind its mark, or neither. Pure."""

import re
from typing import Literal

from chinese_llm_rag.chinese_text import display_width, ends_sentence
from chinese_llm_rag.text_splitters.heading_marks import ARTICLE, SPACE, HeadingMark

# "line": the whole line is the heading. "lead": its first sentence is. "run": only the mark is, text follows it.
Shape = Literal["line", "lead", "run"]

_TAIL = 80  # characters at the end of a line that show how it ends
_WIDE = 56  # columns; a line of text is as wide, most headings are not
_WIDEST = 80  # of a heading after 第N章
_ENDS_TEXT = "。；;，,、．.：:"  # no heading ends with these
_ENDS_WEAK = _ENDS_TEXT + "!！…—"
_INSIDE_TEXT = re.compile("[。；;]")
_PUNCTUATION = re.compile("[，。；：、！？,;:?!]")
_WORD = re.compile(r"[^\W_]")
_LETTER = re.compile(r"[^\W\d_]")
# What follows 第N章 where a text speaks of the chapter, or counts something by 条, 回, 节: 第一条消息, 第二回合.
_JOINS = "，、。；,;)）》」”~～—"
_REFERS = re.compile(rf"[{_JOINS}和與与及或至到之]|-\s?第|第[^页頁]{{1,6}}[页頁]")
_REFERS_GLUED = re.compile(
    r"[的地得所规規中内內里裡将將第是有在说說讲講了被把就都也里课課合头頭门門目口车車路线線腿鱼魚河街裤褲新消信短]|以[上下前后後内內外]"
)
_REFERS_TO_ARTICLE = re.compile(
    r"[的得所规規内內里裡是说說讲講了把被就都也第路线線腿鱼魚河街裤褲消信短]|中(?![华華国國央])|以[上下前后後内內外]|新[闻聞消]|建[议議]"
)
_AFTER_MARK = "：:【[（(《〈「"
# What a line ends with that goes on in the next one.
_GOES_ON = re.compile(
    r"(?:[，、,（(《“「和与與及或至]|依照|按照|依据|依據|根据|根據|违反|違反|参见|參見|详见|詳見|适用|適用|[见見]|本[法规規章]|条例|條例)$"
)
_LEAD = re.compile(rf"[^。！？!?；;：:\n]{{2,24}}。(?=[\"”’）)]?{SPACE}*\S)")
_LEADER = re.compile(r"(?:[.．·…]\s?){3,}\s*\S{0,6}$")
_QUANTITY = re.compile(
    r"[\d.,，]*\s*(?:[%％‰℃°倍成亿億万萬千百元吨噸年月日号號时時分秒岁歲个個人名位次种種项項家台辆輛件条條篇页頁米克升]|美元|公里|千米|厘米|毫米|公斤|千克|毫升|小时|小時"
    r"|[kKmMgGtT]?[bB]\b|[kcm]?m\b|k?g\b|GHz|MHz)+(?=$|[\s，。、；：,;:)）的以左至到和与與及/])"
)
_LINE = re.compile(r"\s*\n[^\S\n]*([^\n]*\S)")  # the next one that is not blank
_BRACKET_TITLE = re.compile(rf"{SPACE}*(?:【[^】\n]{{1,30}}】|[（(][^）)\n]{{1,30}}[）)])")


def shape_of(text: str, mark: HeadingMark) -> Shape | None:
    """What the line is that begins with the mark; None where the mark only looks like one."""
    rest = rest_of(text, mark)
    if mark.style == "hashes":
        return "line" if _WORD.search(rest) else None
    if _LEADER.search(rest[-_TAIL:]) or _goes_on_into(text, mark) or _in_contents(text, mark, rest):
        return None
    if mark.style == "named":
        return "line"
    if mark.rank == ARTICLE:
        return _article(text, mark, rest)
    if mark.group in ("ordinal", "named"):
        return _chapter(text, mark, rest)
    shape = _weak(mark, rest)
    return None if shape != "line" and text[mark.end - 1] == "\u3000" else shape


def rest_of(text: str, mark: HeadingMark) -> str:
    """What stands behind the mark on its line."""
    return text[mark.end : mark.line_end].strip().strip("*_").strip()


def is_glued(text: str, mark: HeadingMark) -> bool:
    """Whether the text goes on directly behind the mark, so that only others like it make it a heading."""
    if mark.end >= mark.line_end:
        return False
    following = text[mark.end]
    return not following.isspace() and following not in _AFTER_MARK and following not in "*_"


def run_in_end(text: str, mark: HeadingMark, shape: Shape) -> int:
    """Where the heading ends on a line that goes on with text."""
    if shape == "line":
        return mark.line_end
    if shape == "lead":
        found = _LEAD.search(text, mark.end, mark.line_end)
        return found.end() if found else mark.end
    title = _BRACKET_TITLE.match(text, mark.end, mark.line_end) if mark.rank == ARTICLE else None
    return title.end() if title else mark.end


def _goes_on_into(text: str, mark: HeadingMark) -> bool:
    """Whether the line before breaks off, so that the mark stands inside a sentence."""
    end = mark.start
    while end and text[end - 1] in " \t\u3000\xa0*_":
        end -= 1
    if not end or text[end - 1] != "\n":
        return False
    start = text.rfind("\n", 0, end - 1) + 1
    before = text[start : end - 1].strip()
    if not before or before.startswith(("#", "|")):
        return False
    if _GOES_ON.search(before[-_TAIL:]):
        return True
    exempt = mark.group in ("ordinal", "han", "question")  # clear enough in text whose lines are broken anywhere
    return not exempt and not ends_sentence(before) and _is_wide(before)


def _in_contents(text: str, mark: HeadingMark, rest: str) -> bool:
    """Whether the line is an entry of a table of contents: beside others whose dots lead to a page number."""
    following = _LINE.match(text, mark.line_end)
    if following and _LEADER.search(following[1][-_TAIL:]):
        return True
    if not rest or not rest[-1].isdigit():
        return False
    end = text.rfind("\n", 0, mark.start)
    before = text[text.rfind("\n", 0, max(end, 0)) + 1 : max(end, 0)]
    return _LEADER.search(before.rstrip()[-_TAIL:]) is not None


def _article(text: str, mark: HeadingMark, rest: str) -> Shape | None:
    if not rest:
        return "line"
    glued = is_glued(text, mark)
    if rest[0] in _JOINS or (glued and (_REFERS.match(rest) or _REFERS_TO_ARTICLE.match(rest))):
        return None
    if glued or rest[-1] in _ENDS_WEAK or _is_wide(rest) or _INSIDE_TEXT.search(rest):
        return "run"
    return "line"


def _chapter(text: str, mark: HeadingMark, rest: str) -> Shape | None:
    if not rest:
        return "line"
    if (
        len(rest) > _WIDEST
        or display_width(rest) > _WIDEST
        or rest[-1] in _ENDS_TEXT
        or _INSIDE_TEXT.search(rest)
        or _REFERS.match(rest)
    ):
        return None
    if is_glued(text, mark):
        counted = mark.rank in (34, 36) or mark.style == "appendix"  # 第一款规定, 附件一所列
        if counted or _is_wide(rest) or _PUNCTUATION.search(rest) or _REFERS_GLUED.match(rest):
            return None
    return "line"


def _weak(mark: HeadingMark, rest: str) -> Shape | None:
    if not _LETTER.search(rest):
        return None
    numeric = mark.group in ("decimal", "arabic")
    if numeric and _QUANTITY.match(rest):
        return None
    if _is_heading_like(rest):
        return "line"
    if mark.style == "bare":
        return None
    if mark.group == "question":
        return "run"
    return "lead" if _LEAD.match(rest) else "run"


def _is_heading_like(rest: str) -> bool:
    if rest[-1] in _ENDS_WEAK and rest[-1] not in "：:":
        return False
    return not _is_wide(rest) and not _INSIDE_TEXT.search(rest)


def _is_wide(line: str) -> bool:
    return len(line) >= _WIDE or (len(line) * 2 >= _WIDE and display_width(line) >= _WIDE)
