"""One row of a question set -> a Question. Names of the fields are English or Chinese.

Knows nothing about files: a row is a mapping, `where` is its place for messages.
"""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.evaluation.questions import Evidence, Question, texts_of
from chinese_llm_rag.language import say
from chinese_llm_rag.schema import Span

# Every name a field may have, the usual one first.
NAMES = {
    "id": ("id", "编号", "編號"),
    "question": ("question", "query", "问题", "問題"),
    "answers": ("answers", "answer", "答案"),
    "doc_ids": ("doc_ids", "file", "文件"),
    "evidence": ("evidence", "依据", "依據"),
    "answerable": ("answerable", "可回答"),
    "answer_parts": ("answer_parts",),
    "type": ("type", "类型", "類型"),
}
_FIELD_OF = {name: field for field, names in NAMES.items() for name in names}
_LOOKS_LIKE = 0.8
_TRUE, _FALSE = ("true", "1", "yes", "是"), ("false", "0", "no", "否")


def check_names(names: Iterable[str], where: str) -> tuple[str, ...]:
    """The names that are no field and are not used.

    Raises:
        ConfigError: there is no question field, a field is there twice under two names, or a name is all but
            that of a field: it was meant, and would be passed over in silence.
    """
    present = [str(name) for name in names]
    fields = [_FIELD_OF[name] for name in present if name in _FIELD_OF]
    if "question" not in fields:
        raise _error(
            f"{where}: no field 'question' among {present!r}",
            f"{where}：{present!r} 中没有 'question'（问题）",
            say(f"name the fields {_expected()}", f"字段名应为 {_expected()}"),
        )
    for field in fields:
        if fields.count(field) > 1:
            raise _error(f"{where}: two fields for {field!r}", f"{where}：{field!r} 出现了两次")
    others = tuple(name for name in present if name not in _FIELD_OF)
    for name in others:
        if near := difflib.get_close_matches(name.strip().lower(), _FIELD_OF, 1, _LOOKS_LIKE):
            raise _error(
                f"{where}: unknown field {name!r}; did you mean {near[0]!r}?",
                f"{where}：未知字段 {name!r}；是否应为 {near[0]!r}？",
                say("rename it, or remove it", "请改名或删除"),
            )
    return others


def parse_question(row: Mapping[str, Any], where: str, default_id: str) -> Question:
    """A question out of the fields of a row.

    Args:
        row: values by name; several values are a list.
        where: file and line, for messages.
        default_id: the id of a row without one.

    Raises:
        ConfigError: a value of the wrong kind, or no question.
    """
    values = {_FIELD_OF[name]: value for name, value in row.items() if name in _FIELD_OF and value is not None}
    question = _text(values.get("question", ""), "question", where).strip()
    if not question:
        raise _error(f"{where}: the question is empty", f"{where}：问题为空")
    doc_ids = _texts(values.get("doc_ids", ()), "doc_ids", where)
    return Question(
        id=_text(values.get("id", default_id), "id", where).strip() or default_id,
        question=question,
        answers=_texts(values.get("answers", ()), "answers", where),
        answer_parts=tuple(_texts(part, "answer_parts", where) for part in values.get("answer_parts", ())),
        doc_ids=doc_ids,
        evidence=tuple(_evidence(item, doc_ids, where) for item in _listed(values.get("evidence", ()))),
        answerable=_truth(values.get("answerable", True), where),
        kind=_text(values.get("type", ""), "type", where),
    )


def _evidence(item: object, doc_ids: tuple[str, ...], where: str) -> Evidence:
    """A sentence, or what `Evidence.to_dict` gives."""
    if not isinstance(item, dict):
        return Evidence(texts=_texts(item, "evidence", where), doc_ids=doc_ids)
    start, end = item.get("start"), item.get("end")
    span = Span(start, end) if isinstance(start, int) and isinstance(end, int) else None
    named = _texts(item.get("doc_ids", ()), "evidence", where) or doc_ids
    found = Evidence(texts=_texts(item.get("texts", ()), "evidence", where), doc_ids=named, span=span)
    if (span and not (named and 0 <= span.start < span.end)) or not (span or found.texts):
        raise _error(
            f"{where}: evidence={item!r}, expected a sentence, or start < end in a document of doc_ids",
            f"{where}：evidence={item!r}，应为一句原文，或 doc_ids 中文档的 start < end",
        )
    return found


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _texts(value: object, field: str, where: str) -> tuple[str, ...]:
    return texts_of([_text(item, field, where) for item in _listed(value)])


def _text(value: object, field: str, where: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _error(f"{where}: {field}={value!r}, expected text", f"{where}：{field}={value!r}，应为文字")
    return str(value)


def _truth(value: object, where: str) -> bool:
    word = str(value).strip().lower()
    if word in ("", *_TRUE):
        return True
    if word in _FALSE:
        return False
    raise _error(
        f"{where}: answerable={value!r}, expected true or false",
        f"{where}：answerable={value!r}，应为 true 或 false（是 或 否）",
    )


def _expected() -> str:
    return ", ".join("/".join(names) for names in NAMES.values())


def _error(english: str, chinese: str, hint: str | None = None) -> ConfigError:
    return ConfigError(say(english, chinese), setting="questions", hint=hint)
