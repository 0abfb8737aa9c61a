"""A question set made to fit documents: what its names of files mean, and where its evidence stands."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.evaluation.holding import comparable, stands_in
from chinese_llm_rag.evaluation.questions import Evidence, Question, QuestionSet
from chinese_llm_rag.language import say

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class SourceText:
    """A document as its passages are told by.

    Attributes:
        doc_id: what the retriever's passages say they come from.
        names: what questions may call it: paths, file names, ids.
        text: all of it; spans of passages and evidence count in it.
    """

    doc_id: str
    names: tuple[str, ...]
    text: str


def locate(questions: QuestionSet, sources: Iterable[SourceText]) -> QuestionSet:
    """The set with document ids in place of names, and with evidence that stands in the documents.

    A question without evidence gets its answers as evidence. Evidence that stands nowhere verbatim, and names of
    documents that are not there, are left out and counted in the notes.

    Args:
        questions: as read from a file.
        sources: all documents.

    Raises:
        ConfigError: nothing of what the questions name is there, or a name fits several documents.
    """
    documents = list(sources)
    ids, missing = _ids_of(questions.questions, documents)
    named = [_renamed(question, ids) for question in questions.questions]
    wanted = [_wanted(question) for question in named]
    found = _standing([item for items in wanted for item in items], documents)
    placed = tuple(
        replace(question, evidence=tuple(item for item in items if item in found))
        for question, items in zip(named, wanted, strict=True)
    )
    n_lost = sum(bool(items) and not question.evidence for question, items in zip(placed, wanted, strict=True))
    if not any(question.doc_ids or question.evidence or not question.answerable for question in placed):
        raise ConfigError(
            say(
                f"none of the {len(placed)} questions of {questions.origin!r} has a document, an answer or evidence "
                "in these documents",
                f"{questions.origin!r} 的 {len(placed)} 个问题所给的文件、答案和依据在这些文档中都不存在",
            ),
            setting="questions",
            hint=say(
                "evaluate on the documents that the questions are about: clrag eval PATH --questions FILE",
                "请在问题所针对的文档上评测：clrag eval 路径 --questions 文件",
            ),
        )
    notes = (*questions.notes, *_notes(questions, missing, n_lost))
    return replace(questions, questions=placed, notes=notes)


def _ids_of(questions: Sequence[Question], documents: Sequence[SourceText]) -> tuple[dict[str, str], list[str]]:
    """Document ids by the names that questions use, and the names that are no document's."""
    known: defaultdict[str, set[str]] = defaultdict(set)
    for document in documents:
        for name in document.names:
            path = PurePath(name)
            tails = ("/".join(path.parts[-n:]) for n in range(1, len(path.parts)))
            for key in {document.doc_id, name, path.stem, *tails}:
                known[key].add(document.doc_id)
    ids: dict[str, str] = {}
    missing: dict[str, None] = {}
    for question in questions:
        for name in (*question.doc_ids, *(name for item in question.evidence for name in item.doc_ids)):
            fitting = known.get(name.replace("\\", "/")) or set()
            if len(fitting) > 1:
                raise ConfigError(
                    say(
                        f"question {question.id!r}: {name!r} is the name of {len(fitting)} documents",
                        f"问题 {question.id!r}：{name!r} 对应 {len(fitting)} 个文档",
                    ),
                    setting="questions",
                    hint=say("give more of its path", "请给出更完整的路径"),
                )
            if fitting:
                ids[name] = next(iter(fitting))
            else:
                missing[name] = None
    return ids, list(missing)


def _renamed(question: Question, ids: dict[str, str]) -> Question:
    evidence = [replace(item, doc_ids=_known(item.doc_ids, ids)) for item in question.evidence]
    return replace(
        question,
        doc_ids=_known(question.doc_ids, ids),
        # A span means nothing without its document; a text is looked for everywhere then.
        evidence=tuple(item for item in evidence if item.span is None or item.doc_ids),
    )


def _known(names: Iterable[str], ids: dict[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ids[name] for name in names if name in ids))


def _wanted(question: Question) -> tuple[Evidence, ...]:
    """What the passages should hold: the evidence, or else each part of the answer."""
    if question.evidence or not question.answerable:
        return question.evidence
    parts = question.answer_parts or ((question.answers,) if question.answers else ())
    return tuple(Evidence(part, question.doc_ids) for part in parts)


def _standing(wanted: Sequence[Evidence], documents: Iterable[SourceText]) -> set[Evidence]:
    """The evidence that stands in the documents, one document at a time."""
    found = {item for item in wanted if item.span is not None}
    open_items = dict.fromkeys(item for item in wanted if item.span is None)
    anywhere = [item for item in open_items if not item.doc_ids]
    by_document: defaultdict[str, list[Evidence]] = defaultdict(list)
    for item in open_items:
        for doc_id in item.doc_ids:
            by_document[doc_id].append(item)
    for document in documents:
        candidates = [item for item in (*anywhere, *by_document[document.doc_id]) if item not in found]
        if candidates:
            text = comparable(document.text)
            found.update(item for item in candidates if any(stands_in(piece, text) for piece in item.texts))
    return found


def _notes(questions: QuestionSet, missing: Sequence[str], n_lost: int) -> Iterable[str]:
    if missing:
        listed = ", ".join(missing[:_SHOWN]) + (", …" if len(missing) > _SHOWN else "")
        yield say(
            f"{len(missing)} documents that the questions name are not among these and are not counted: {listed}",
            f"问题所提到的 {len(missing)} 个文件不在这些文档中，未计入：{listed}",
        )
    if n_lost:
        yield say(
            f"the evidence or answer of {n_lost} questions stands nowhere in the text of the documents; "
            "they count for documents only",
            f"有 {n_lost} 个问题的依据或答案不在文档原文中，只计入文件一级",
        )
    without = Counter(bool(q.answers or q.doc_ids or q.evidence or not q.answerable) for q in questions.questions)
    if without[False]:
        yield say(
            f"{without[False]} questions say nothing of what is right and are not measured",
            f"有 {without[False]} 个问题没有给出任何标准答案，未计入",
        )
