"""Two settings on the same questions: which differences are real, the number of comparisons taken into account."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from chinese_llm_rag.evaluation.statistics import PairedTest, holm, paired_test

SIGNIFICANCE = 0.05

Verdict = Literal["better", "worse", "not shown"]
LevelName = TypeVar("LevelName", bound=str)


@dataclass(frozen=True, slots=True)
class Difference:
    """B against A by one measure; `p` is corrected by Holm's method for all measures compared together."""

    level: str
    measure: str
    test: PairedTest
    p: float

    @property
    def verdict(self) -> Verdict:
        """Of B: "better" or "worse" where chance is an unlikely explanation."""
        if self.p >= SIGNIFICANCE:
            return "not shown"
        return "better" if self.test.difference.mean > 0 else "worse"

    def to_dict(self) -> dict[str, object]:
        """Plain values."""
        return {
            "level": self.level,
            "measure": self.measure,
            "difference": self.test.difference.to_dict(),
            "test": self.test.test,
            "p": round(self.test.p, 5),
            "p_holm": round(self.p, 5),
            "b_is": self.verdict,
        }


def compare(
    a: Mapping[LevelName, Mapping[str, Mapping[str, float]]],
    b: Mapping[LevelName, Mapping[str, Mapping[str, float]]],
    measures: Sequence[str],
) -> tuple[Difference, ...]:
    """The differences by each of these measures, over the questions that both have a value for.

    Args:
        a: values by level, measure and question id.
        b: the same.
        measures: which to compare, at every level that has them.
    """
    tests = []
    for level in a:
        for name in measures:
            of_a, of_b = a[level].get(name, {}), b.get(level, {}).get(name, {})
            if common := [question for question in of_a if question in of_b]:
                test = paired_test([of_a[question] for question in common], [of_b[question] for question in common])
                tests.append((level, name, test))
    corrected = holm([test.p for _, _, test in tests])
    return tuple(Difference(level, name, test, p) for (level, name, test), p in zip(tests, corrected, strict=True))
