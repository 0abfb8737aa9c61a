"""How results look on a terminal. Results go to stdout; progress, reports of trouble and hints to stderr."""

import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from chinese_llm_rag.errors import RagError
from chinese_llm_rag.language import say
from chinese_llm_rag.schema import Answer, AnswerSentence, Citation, Passage

if TYPE_CHECKING:
    from chinese_llm_rag.chains.rendered import RenderedPrompt
    from chinese_llm_rag.knowledge_base import (
        FileOutcome,
        FileRecord,
        Finding,
        FurnitureRecord,
        IngestProgress,
        IngestReport,
    )

# A document must not steer the terminal, and a file name that is not UTF-8 (lone surrogates) must not stop it.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_QUOTE_CHARS = 80
_FURNITURE_SHOWN = 5
_PLACES = {"page": "页", "slide": "幻灯片", "sheet": "工作表", "chapter": "章", "section": "节"}


def out(text: str = "", *, end: str = "\n") -> None:
    """A line (or a piece of one) of the result."""
    sys.stdout.write(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", text) + end)
    sys.stdout.flush()


def note(text: str) -> None:
    """A line beside the result."""
    sys.stderr.write(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", text) + "\n")


def out_json(value: object) -> None:
    """A JSON document as the whole result."""
    sys.stdout.write(json_text(value))


def json_text(value: object) -> str:
    """A JSON document; what a terminal or a file could not bear is escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=str)
    return re.sub("[\x7f-\x9f\ud800-\udfff]", lambda match: f"\\u{ord(match.group()):04x}", text) + "\n"


def print_error(error: RagError) -> None:
    """The error in one line, its hint in another."""
    note(f"error: {' '.join(str(error).split())}")
    if error.hint:
        note(f"hint: {error.hint}")


def print_report(report: "IngestReport") -> None:
    """What became of the files of an ingest run: trouble by name, the rest as counts."""
    for file in report.outcomes:
        _note_outcome(file)
    if report.of("missing"):
        note(say("hint: remove them with --prune", "hint: 加 --prune 可将它们移出知识库"))
    if report.ignored:
        types = Counter(PurePath(path).suffix or "-" for path in report.ignored)
        listed = ", ".join(f"{suffix} {n}" for suffix, n in types.most_common())
        note(say(f"ignored, unknown type: {listed}", f"忽略未知类型的文件：{listed}"))
    n = Counter(file.outcome for file in report.outcomes)
    n_chunks = sum(file.n_chunks for file in report.of("added", "updated"))
    n_skipped = n["unchanged"] + n["duplicate"]
    updated = say(f", {n['updated']} updated", f"，更新 {n['updated']} 个") if n["updated"] else ""
    gone = say(f", {n['moved']} moved", f"，移动 {n['moved']} 个") if n["moved"] else ""
    gone += say(f", {n['removed']} removed", f"，删除 {n['removed']} 个") if n["removed"] else ""
    out(
        say(
            f"{n['added']} added{updated} ({n_chunks} chunks), {n_skipped} skipped{gone}, {n['failed']} failed",
            f"新增 {n['added']} 个文件{updated}（{n_chunks} 个片段），跳过 {n_skipped} 个{gone}，失败 {n['failed']} 个",
        )
    )


def print_changes(report: "IngestReport") -> None:
    """What a run of `watch` did; nothing where it had nothing to do."""
    if report.of("added", "updated", "moved", "removed", "failed"):
        print_report(report)


def _note_outcome(file: "FileOutcome") -> None:
    path, detail = file.path, file.detail
    lines = {
        "failed": say(f"failed: {path}: {detail}", f"失败：{path}：{detail}"),
        "duplicate": say(f"same content: {path} = {detail}", f"内容相同：{path} = {detail}"),
        "moved": say(f"moved: {detail} -> {path}", f"已移动：{detail} -> {path}"),
        "removed": say(f"removed: {path}", f"已删除：{path}"),
        "missing": say(f"gone from the folder: {path}", f"文件夹中已不存在：{path}"),
    }
    if file.outcome in lines:
        note(lines[file.outcome])
    if file.outcome == "failed" and file.hint:
        note(f"  hint: {file.hint}")
    for problem in file.problems:
        note(say(f"note: {path}: {problem}", f"注意：{path}：{problem}"))


def print_findings(findings: Iterable["Finding"]) -> None:
    """What a check of a knowledge base found, one line each."""
    shown = list(findings)
    for finding in shown:
        out(f"{finding.part}: {finding.source + ': ' if finding.source else ''}{finding.detail}")
    if not shown:
        out(say("everything is in order", "一切正常"))


def print_files(records: Iterable["FileRecord"]) -> None:
    """One line a file, its problems below it."""
    for record in records:
        if record.status == "failed":
            out(say(f"{record.path}  failed", f"{record.path}  失败"))
        else:
            counts = say(
                f"{record.n_pages} pages, {record.n_chunks} chunks", f"{record.n_pages} 页，{record.n_chunks} 个片段"
            )
            tags = f"  [{', '.join(record.tags)}]" if record.tags else ""
            out(f"{record.path}  {counts}{tags}")
        for problem in record.problems:
            out(f"  {problem}")


def print_passages(passages: Iterable[Passage]) -> None:
    """Passages, best first, each with its place."""
    shown = list(passages)
    if not shown:
        note(say("nothing found", "没有找到"))
    for number, passage in enumerate(shown, 1):
        out(f"{number}. {place_of(passage)}  {passage.score:.4f}")
        out(f"   {' '.join(passage.text.split())}")


def note_furniture(records: Iterable["FurnitureRecord"]) -> None:
    """Where a query stands in running headers and footers, which are in no passage."""
    for record in list(records)[:_FURNITURE_SHOWN]:
        pages = f"{record.page_start}-{record.page_end}"
        note(
            say(
                f"in the running header or footer of {record.source}, pages {pages}: {record.text}",
                f"见于 {record.source} 第 {pages} 页的页眉或页脚：{record.text}",
            )
        )


def print_answer(pieces: Iterator[Answer]) -> Answer:
    """An answer as it streams, then what each sentence rests on; the whole answer."""
    whole = Answer()
    for piece in pieces:
        out(piece.text, end="")
        whole += piece
    out()
    _note_removed(whole)
    if whole.refused:
        note(say(f"refused: {whole.reason}", f"未作答：{whole.reason}"))
        return whole
    if whole.reason:
        note(say(f"note: {whole.reason}", f"注意：{whole.reason}"))
    if whole.strategy == "extractive":
        note(say("no model was asked: these are sentences of the documents", "未使用模型：以上是文档中的原句"))
    if not whole.citations:
        note(say("warning: no passage supports this answer", "警告：没有段落支持这个回答"))
    for sentence in whole.sentences:
        _print_sentence(sentence, named=len(whole.sentences) > 1)
    if whole.dropped:
        note(
            say(
                f"{len(whole.dropped)} passages did not fit the context window",
                f"有 {len(whole.dropped)} 个段落因上下文窗口不足未使用",
            )
        )
    return whole


def _note_removed(answer: Answer) -> None:
    """What the model said and is not in the answer, and what speaks against it."""
    for sentence in answer.removed:
        note(say(f"left out: {sentence.text}", f"已略去：{sentence.text}"))
        for citation in sentence.contradicted_by:
            note(say(f"  the documents say otherwise: {place_of(citation)}", f"  文档中另有说法：{place_of(citation)}"))
            note(f"      “{_shortened(citation.quote)}”")


def print_prompts(prompts: "Iterable[RenderedPrompt]", *, json: bool) -> None:
    """Prompts letter by letter, each with its tokens."""
    shown = list(prompts)
    if json:
        out_json([{"text": prompt.text, "n_tokens": prompt.n_tokens} for prompt in shown])
        return
    for prompt in shown:
        out(prompt.text)
        note(say(f"{prompt.n_tokens} tokens", f"{prompt.n_tokens} 个 token"))
    if not shown:
        note(say("no model is asked this question", "这个问题不会询问模型"))


def _print_sentence(sentence: AnswerSentence, *, named: bool) -> None:
    """What a sentence rests on, what it lacks, and what speaks against it."""
    if named:
        out(f"- {sentence.text}")
    if sentence.unfound:
        unfound = say(", ", "、").join(sentence.unfound)
        out(say(f"  not in the passages: {unfound}", f"  段落中没有：{unfound}"))
    elif not sentence.supported:
        out(say("  no support found in the passages", "  段落中没有找到依据"))
    for citation in sentence.citations:
        _print_citation(citation)
    if sentence.contradicted_by:
        out(say("  the documents say otherwise:", "  文档中另有说法："))
    for citation in sentence.contradicted_by:
        _print_citation(citation)


def _print_citation(citation: Citation) -> None:
    out(f"  [{citation.passage}] {place_of(citation)}")
    out(f"      “{_shortened(citation.quote)}”")


def print_pairs(pairs: Iterable[tuple[str, Any]]) -> None:
    """Names and values, one pair a line."""
    for name, value in pairs:
        out(f"{name}: {_flat(value)}")


def _flat(value: object) -> str:
    """A value as a person would write it."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_flat(part)}" for key, part in value.items())
    return "-" if value is None else str(value)


def place_of(where: Passage | Citation) -> str:
    """Where a passage or a citation stands, in words."""
    if where.place is not None:
        page = say(f"{where.place.kind} {where.place.name}", f"{_PLACES[where.place.kind]} {where.place.name}")
    else:
        one = where.page_start == where.page_end
        pages = str(where.page_start) if one else f"{where.page_start}-{where.page_end}"
        page = say(f"page {pages}", f"第 {pages} 页")
    headings = f" · {' > '.join(where.headings)}" if where.headings else ""
    return say(
        f"{where.source}, {page}, characters {where.start}-{where.end}{headings}",
        f"{where.source}，{page}，第 {where.start}-{where.end} 字符{headings}",
    )


def _shortened(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _QUOTE_CHARS else f"{flat[: _QUOTE_CHARS - 1]}…"


@contextmanager
def ingest_progress() -> Iterator[Callable[["IngestProgress"], None]]:
    """A progress line on stderr while a terminal looks on; a function that moves it."""
    from rich.console import Console  # noqa: PLC0415  (keeps `--help` instant)
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    console = Console(stderr=True)
    columns = (
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f}% {task.fields[counts]}"),
        TextColumn(say("left", "剩余")),
        TimeRemainingColumn(),
    )
    started = time.monotonic()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None, counts="")

        def move(at: "IngestProgress") -> None:
            rate = at.n_chunks / max(time.monotonic() - started, 1e-6)
            counts = say(
                f"{at.n_files_done}/{at.n_files} files, {at.n_pages} pages, {at.n_chunks} chunks, {rate:.1f} chunks/s",
                f"文件 {at.n_files_done}/{at.n_files}，{at.n_pages} 页，{at.n_chunks} 个片段，每秒 {rate:.1f} 个",
            )
            progress.update(task, total=max(at.total_bytes, 1), completed=at.done_bytes, counts=counts)

        yield move
