"""How models, and the progress of work on them, look on a terminal."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from chinese_llm_rag import console
from chinese_llm_rag.language import say
from chinese_llm_rag.models import USES

if TYPE_CHECKING:
    from chinese_llm_rag.doctor import MachineReport, ModelReport
    from chinese_llm_rag.model_tools.fetch import Fetched

Move = Callable[[str, int, int], None]  # what is being done, bytes done, bytes in all


def print_models(rows: Sequence[Mapping[str, Any]]) -> None:
    """One line a model: its name, what it is, its window."""
    width = max(len(str(row["name"])) for row in rows)
    for row in rows:
        parts = [str(row["kind"]), str(row["size"]), say(f"{row['window']} tokens", f"{row['window']} token")]
        parts += [str(row[key]) for key in ("rope", "base", "package") if row[key] is not None]
        console.out(f"{row['name']!s:<{width}}  {', '.join(parts)}")
    console.out()
    for use in USES:
        console.out(f"{say(use.english, use.chinese)}: {use.model} {use.quantization}")
    console.note(say("more of one: clrag models show NAME", "查看详情：clrag models show NAME"))


def print_model(page: Mapping[str, Any]) -> None:
    """Everything about one model, its quantizations as a table."""
    console.print_pairs((name, value) for name, value in page.items() if name != "quantized" and value is not None)
    rows = page.get("quantized")
    if not rows:
        return
    console.out()
    titles = say(
        "type        GB      perplexity  -im: GB  perplexity", "类型        GB      困惑度      -im: GB  困惑度"
    )
    console.out(titles)
    for row in rows:
        cells = ("size_gb", 7), ("perplexity", 11), ("size_gb_im", 8), ("perplexity_im", 10)
        console.out(f"{row['type']:<12}" + " ".join(f"{_cell(row[key]):<{width}}" for key, width in cells).rstrip())


def print_fetched(done: "Fetched") -> None:
    """Where the files are now, and how to use them."""
    for file in done.files:
        console.out(str(done.folder / file.path))
    if done.n_fetched == 0:
        console.note(say("everything was here already", "文件均已存在"))


def print_check(report: "ModelReport") -> None:
    """What a model is, what it takes, and whether it fits; problems and remarks last."""
    name = report.family_model or (say("of the family", "属于本系列") if report.of_family else "-")
    memory = say(
        f"{_gib(report.needed_bytes)} = weights {_gib(report.weight_bytes)} + KV {_gib(report.kv_bytes)} "
        f"({report.kv_type}) + about {_gib(report.buffer_bytes)}",
        f"{_gib(report.needed_bytes)} = 权重 {_gib(report.weight_bytes)} + KV {_gib(report.kv_bytes)}"
        f"（{report.kv_type}）+ 约 {_gib(report.buffer_bytes)}",
    )
    no_bound = say("no bound", "无上限")
    console.print_pairs(
        [
            (say("file", "文件"), report.path),
            (say("model", "模型"), name),
            (say("format", "格式"), f"{report.format}, {report.architecture}, {report.quantization}"),
            (say("trained window", "训练窗口"), report.trained_window),
            (say("largest window", "最大窗口"), no_bound if report.most_window is None else report.most_window),
            (say("window", "窗口"), report.context_window),
            (say("rope in the file", "文件中的 RoPE"), report.rope_in_file),
            (say("rope to run with", "运行时的 RoPE"), report.rope),
            (say("memory", "内存"), memory),
            (say("available", "可用"), None if report.available_bytes is None else _gib(report.available_bytes)),
            (say("fits", "能否运行"), _yes(report.fits)),
            (say("largest window that fits", "可容纳的最大窗口"), report.fitting_window),
        ]
    )
    for problem in report.problems:
        console.out(say(f"problem: {problem}", f"问题：{problem}"))
    for remark in report.notes:
        console.out(say(f"note: {remark}", f"说明：{remark}"))


def print_machine(report: "MachineReport") -> None:
    """The machine in a few lines, then the packages with the extra that brings those that are missing."""
    from chinese_llm_rag.doctor import PACKAGES  # noqa: PLC0415  (not for `--help`)

    total, available = report.memory_total, report.memory_available
    console.print_pairs(
        [
            (say("program", "程序"), report.program),
            (say("system", "系统"), f"{report.system}, Python {report.python}"),
            (say("cores", "核心"), report.cores),
            (say("memory", "内存"), None if total is None else _gib(total)),
            (say("available", "可用"), None if available is None else _gib(available)),
        ]
    )
    for name, version in report.packages.items():
        extra = PACKAGES[name]
        missing = say(f"not installed (extra {extra})", f"未安装（可选组件 {extra}）")
        console.out(f"{name}: {version or missing}")


def _gib(n_bytes: int) -> str:
    return f"{n_bytes / 2**30:.2f} GiB"


def _yes(value: bool | None) -> str:  # noqa: FBT001
    return "-" if value is None else say("yes", "是") if value else say("no", "否")


def _cell(value: object) -> str:
    return "-" if value is None else str(value)


@contextmanager
def byte_progress() -> Iterator[Move]:
    """A progress line on stderr while a terminal looks on; a function that moves it."""
    from rich.console import Console  # noqa: PLC0415  (keeps `--help` instant)
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    screen = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as progress:
        task = progress.add_task("", total=None)

        def move(what: str, done_bytes: int, total_bytes: int) -> None:
            progress.update(task, description=what, completed=done_bytes, total=max(total_bytes, 1))

        yield move
