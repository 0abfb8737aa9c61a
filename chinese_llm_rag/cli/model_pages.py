"""How models, and the progress of work on them, look on a terminal."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from chinese_llm_rag import console
from chinese_llm_rag.language import say
from chinese_llm_rag.models import USES

if TYPE_CHECKING:
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
