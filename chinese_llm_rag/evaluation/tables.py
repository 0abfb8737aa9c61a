"""A report as titled tables and sentences, the one form that Markdown and HTML are made from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from chinese_llm_rag.evaluation.comparison import Difference
from chinese_llm_rag.evaluation.report import EvaluationReport, RetrievalReport
from chinese_llm_rag.evaluation.statistics import Estimate
from chinese_llm_rag.evaluation.wording import (
    answers_summary,
    difference_sentence,
    level_name,
    measure_name,
    summary,
)
from chinese_llm_rag.language import say

MOST_MISSED = 20
_SAME_LENGTH = 0.8


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a table; a value is an estimate or a text, one for each setting."""

    name: str
    values: tuple[Estimate | str | None, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report, in the order in which it is shown: sentences, table, list."""

    title: str
    sentences: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    items: tuple[str, ...] = ()


def sections(report: EvaluationReport) -> list[Section]:
    """The whole report."""
    retrieval = report.retrieval
    names = tuple(one.name for one in retrieval.figures)
    found = [Section(say("Evaluation", "评测结果"), tuple(summary(report)))]
    if retrieval.notes:
        found.append(Section(say("How to read it", "如何看待这些数值"), items=retrieval.notes))
    for level in ("evidence", "documents"):
        estimates = [one.estimates.get(level, {}) for one in retrieval.figures]
        if any(estimates):
            found.append(_measures(level, names, estimates))
    found.append(_effort(retrieval, names))
    if retrieval.differences:
        found.append(_differences(retrieval.differences, names, _unequal_lengths(retrieval)))
    if retrieval.missed:
        found.append(_missed(retrieval))
    return found + _answers(report)


def _measures(level: str, columns: tuple[str, ...], estimates: Sequence[Mapping[str, Estimate]]) -> Section:
    names = dict.fromkeys(name for one in estimates for name in one)
    lines = tuple(
        Line(measure_name(name, level), tuple(one.get(name) for one in estimates))
        for name in names
        if not _is_repeated(name, estimates)
    )
    n = max((value.n for one in estimates for value in one.values()), default=0)
    sentence = say(f"Means with their 95% intervals; n={n}.", f"均值及 95% 置信区间；n={n}。")
    return Section(level_name(level), (sentence,), columns, lines)


def _is_repeated(name: str, estimates: Sequence[Mapping[str, Estimate]]) -> bool:
    """Whether another line says the same: where one thing is right, hit@k and recall@k are equal."""
    if name in ("recall@1", "ndcg"):
        return True
    other = name.replace("hit@", "recall@")
    return name not in (other, "hit@1") and all(one.get(name) == one.get(other) for one in estimates)


def _effort(retrieval: RetrievalReport, names: tuple[str, ...]) -> Section:
    def of_each(value: Callable[[int], str]) -> tuple[str, ...]:
        return tuple(value(index) for index in range(len(retrieval.figures)))

    figures = retrieval.figures
    lines = [
        Line(
            say(f"search, {name} in ms", f"检索耗时 {name}（毫秒）"),
            of_each(lambda i, name=name: f"{figures[i].latency_ms[name]:.1f}" if figures[i].latency_ms else "-"),  # type: ignore[misc]
        )
        for name in ("p50", "p95")
    ]
    lines.append(
        Line(
            say("characters shown to the model", "提供给模型的字符数"),
            of_each(lambda i: f"{figures[i].shown_chars:.0f}"),
        )
    )
    lines.append(
        Line(
            say("questions that found nothing", "没有检索到任何段落的问题"), of_each(lambda i: str(figures[i].n_empty))
        )
    )
    return Section(say("Effort", "耗时与篇幅"), (), names, tuple(lines))


def _unequal_lengths(retrieval: RetrievalReport) -> str:
    """A warning where one setting shows the model a good deal more text; else empty."""
    a, b = retrieval.figures
    longer = max(a.shown_chars, b.shown_chars)
    if not longer or min(a.shown_chars, b.shown_chars) > _SAME_LENGTH * longer:
        return ""
    return say(
        f"Mind that B shows the model {b.shown_chars / max(a.shown_chars, 1):.2f} times as much text as A.",
        f"请注意：B 提供给模型的文字是 A 的 {b.shown_chars / max(a.shown_chars, 1):.2f} 倍。",
    )


def _differences(differences: Sequence[Difference], names: tuple[str, ...], warning: str = "") -> Section:
    a, b = (name.partition(" (")[0] for name in names)
    return Section(
        say("Is the difference real?", "差别是否真实？"),
        (
            say(
                "Paired tests on the same questions; p is corrected for the number of measures (Holm).",
                "在相同问题上的配对检验；p 值已按指标个数校正（Holm）。",
            ),
            *([warning] if warning else ()),
        ),
        items=tuple(difference_sentence(difference, a, b) for difference in differences),
    )


def _missed(retrieval: RetrievalReport) -> Section:
    a = retrieval.figures[0].name
    shown = retrieval.missed[:MOST_MISSED]
    more = len(retrieval.missed) - len(shown)
    items = [
        say(
            f"{one.question} — expected: {one.answer or '-'} ({one.documents or '-'}); first found: {one.found or '-'}",
            f"{one.question} —— 应为：{one.answer or '-'}（{one.documents or '-'}）；首个结果：{one.found or '-'}",
        )
        for one in shown
    ]
    if more:
        items.append(say(f"and {more} more", f"另有 {more} 个"))
    return Section(
        say(
            f"Not shown to the model by {a}: {len(retrieval.missed)}",
            f"{a} 没有提供给模型的：{len(retrieval.missed)} 个",
        ),
        items=tuple(items),
    )


def _answers(report: EvaluationReport) -> list[Section]:
    answers = report.answers
    if answers is None:
        return []
    names = tuple(one.name for one in answers.figures)
    table = _measures("answers", names, [one.estimates for one in answers.figures])
    latency = tuple(
        Line(
            say(f"answer, {name} in s", f"回答耗时 {name}（秒）"),
            tuple(f"{one.latency_s[name]:.2f}" if one.latency_s else "-" for one in answers.figures),
        )
        for name in ("p50", "p95")
    )
    found = [Section(table.title, (answers_summary(answers), *table.sentences), names, (*table.lines, *latency))]
    if answers.differences:
        found.append(_differences(answers.differences, names))
    return found
