"""A file -> a QuestionSet: JSON Lines, CSV (or TSV), or JSON in the form of SQuAD, CMRC 2018 and DRCD.

The form is told by the content, not by the name: JSON begins with a bracket.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from chinese_llm_rag.document_loaders.encodings import decode
from chinese_llm_rag.errors import ConfigError, DocumentError
from chinese_llm_rag.evaluation.question_fields import check_names, parse_question
from chinese_llm_rag.evaluation.questions import QuestionSet
from chinese_llm_rag.evaluation.squad import is_squad, parse_squad
from chinese_llm_rag.language import say

SEPARATOR = "|"  # between several values in a cell of a CSV file

_Row = tuple[int, dict[str, Any]]  # number of its line, values by name


def load_questions(path: Path | str) -> QuestionSet:
    """The questions of a file.

    Raises:
        DocumentError: the file is missing, or its encoding cannot be told.
        ConfigError: it holds no questions, or something that is none; with the line where there is one.
    """
    file = Path(path)
    text = read_text(file)
    if text.lstrip()[:1] in ("{", "["):
        whole = _whole_json(text)
        if whole is not None and is_squad(whole):
            return _checked(parse_squad(whole, file), file)
        rows = list(_json_rows(text, whole, file))
    else:
        rows = list(_csv_rows(text, file))
    return _checked(_from_rows(rows, file), file)


def load_documents(path: Path | str) -> dict[str, str]:
    """The documents of a file by id: lines of {"id", "text"}, or the paragraphs of a SQuAD-like set.

    Raises:
        DocumentError: the file is missing or its encoding cannot be told.
        ConfigError: a line without an id or a text, or the same id twice.
    """
    file = Path(path)
    text = read_text(file)
    whole = _whole_json(text)
    if whole is not None and is_squad(whole):
        return dict(parse_squad(whole, file).documents)
    documents: dict[str, str] = {}
    for number, row in _json_rows(text, whole, file):
        identity, content = row.get("id"), row.get("text")
        if not isinstance(identity, str | int) or not isinstance(content, str) or str(identity) in documents:
            raise _error(
                f"{_where(file, number)}: expected a document with an 'id' of its own and a 'text'",
                f"{_where(file, number)}：应为带有唯一 'id' 和 'text' 的文档",
            )
        documents[str(identity)] = content
    return documents


def read_text(file: Path) -> str:
    """The text of a file, in whatever encoding it is."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DocumentError(
            say(f"cannot read {str(file)!r} ({error.strerror})", f"无法读取 {str(file)!r}（{error.strerror}）"),
            path=file,
            hint=say("name a file of questions", "请指定问题文件"),
        ) from error
    return decode(data, file).text


def _from_rows(rows: Sequence[_Row], file: Path) -> QuestionSet:
    unused: dict[str, None] = {}
    questions = []
    for number, row in rows:
        unused.update(dict.fromkeys(check_names(row, _where(file, number))))
        questions.append(parse_question(row, _where(file, number), str(number)))
    notes = []
    if unused:
        listed = ", ".join(unused)
        notes.append(say(f"fields that are not used: {listed}", f"未使用的字段：{listed}"))
    return QuestionSet(tuple(questions), str(file), tuple(notes))


def _checked(found: QuestionSet, file: Path) -> QuestionSet:
    if not found.questions:
        raise _error(
            f"{str(file)!r} holds no questions",
            f"{str(file)!r} 中没有问题",
            say(
                "give JSON Lines, CSV or SQuAD-like JSON with questions",
                "请提供含有问题的 JSONL、CSV 或 SQuAD 格式文件",
            ),
        )
    seen: dict[str, int] = {}
    for number, question in enumerate(found.questions, 1):
        if question.id in seen:
            raise _error(
                f"{str(file)!r}: questions {seen[question.id]} and {number} have the same id {question.id!r}",
                f"{str(file)!r}：第 {seen[question.id]} 个和第 {number} 个问题的 id 相同：{question.id!r}",
                say("give each an id of its own, or none to all", "请为每个问题设不同的 id，或全部不设"),
            )
        seen[question.id] = number
    if not any(q.doc_ids or q.evidence or q.answers or not q.answerable for q in found.questions):
        raise _error(
            f"{str(file)!r} says of no question what is right: no answers, doc_ids or evidence",
            f"{str(file)!r} 中没有任何问题给出答案、文件或依据",
            say("add one of these fields", "请补充其中一个字段"),
        )
    return found


def _whole_json(text: str) -> Any:  # noqa: ANN401  (any JSON value)
    """The value, where the text is one JSON document; None where it is not (JSON Lines has several)."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None


def _json_rows(text: str, whole: object, file: Path) -> Iterator[_Row]:
    if isinstance(whole, list):
        yield from ((number, _row(value, file, number)) for number, value in enumerate(whole, 1))
        return
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            raise _error(
                f"{_where(file, number)}: broken JSON ({error.msg} at column {error.colno})",
                f"{_where(file, number)}：JSON 有误（第 {error.colno} 列：{error.msg}）",
                say("mend or remove this line", "请修正或删除该行"),
            ) from error
        yield number, _row(value, file, number)


def _row(value: object, file: Path, number: int) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _error(
            f"{_where(file, number)}: {str(value)[:40]!r} is no JSON object",
            f"{_where(file, number)}：{str(value)[:40]!r} 不是 JSON 对象",
        )
    return value


def _csv_rows(text: str, file: Path) -> Iterator[_Row]:
    header = text.partition("\n")[0]
    delimiter = "\t" if "\t" in header else ("；" if "," not in header and "；" in header else ",")
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            if None in row or None in row.values():
                raise _error(
                    f"{_where(file, reader.line_num)}: another number of cells than the header has",
                    f"{_where(file, reader.line_num)}：单元格数与表头不符",
                    say("put values with commas between quotes", "含逗号的内容请加引号"),
                )
            yield reader.line_num, {name.strip(): _cell(value) for name, value in row.items()}
    except csv.Error as error:
        raise _error(
            f"{_where(file, reader.line_num)}: broken CSV ({error})",
            f"{_where(file, reader.line_num)}：CSV 有误（{error}）",
        ) from error


def _cell(value: str) -> object:
    """A text, a list of texts, or None for an empty cell."""
    if SEPARATOR in value:
        return value.split(SEPARATOR)
    return value if value.strip() else None


def _where(file: Path, line: int) -> str:
    return say(f"{str(file)!r}, line {line}", f"{str(file)!r} 第 {line} 行")


def _error(english: str, chinese: str, hint: str | None = None) -> ConfigError:
    return ConfigError(say(english, chinese), setting="questions", hint=hint)
