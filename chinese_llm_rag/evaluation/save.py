"""A report on disk: report.md, report.html, report.json, questions.csv, questions.jsonl, and answers.csv."""

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.evaluation.questions import Question
from chinese_llm_rag.evaluation.rendering import to_html, to_markdown
from chinese_llm_rag.evaluation.report import EvaluationReport
from chinese_llm_rag.evaluation.tables import sections
from chinese_llm_rag.language import say


def save_report(report: EvaluationReport, questions: Sequence[Question], folder: Path | str) -> list[Path]:
    """Write the report's files, replacing those of an earlier report; the files written.

    questions.jsonl can be given to `load_questions` again, so that another time the same is asked.

    Raises:
        ConfigError: the folder cannot be made or written to.
    """
    target = Path(folder)
    shown = sections(report)
    asked = {question.id: question for question in questions}
    texts = {
        "report.md": to_markdown(shown),
        "report.html": to_html(shown),
        "report.json": json.dumps(report.to_dict(), ensure_ascii=False, indent=2) + "\n",
        "questions.jsonl": "".join(json.dumps(q.to_dict(), ensure_ascii=False) + "\n" for q in questions),
    }
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (target / name).write_text(text, encoding="utf-8")
        written = [target / name for name in texts]
        written.append(_write_csv(target / "questions.csv", _question_rows(report)))
        if report.answers is not None:
            written.append(_write_csv(target / "answers.csv", _answer_rows(report, asked)))
    except OSError as error:
        raise ConfigError(
            say(f"cannot write to {str(target)!r} ({error.strerror})", f"无法写入 {str(target)!r}（{error.strerror}）"),
            setting="save",
            hint=say("name a folder that can be written to", "请指定可写入的文件夹"),
        ) from error
    return written


def _write_csv(file: Path, rows: Iterable[Sequence[object]]) -> Path:
    """With a byte order mark, without which spreadsheets take Chinese for another encoding."""
    with file.open("w", encoding="utf-8-sig", newline="") as stream:
        csv.writer(stream).writerows([_harmless(cell) for cell in row] for row in rows)
    return file


def _harmless(cell: object) -> object:
    """A text that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@") else cell


def _question_rows(report: EvaluationReport) -> Iterable[Sequence[object]]:
    names = [one.name for one in report.retrieval.figures]
    yield ["id", "type", "question", *(f"{name}: {what}" for name in names for what in ("document", "evidence", "ms"))]
    for row in report.retrieval.rows:
        places: list[object] = []
        for document, evidence, milliseconds in zip(
            row.document_ranks, row.evidence_ranks, row.milliseconds, strict=True
        ):
            ranks = " ".join("-" if rank is None else str(rank) for rank in evidence)
            places += ["" if document is None else document, ranks if evidence else "", milliseconds]
        yield [row.id, row.kind, row.question, *places]


def _answer_rows(report: EvaluationReport, asked: dict[str, Question]) -> Iterable[Sequence[object]]:
    yield ["setting", "id", "question", "right", "answer", "refused", "refused without evidence", "supported", "s"]
    for one in report.answers.figures if report.answers else ():
        for outcome in one.outcomes:
            question = asked[outcome.question_id]
            yield [
                one.name,
                question.id,
                question.question,
                " / ".join(question.answers),
                outcome.failed or outcome.text,
                outcome.refused,
                "" if outcome.withheld_refused is None else outcome.withheld_refused,
                f"{outcome.n_supported} of {outcome.n_sentences}",
                round(outcome.seconds, 2),
            ]
