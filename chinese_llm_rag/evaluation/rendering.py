"""Sections -> Markdown for a terminal or a file, or one HTML page that needs nothing else."""

from collections.abc import Sequence
from importlib import resources

from chinese_llm_rag.chinese_text import display_width
from chinese_llm_rag.evaluation.statistics import Estimate
from chinese_llm_rag.evaluation.tables import Section
from chinese_llm_rag.evaluation.wording import percent, with_interval
from chinese_llm_rag.language import speaks_chinese


def to_markdown(sections: Sequence[Section]) -> str:
    """The report as Markdown whose tables also line up as plain text."""
    parts: list[str] = []
    for number, section in enumerate(sections):
        parts.append(f"{'#' if number == 0 else '##'} {section.title}")
        parts += section.sentences
        if section.lines:
            parts.append(_table(section))
        if section.items:
            parts.append("\n".join(f"- {_one_line(item)}" for item in section.items))
    return "\n\n".join(parts) + "\n"


def to_html(sections: Sequence[Section]) -> str:
    """The report as one page: a bar with its interval for each estimate. No script, no font, no link."""
    import jinja2  # noqa: PLC0415  (keeps `--help` instant)

    source = resources.files("chinese_llm_rag.evaluation").joinpath("report.html.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return environment.from_string(source).render(
        sections=sections,
        language="zh" if speaks_chinese() else "en",
        is_estimate=lambda value: isinstance(value, Estimate),
        percent=percent,
    )


def _table(section: Section) -> str:
    """A Markdown table, its columns padded to the width they take on a terminal."""
    rows = [("", *(_cell(name) for name in section.columns))]
    rows += [(_cell(line.name), *(_value(value) for value in line.values)) for line in section.lines]
    widths = [max(display_width(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(_padded(cell, width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def _value(value: Estimate | str | None) -> str:
    if value is None:
        return "-"
    return with_interval(value) if isinstance(value, Estimate) else _cell(value)


def _cell(text: str) -> str:
    return _one_line(text).replace("|", "\\|")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _padded(text: str, width: int) -> str:
    return text + " " * (width - display_width(text))
