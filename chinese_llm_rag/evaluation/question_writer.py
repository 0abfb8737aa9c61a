"""Questions out of documents by a language model: one on each of some passages, with an answer that stands there.

What a model writes is taken only where it can be checked: the answer stands verbatim in the passage, and no other
sentence of the documents fits the question (ambiguity.py).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel, BaseLanguageModel
from langchain_core.messages import HumanMessage

from chinese_llm_rag.chinese_text import iter_sentences
from chinese_llm_rag.evaluation.ambiguity import with_one_place, words_of
from chinese_llm_rag.evaluation.base_texts import document_of
from chinese_llm_rag.evaluation.holding import comparable, stands_in
from chinese_llm_rag.evaluation.locate import SourceText
from chinese_llm_rag.evaluation.questions import Evidence, Question
from chinese_llm_rag.prompts import FEW_SHOT_DEMONSTRATIONS, FEW_SHOT_ITEM
from chinese_llm_rag.schema import Span

CHAT_PROMPT = (
    "资料：\n{context}\n\n"
    "请就以上资料提出一个问题。要求：问题具体，不看资料也能明白问的是什么，不用“文中”“该”“本”一类的说法，"
    "尽量不照抄原句；答案是资料中的一个短语。只输出两行：\n问题：……\n答案：……"
)
_REPLY = re.compile(r"(?:问题\s*[：:]\s*)?(?P<question>[^\n]+?)\s*\n+\s*答案\s*[：:]\s*(?P<answer>[^\n]+)")
_STOP = ["\n\n", "\n段落"]
_QUESTION_CHARS = range(6, 61)
_ANSWER_CHARS = range(1, 31)
# A question that points at its passage cannot be asked of a whole base.
_POINTS = re.compile("文中|本文|上文|下文|资料|段落|材料|作者|这段|该段|根据以上")
_MIN_SHARED = 0.15  # of the question's words that the passage holds; paraphrases share few


def write_questions(
    llm: BaseLanguageModel[Any],
    passages: Sequence[Document],
    documents: Sequence[SourceText],
    n_questions: int,
    *,
    on_progress: Callable[[int, int], None] = lambda done, total: None,  # noqa: ARG005
) -> list[Question]:
    """Up to `n_questions`; fewer where the passages are used up.

    Args:
        llm: a chat model is asked in turns, any other completes the examples of the few-shot prompt.
        passages: chunks of a knowledge base, more than questions are wanted: not every reply is of use.
        documents: all of the base, to see that a question has one place.
        n_questions: how many.
        on_progress: told the number of questions written, and of those wanted.
    """
    written: dict[str, Question] = {}
    for question in islice(_written(llm, passages), n_questions):
        written.setdefault(question.id, question)  # overlapping passages can give the same sentence twice
        on_progress(len(written), n_questions)
    return with_one_place(list(written.values()), documents)


def _written(llm: BaseLanguageModel[Any], passages: Iterable[Document]) -> Iterator[Question]:
    for passage in passages:
        context = " ".join(passage.page_content.split())
        if isinstance(llm, BaseChatModel):
            reply = str(llm.invoke([HumanMessage(CHAT_PROMPT.format(context=context))]).text)
        else:
            reply = str(llm.invoke(_few_shot(context), stop=_STOP))
        if question := parse_reply(reply, passage):
            yield question


def _few_shot(context: str) -> str:
    items = [FEW_SHOT_ITEM.format(**demonstration) for demonstration in FEW_SHOT_DEMONSTRATIONS]
    asked = FEW_SHOT_ITEM.format(context=context, question="", answer="").partition("问题：")[0]
    return "\n\n".join([*items, f"{asked}问题："])


def parse_reply(reply: str, passage: Document) -> Question | None:
    """The question that a model wrote on a passage; None where it cannot be used."""
    match = _REPLY.search(reply.strip())
    if match is None:
        return None
    question, answer = match["question"].strip(), match["answer"].strip().rstrip("。")
    text = passage.page_content
    words = words_of(question)
    usable = (
        len(question) in _QUESTION_CHARS
        and len(answer) in _ANSWER_CHARS
        and not _POINTS.search(question)
        and not stands_in(answer, comparable(question))
        and len(words & words_of(text)) >= _MIN_SHARED * max(1, len(words))
    )
    place = _sentence_with(answer, passage) if usable else None
    if place is None:
        return None
    doc_id = document_of(passage)
    return Question(
        id=f"{doc_id[:12]}-{place.start}",
        question=question,
        answers=(answer,),
        doc_ids=(doc_id,),
        evidence=(Evidence((answer,), (doc_id,), place),),
        kind="written",
    )


def _sentence_with(answer: str, passage: Document) -> Span | None:
    """The first sentence of the passage that holds the answer, in characters of the document."""
    for span in iter_sentences(passage.page_content):
        sentence = passage.page_content[span.start : span.end]
        if stands_in(answer, comparable(sentence)):
            start = int(passage.metadata["start"]) + span.start
            return Span(start, start + len(sentence.rstrip()))
    return None
