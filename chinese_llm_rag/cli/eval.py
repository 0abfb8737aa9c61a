"""The command that measures retrieval and answers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from chinese_llm_rag import console
from chinese_llm_rag.cli.app import app
from chinese_llm_rag.cli.evaluated import INDEX_SETTINGS, Evaluated, evaluated, parse_against
from chinese_llm_rag.cli.options import (
    EXAMPLE,
    ChunkSize,
    EmbeddingKind,
    EmbeddingModel,
    Home,
    Json,
    K,
    Kb,
    Mode,
    Overlap,
    load,
    option,
    settings_of,
    with_model_options,
)
from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say

if TYPE_CHECKING:
    from chinese_llm_rag.evaluation import AnswerReport, QuestionSet
    from chinese_llm_rag.settings import Settings

_CUTOFFS = (1, 5, 10)
# Cloze questions repeat the words of the text, and so favour search by words.
_UNFAIR_BY_CLOZE = ("search_mode", "embeddings", "embedding_model")

Questions = Annotated[
    Path | None,
    option(
        "Question set: JSON Lines, CSV, or SQuAD-like JSON. Without one, questions are made of the documents.",
        "问题集：JSONL、CSV 或 SQuAD 格式的 JSON。不给出时由文档生成问题。",
        "--questions",
    ),
]
Count = Annotated[
    int | None, option("Most questions that are asked; 100 are made.", "最多提问的数量；默认生成 100 个。", "-n")
]
Make = Annotated[
    str | None,
    option(
        "How questions are made: cloze, or llm (where a model is named).",
        "生成问题的方式：cloze（填空），或 llm（指定了模型时）。",
        "--make",
    ),
]
Against = Annotated[
    list[str] | None,
    option(
        "Compare with another setting, SETTING=VALUE: mode, k, kb, chunk_size, embeddings, ...; may be repeated.",
        "与另一种设置比较，写作 设置=值：mode、k、kb、chunk_size、embeddings 等，可重复给出。",
        "--against",
    ),
]
Answers = Annotated[
    bool,
    option(
        "Ask the model too: quality of the answers, wrong refusals, answers without evidence.",
        "同时让模型作答：回答质量、误拒和无依据作答。",
        "--answers",
    ),
]
Save = Annotated[Path | None, option("Folder for the report and its tables.", "保存报告和表格的文件夹。", "--save")]


@app.command(
    "eval",
    help=say(
        "Measure how well passages are found, on the knowledge base or on PATH.", "评测检索效果：针对知识库或指定路径。"
    ),
    epilog=f"{EXAMPLE}: clrag eval ~/文档 --against mode=bm25 --save 报告",
)
@with_model_options
def evaluate_command(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help=say(
                "Files and folders, for this evaluation only; the knowledge base is left as it is.",
                "仅用于本次评测的文件和文件夹；知识库保持不变。",
            ),
            metavar="[PATH]...",
        ),
    ] = None,
    *,
    questions: Questions = None,
    count: Count = None,
    make: Make = None,
    against: Against = None,
    answers: Answers = False,
    save: Save = None,
    k: K = None,
    mode: Mode = None,
    model_options: dict[str, object],
    chunk_size: ChunkSize = None,
    chunk_overlap: Overlap = None,
    embeddings: EmbeddingKind = None,
    embedding_model: EmbeddingModel = None,
    home: Home = None,
    kb: Kb = None,
    json: Json = False,
) -> None:
    from chinese_llm_rag import evaluation  # noqa: PLC0415

    index_flags = dict(zip(INDEX_SETTINGS, (chunk_size, chunk_overlap, None, embeddings, embedding_model), strict=True))
    _check_index_flags(index_flags, paths or [])
    flags = {"home": home, "kb": kb, "k": k, "search_mode": mode, **index_flags, **model_options}
    if count is not None and count < 1:
        raise typer.BadParameter(say("should be at least 1", "应至少为 1"), param_hint="-n")
    overrides = parse_against(against or [])
    a = settings_of(context, **flags)
    b = load(context, **{**flags, **overrides}).settings if overrides else None
    read = evaluation.load_questions(questions) if questions else None  # a mistake in it shows before anything is done
    with evaluated(a, b, overrides, paths or []) as settings:
        asked = _questions(read, settings[0], count, make, overrides)
        asked = replace(asked, notes=(*asked.notes, *_left_out(settings[0])))
        cutoffs = sorted({*_CUTOFFS, *(one.settings.k for one in settings)})
        candidates = [one.candidate(cutoffs) for one in settings]
        with _progress(say("searching", "检索")) as progress:
            retrieval = evaluation.evaluate(
                candidates[0],
                asked,
                against=candidates[1] if len(candidates) > 1 else None,
                at=cutoffs,
                document_id=evaluation.document_of,
                document_names=_names(settings[0]),
                on_progress=progress,
            )
        report = evaluation.EvaluationReport(retrieval)
        if save:
            evaluation.save_report(report, asked.questions, save)
        if answers and not retrieval.interrupted:
            report = evaluation.EvaluationReport(retrieval, _answers(settings, asked))
    _show(report, asked, save, json=json)
    if report.interrupted:
        raise typer.Exit(130)


def _check_index_flags(flags: dict[str, Any], paths: Sequence[Path]) -> None:
    given = [name for name, value in flags.items() if value is not None]
    if given and not paths:
        raise ConfigError(
            say(
                f"{given[0]} is part of the knowledge base, which is evaluated as it is",
                f"{given[0]} 是知识库的一部分，评测时知识库保持原样",
            ),
            setting=given[0],
            origin=f"flag --{given[0].replace('_', '-')}",
            hint=say(
                f"compare with it: clrag eval --against {given[0]}={flags[given[0]]}; or name documents: eval PATH",
                f"与它比较：clrag eval --against {given[0]}={flags[given[0]]}；或指定文档：clrag eval 路径",
            ),
        )


def _questions(
    read: "QuestionSet | None", of: Evaluated, count: int | None, make: str | None, differing: Mapping[str, object]
) -> "QuestionSet":
    """The questions of the file, as they apply to the base, or questions made of it."""
    from chinese_llm_rag.evaluation import locate, make_questions, source_texts  # noqa: PLC0415

    documents = source_texts(of.base, of.names)
    if read is not None:
        found = locate(read, documents)
        return replace(found, questions=found.questions[:count]) if count else found
    way = _way(make, of.settings)
    console.note(
        say("making questions by cloze", "正在生成填空题")
        if way == "cloze"
        else say("the model writes questions", "正在由模型编写问题")
    )
    with _progress(say("questions", "问题")) as progress:
        llm = None
        if way == "llm":
            from chinese_llm_rag.wiring import build_llm  # noqa: PLC0415

            llm = build_llm(of.settings)
        made = make_questions(of.base, documents, count or 100, llm=llm, on_progress=progress)
    if way == "cloze" and (unfair := [name for name in _UNFAIR_BY_CLOZE if name in differing]):
        warning = say(
            f"A and B differ in {', '.join(unfair)}: do not decide between them by these questions (see above).",
            f"A 与 B 的 {', '.join(unfair)} 不同：请不要凭这些问题在两者之间做选择（原因见上）。",
        )
        return replace(made, notes=(*made.notes, warning))
    return made


def _left_out(of: Evaluated) -> Iterator[str]:
    """The files that could not be read, and so are in no figure."""
    failed = [record.path for record in of.base.files() if record.status == "failed"]
    if failed:
        listed = ", ".join(failed[:5]) + (", …" if len(failed) > 5 else "")
        yield say(f"{len(failed)} files could not be read: {listed}", f"有 {len(failed)} 个文件无法读取：{listed}")


def _way(make: str | None, settings: "Settings") -> Literal["cloze", "llm"]:
    """As the user says; else by a model where one is named in the settings."""
    if make not in (None, "cloze", "llm"):
        raise ConfigError(
            say(f"make={make!r}, expected cloze or llm", f"make={make!r}，应为 cloze 或 llm"),
            setting="make",
            origin="flag --make",
        )
    named = settings.model or settings.model_path or settings.server_url
    return "llm" if make == "llm" or (make is None and named) else "cloze"


def _answers(settings: Sequence[Evaluated], asked: "QuestionSet") -> "AnswerReport":
    from chinese_llm_rag.evaluation import Answering, WithholdingRetriever, document_of, evaluate_answers  # noqa: PLC0415
    from chinese_llm_rag.wiring import build_llm, build_qa  # noqa: PLC0415

    by_wording = {question.question: question for question in asked.questions}
    chains = []
    for one in settings:
        llm = build_llm(one.settings)
        withholding = WithholdingRetriever(
            retriever=one.candidate((3 * one.settings.k,)).retriever,
            questions=by_wording,
            k=one.settings.k,
            document_id=document_of,
        )
        chains.append(
            Answering(
                build_qa(one.settings, one.base, llm),
                build_qa(one.settings, one.base, llm, withholding),
                one.name,
                {record.path: record.content_hash or record.path for record in one.base.files()}.__getitem__,
            )
        )
    with _progress(say("answering", "回答")) as progress:
        return evaluate_answers(chains, asked.questions, on_progress=progress)


def _names(of: Evaluated) -> dict[str, str]:
    """What a reader knows documents by."""
    return {
        record.content_hash: of.names.get(record.path, record.path) for record in of.base.files() if record.content_hash
    }


def _show(report: Any, asked: "QuestionSet", save: Path | None, *, json: bool) -> None:  # noqa: ANN401
    from chinese_llm_rag.evaluation import save_report  # noqa: PLC0415
    from chinese_llm_rag.evaluation.rendering import to_markdown  # noqa: PLC0415
    from chinese_llm_rag.evaluation.tables import sections  # noqa: PLC0415

    if json:
        console.out_json(report.to_dict())
    else:
        console.out(to_markdown(sections(report)), end="")
    if save:
        for file in save_report(report, asked.questions, save):
            console.note(say(f"written: {file}", f"已写入：{file}"))


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress line with the time left on stderr, while a terminal looks on; a function that moves it."""
    from rich.console import Console  # noqa: PLC0415  (keeps `--help` instant)
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    screen = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(bar_width=24), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
