"""Questions out of documents without a model: a clause with one number, name or term replaced by a question word.

"黄河发源于青海省的巴颜喀拉山脉，全长约5464公里。" gives "全长约多少公里？" only where no other sentence could be
meant (ambiguity.py), so the clause is widened until it has words enough.
"""

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from chinese_llm_rag.chinese_text import HAN, iter_sentences
from chinese_llm_rag.evaluation.ambiguity import with_one_place, words_of
from chinese_llm_rag.evaluation.locate import SourceText
from chinese_llm_rag.evaluation.questions import Evidence, Question
from chinese_llm_rag.schema import Span

_SENTENCE_CHARS = range(12, 121)
_ENDS = "。！；．;.”」"  # a half-width stop after Chinese too, as in papers
_QUESTION_CHARS = 60
_MIN_WORDS = 6  # pairs of characters of a question, beside its question word
_CANDIDATES = 6  # looked at for each question that is wanted, since most have several places
_MIN_HAN_SHARE = 0.5
_CLAUSE_ENDS = re.compile("[，；：、,;:]")
# What such a clause is about stands before it.
_LEANS_BACK = re.compile(
    "这|那|该|其|它|他|她|此|上述|以上|以下|前者|后者|前款|同时|因此|所以|因而|但|而|并|且|则|即|又|也|还|另|从而|于是"
)
_NUMERAL = "[〇零一二三四五六七八九十百千万亿两]"
_FUNCTION = "的了在是和与或及不有为以其等而被把将"
_NAME = f"(?:(?![{_FUNCTION}]){HAN}){{2,10}}"
_CLAUSE_END = "(?=[，。；、．,;.])"
# What a number counts; not a part of a date or of the numbering of a text.
_COUNTED = rf"(?=%|{HAN})(?!年|月|日|号|时|分(?!钟)|万\d|章|节|条|款|项|页)"

# Each kind: what is asked for (group 1) and the word that asks for it.
_BLANKS: tuple[tuple[str, re.Pattern[str], str], ...] = (
    ("year", re.compile(r"(?<![\d.])(\d{4})(?=年(?!代))"), "哪一"),
    ("number", re.compile(rf"(?<![\dA-Za-z.,:：/\-—~～至第])(\d+(?:[,.]\d+)*){_COUNTED}"), "多少"),
    (
        "number",
        re.compile(
            rf"(?<!{_NUMERAL})(?<!第)((?:[一二三四五六七八九两]+[十百千万亿]|十){_NUMERAL}*)(?!{_NUMERAL}){_COUNTED}"
        ),
        "多少",
    ),
    ("title", re.compile("(《[^《》]{2,20}》)"), "什么"),
    ("term", re.compile("([“「][^“”「」]{2,12}[”」])"), "什么"),
    ("place", re.compile(f"(?:位[于於]|[发發]源[于於]|[产產][于於]|生[于於]|[来來]自)({_NAME}){_CLAUSE_END}"), "哪里"),
    (
        "name",
        re.compile(
            "(?:[属屬][于於]|[称稱][为為]|叫做|叫作|[简簡][称稱]|又名|[毕畢][业業][于於]|任[职職][于於]|[担擔]任|包括|包含|使用|[采採]用"
            f"|根[据據]|按照|依照|通[过過]|提交|提供|[发發]布|[负負][责責]|[调調]用|[选選][择擇]|[设設]置)({_NAME}){_CLAUSE_END}"
        ),
        "什么",
    ),
    (
        "name",
        re.compile(
            f"(?<=由)({_NAME})(?=[负負][责責]|[组組]成|承[担擔]|管理|[编編]制|制定|批准|[签簽]署|主[办辦]|承[办辦]|保管)"
        ),
        "谁",
    ),
    (
        "name",
        re.compile(r"(?<![A-Za-z0-9@.\\_/\-])([A-Za-z][A-Za-z0-9.+\-]+[A-Za-z0-9+])(?![A-Za-z0-9@_/+\-])"),
        "什么",
    ),
)


@dataclass(frozen=True, slots=True)
class _Blank:
    """A clause of a document, and what is asked for in it; both in characters of the document."""

    clause: Span
    answer: Span
    word: str
    kind: str


def make_cloze_questions(documents: Sequence[SourceText], n_questions: int, *, seed: int = 0) -> list[Question]:
    """Up to `n_questions`, drawn over the documents in turn, each answered in one place only.

    The evidence is the clause with its answer, as a span. The same documents and seed give the same questions.
    """
    drawn = _drawn(documents, n_questions * _CANDIDATES, random.Random(seed))  # noqa: S311  (no secret)
    return _in_turn(with_one_place(drawn, documents))[:n_questions]


