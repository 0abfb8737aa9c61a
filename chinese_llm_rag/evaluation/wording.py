"""The words of a report, in the user's language: what measures are called, what differences mean."""

from chinese_llm_rag.evaluation.answers import WITHHELD, AnswerReport
from chinese_llm_rag.evaluation.comparison import Difference
from chinese_llm_rag.evaluation.report import EvaluationReport, RetrievalFigures, RetrievalReport
from chinese_llm_rag.evaluation.retrieval import SHOWN
from chinese_llm_rag.evaluation.statistics import Estimate
from chinese_llm_rag.language import say

FEW_QUESTIONS = 30


def level_name(level: str) -> str:
    """What a level's table is called."""
    return {
        "evidence": say("Passages that hold the evidence", "含有依据的段落"),
        "documents": say("Right documents", "正确的文件"),
        "answers": say("Answers", "回答"),
    }[level]


def measure_name(measure: str, level: str) -> str:
    """What a measure is called; "recall@5" and the like carry their cutoff."""
    name, _, cutoff = measure.partition("@")
    if measure == SHOWN:
        return say("found among what the model is shown", "在提供给模型的段落之中")
    if name == "hit" and cutoff == "1":
        return say("right one first (R@1)", "排在第一（R@1）")
    if name in ("hit", "recall"):
        one = name == "hit" and level == "documents"
        return say(
            f"{'any' if one else 'found'} among the first {cutoff} ({'hit' if one else 'recall'}@{cutoff})",
            f"前 {cutoff} 个之中（{'hit' if one else 'recall'}@{cutoff}）",
        )
    names = {
        "mrr": say("mean of 1/rank (MRR)", "名次倒数均值（MRR）"),
        "ndcg": f"nDCG@{cutoff}" if cutoff else "nDCG",
        "wrong_refusal": say("refused although the answer is there", "有答案却未作答"),
        "wrong_answer": say("answered although the documents do not say", "文档未说明却作答"),
        WITHHELD: say("answered although its evidence was withheld", "依据被撤去后仍作答"),
        "refusal_recall": say("refused, of what should be refused (recall)", "应拒答的之中已拒答（召回率）"),
        "refusal_precision": say("should be refused, of what was (precision)", "已拒答的之中应拒答（准确率）"),
        "citation_precision": say("cited places that are evidence (precision)", "引用之处属于依据（准确率）"),
        "citation_recall": say("pieces of evidence that are cited (recall)", "依据被引用（召回率）"),
        "f1": say("F1 of characters", "字符 F1"),
        "exact_match": say("exactly the answer (EM)", "与答案完全一致（EM）"),
        "holds_answer": say("holds the answer", "含有答案"),
        "support": say("sentences with a citation", "有引用依据的句子"),
    }
    return names[name]


def percent(value: float) -> str:
    """A share with one decimal."""
    return f"{100 * value:.1f}%"


def with_interval(value: Estimate) -> str:
    """A share with its 95% interval."""
    return f"{percent(value.mean)} [{100 * value.low:.1f}, {100 * value.high:.1f}]"


def difference_sentence(difference: Difference, a: str, b: str) -> str:
    """What a difference means, for somebody who knows no statistics."""
    found = difference.test.difference
    points = f"{100 * found.mean:+.1f}"
    interval = f"[{100 * found.low:+.1f}, {100 * found.high:+.1f}]"
    what = say(", ", "，").join([level_name(difference.level), measure_name(difference.measure, difference.level)])
    facts = say(
        f"{what}: {b} against {a} {points} points {interval}, p={difference.p:.3g} (n={found.n}).",
        f"{what}：{b} 比 {a} {points} 个百分点 {interval}，p={difference.p:.3g}（n={found.n}）。",
    )
    return facts + say(" ", "") + _meaning(difference, a, b)


def _meaning(difference: Difference, a: str, b: str) -> str:
    found = difference.test.difference
    if found.low == found.high == 0:
        return say("Both are equal on every question.", "两者在每个问题上都相同。")
    if difference.verdict == "not shown":
        visible = 100 * (found.high - found.low) / 2
        return say(
            "No difference is shown: chance explains it as well. With so many questions, less than about "
            f"{visible:.1f} points cannot be seen.",
            f"没有显示出差别：也可能只是偶然。以这个问题数，小于约 {visible:.1f} 个百分点的差别看不出来。",
        )
    wrong = difference.measure.startswith("wrong")
    is_better = (difference.verdict == "better") != wrong
    return say(
        f"The difference is real: {b} is {'better' if is_better else 'worse'} than {a} by this measure.",
        f"差别是真实的：按此指标 {b} 比 {a} {'好' if is_better else '差'}。",
    )


def summary(report: EvaluationReport) -> list[str]:
    """The sentences that stand first."""
    retrieval = report.retrieval
    sentences = [_counted(retrieval)]
    for one in retrieval.figures:
        for level in ("evidence", "documents"):
            if level in one.estimates:
                first, shown = one.estimates[level]["hit@1"], one.estimates[level][SHOWN]
                what = say("passage", "段落") if level == "evidence" else say("document", "文件")
                sentences.append(
                    say(
                        f"{one.name}: the right {what} stands first for {percent(first.mean)} of the questions, and is "
                        f"among the {one.k} that the model is shown for {percent(shown.mean)}.",
                        f"{one.name}：{percent(first.mean)} 的问题正确{what}排在第一，{percent(shown.mean)} 的问题正确"
                        f"{what}在提供给模型的 {one.k} 个段落之中。",
                    )
                )
                break
    if retrieval.n_asked and all(_first(one) == 1 for one in retrieval.figures):
        sentences.append(
            say(
                "Everything stands first: these questions are too easy to tell settings apart.",
                "所有问题都排在第一：这些问题太容易，无法区分不同设置。",
            )
        )
    if 0 < retrieval.n_asked < FEW_QUESTIONS:
        sentences.append(
            say(
                f"{retrieval.n_asked} questions are few: look at the intervals, not at the figures alone.",
                f"只有 {retrieval.n_asked} 个问题，数量偏少：请看区间，不要只看数值。",
            )
        )
    return sentences


def _first(figures: RetrievalFigures) -> float:
    """The lowest share of questions with the right one first, of the levels."""
    return min((of_level["hit@1"].mean for of_level in figures.estimates.values()), default=0.0)


def _counted(retrieval: RetrievalReport) -> str:
    if retrieval.interrupted:
        return say(
            f"Interrupted: {retrieval.n_asked} of {retrieval.n_questions} questions were asked.",
            f"已中断：{retrieval.n_questions} 个问题中问了 {retrieval.n_asked} 个。",
        )
    return say(
        f"{retrieval.n_asked} questions, from {retrieval.origin}.",
        f"{retrieval.n_asked} 个问题，来源：{retrieval.origin}。",
    )


def answers_summary(answers: AnswerReport) -> str:
    """How many questions were answered, and whether that is all."""
    counted = say(
        f"{answers.n_asked} of {answers.n_questions} questions were asked.",
        f"{answers.n_questions} 个问题中问了 {answers.n_asked} 个。",
    )
    failed = sum(one.n_failed for one in answers.figures)
    if not failed:
        return counted
    return counted + say(f" {failed} did not fit the context window.", f"其中 {failed} 个超出上下文窗口。")
