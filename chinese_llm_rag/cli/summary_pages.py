"""How a summary, and the work on one, looks on a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from chinese_llm_rag import console
from chinese_llm_rag.language import say

if TYPE_CHECKING:
    from chinese_llm_rag.chains.summarize import Summary

_PAGES_SHOWN = 12


def print_summary(pieces: "Iterator[Summary]") -> None:
    """A summary as it streams, then what its sentences rest on, and how much of the document that is."""
    whole = None
    for piece in pieces:
        console.out(piece.text, end="")
        whole = piece if whole is None else whole + piece
    assert whole is not None
    console.out()
    console.out()
    for sentence in whole.sentences:
        console.out(f"- {sentence.text.strip().removeprefix('- ')}")
        if not sentence.citations:
            console.out(say("  no support found in the document", "  文档中没有找到依据"))
        for citation in sentence.citations:
            console.out(f"  {console.place_of(citation)}")
    coverage = whole.coverage
    pages = ", ".join(str(page) for _, page in coverage.pages[:_PAGES_SHOWN])
    more = ", …" if len(coverage.pages) > _PAGES_SHOWN else ""
    n, share = len(coverage.pages), f"{coverage.share:.0%}"
    console.note(
        say(
            f"rests on {n} of {coverage.n_pages} pages ({share}): {pages}{more}",
            f"依据 {coverage.n_pages} 页中的 {n} 页（{share}）：{pages}{more}",
        )
    )
    if whole.strategy == "extractive":
        console.note(say("sentences of the document, chosen without a model", "以上为文档原句，未使用语言模型"))
    else:
        console.note(
            say(
                f"{whole.strategy}: {whole.n_calls} calls of the model, {whole.n_cached} steps known from before",
                f"{whole.strategy}：调用模型 {whole.n_calls} 次，{whole.n_cached} 步取自先前的结果",
            )
        )


@contextmanager
def step_progress() -> Iterator[Callable[[int, int], None]]:
    """A progress line on stderr while a terminal looks on; a function that moves it."""
    from rich.console import Console  # noqa: PLC0415  (keeps `--help` instant)
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    screen = Console(stderr=True)
    columns = (BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn(say("left", "剩余")), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as progress:
        task = progress.add_task("", total=None)
        yield lambda n_done, n_steps: progress.update(task, completed=n_done, total=n_steps)