def _drawn(documents: Sequence[SourceText], n_candidates: int, chance: random.Random) -> list[Question]:
    """Candidates of all documents, as many of each as there is room for."""
    of_each = max(2, 2 * n_candidates // max(1, len(documents)))
    candidates: list[Question] = []
    for document in documents:
        candidates += islice(_candidates(document, chance), of_each)
    chance.shuffle(candidates)
    return _in_turn(candidates)[:n_candidates]


def _in_turn(questions: Iterable[Question]) -> list[Question]:
    """The first of each document, then the second of each, and so on."""
    seen: dict[str, int] = {}
    placed = []
    for question in questions:
        document = question.doc_ids[0]
        seen[document] = seen.get(document, 0) + 1
        placed.append((seen[document], question))
    return [question for _, question in sorted(placed, key=lambda item: item[0])]


def _candidates(document: SourceText, chance: random.Random) -> Iterator[Question]:
    """At most one question a sentence, from the document's sentences in any order."""
    text = document.text
    sentences = list(iter_sentences(text))
    chance.shuffle(sentences)
    for sentence in sentences:
        bare = text[sentence.start : sentence.end].rstrip()
        if not _is_informative(bare):
            continue
        blanks = _blanks(text, Span(sentence.start, sentence.start + len(bare)))
        asked = [(blank, wording) for blank in blanks if (wording := _wording(text, blank))]
        if asked:
            blank, wording = chance.choice(asked)
            answer = text[blank.answer.start : blank.answer.end].strip("《》“”「」")
            yield Question(
                id=f"{document.doc_id[:12]}-{blank.answer.start}",
                question=wording,
                answers=(answer,),
                doc_ids=(document.doc_id,),
                evidence=(Evidence((answer,), (document.doc_id,), blank.clause),),
                kind=f"cloze-{blank.kind}",
            )


def _is_informative(sentence: str) -> bool:
    """Whether it is a sentence of prose: ended, of some length, mostly Chinese, on one line, no row of a table."""
    if len(sentence) not in _SENTENCE_CHARS or sentence[-1] not in _ENDS or "\n" in sentence or "|" in sentence:
        return False
    return len(re.findall(HAN, sentence)) >= _MIN_HAN_SHARE * len(sentence)


def _blanks(text: str, sentence: Span) -> Iterator[_Blank]:
    for kind, pattern, word in _BLANKS:
        for match in pattern.finditer(text, sentence.start, sentence.end):
            answer = Span(*match.span(1))
            before = text[sentence.start : answer.start]
            if before.strip() and _balanced(before):  # at the beginning it is a list's; in brackets it is an aside
                yield _Blank(_clause(text, sentence, answer), answer, word, kind)


def _clause(text: str, sentence: Span, answer: Span) -> Span:
    """The clause around the answer, with those before it, and then after it, until it has words enough."""
    cuts = [sentence.start, *(m.end() for m in _CLAUSE_ENDS.finditer(text, sentence.start, sentence.end)), sentence.end]
    starts = [cut for cut in cuts if cut <= answer.start]
    ends = [cut for cut in cuts if cut >= answer.end]
    start, end = starts.pop(), ends.pop(0)
    while len(words_of(text[start : answer.start])) + len(words_of(text[answer.end : end])) < _MIN_WORDS:
        if starts:
            start = starts.pop()
        elif ends:
            end = ends.pop(0)
        else:
            break
    return Span(start, end)


def _wording(text: str, blank: _Blank) -> str:
    """The question; empty where the clause leans on what is before it, or says too little or too much."""
    before, after = text[blank.clause.start : blank.answer.start], text[blank.answer.end : blank.clause.end]
    if _LEANS_BACK.match(before.lstrip("“「（(")) or len(words_of(before)) + len(words_of(after)) < _MIN_WORDS:
        return ""
    wording = " ".join(f"{before}{blank.word}{after}".split()).rstrip("，。；：、！．,;:!.”」 ")
    return f"{wording}？" if len(wording) <= _QUESTION_CHARS and _balanced(wording) else ""


def _balanced(text: str) -> bool:
    """Whether every bracket and quote that is opened is closed."""
    return all(
        text.count(opened) == text.count(closed) for opened, closed in ("（）", "()", "“”", "「」", "《》", "【】")
    )
