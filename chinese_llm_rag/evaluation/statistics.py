"""How sure a mean is, and whether a difference is real. Pure functions over one value a question.

Questions are taken as drawn independently of each other; several on one document make intervals too narrow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chinese_llm_rag._optional import optional_import

CONFIDENCE = 0.95
_BOOTSTRAPS = 2000
_SHUFFLES = 9999
_CELLS = 4_000_000  # of a table of random draws at a time, so that it stays within some 30 MB
_SEED = 0  # equal values give equal intervals


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over `n` values with its 95% confidence interval."""

    mean: float
    low: float
    high: float
    n: int

    def to_dict(self) -> dict[str, float | int]:
        """Rounded to what such samples can tell."""
        return {"mean": round(self.mean, 4), "low": round(self.low, 4), "high": round(self.high, 4), "n": self.n}


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Mean of b - a over the same questions, its 95% confidence interval, and the two-sided p value."""

    difference: Estimate
    p: float
    test: str


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and interval: Wilson's for shares of yes and no, else the bootstrap's percentiles.

    Values lie in 0..1. A single value that is neither 0 nor 1 has the interval 0..1: it says nothing.
    """
    mean = float(np.mean(values))
    if set(values) <= {0.0, 1.0}:
        found = _stats().binomtest(int(sum(values)), len(values)).proportion_ci(CONFIDENCE, method="wilson")
        return Estimate(mean, float(found.low), float(found.high), len(values))
    low, high = _bootstrap(np.asarray(values, dtype=np.float64)) if len(values) > 1 else (0.0, 1.0)
    return Estimate(mean, low, high, len(values))


def paired_test(a: Sequence[float], b: Sequence[float]) -> PairedTest:
    """Whether b differs from a, measured on the same questions in the same order.

    Yes-or-no values: McNemar's exact test, a binomial test on the questions that only one of them got. Others:
    the paired randomization test, which is the same idea for any value (Smucker, Allan and Carterette, "A
    Comparison of Statistical Significance Tests for Information Retrieval Evaluation", CIKM 2007).
    """
    differences = np.asarray(b, dtype=np.float64) - np.asarray(a, dtype=np.float64)
    n = len(differences)
    low, high = _bootstrap(differences) if n > 1 else (-1.0, 1.0)
    difference = Estimate(float(differences.mean()), low, high, n)
    if not differences.any():
        return PairedTest(difference, 1.0, "equal on every question")
    if {*a, *b} <= {0.0, 1.0}:
        gained, lost = int((differences > 0).sum()), int((differences < 0).sum())
        return PairedTest(difference, float(_stats().binomtest(gained, gained + lost).pvalue), "McNemar, exact")
    return PairedTest(difference, _randomization(differences), "paired randomization")


def holm(p_values: Sequence[float]) -> list[float]:
    """The p values corrected for their number, in their order.

    Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics, 1979.
    """
    corrected = [0.0] * len(p_values)
    worst = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = worst
    return corrected


def percentile(values: Sequence[float], percent: float) -> float:
    """The percentile of some values, between neighbours in proportion."""
    return float(np.percentile(values, percent))


def _bootstrap(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    found = _stats().bootstrap(
        (values,),
        np.mean,
        n_resamples=_BOOTSTRAPS,
        batch=max(1, _CELLS // len(values)),
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(_SEED),
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def _randomization(differences: npt.NDArray[np.float64]) -> float:
    """Share of random signs under which the mean is at least as far from 0; all of them where they are few."""
    found = _stats().permutation_test(
        (differences,),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=_SHUFFLES,
        batch=max(1, _CELLS // len(differences)),
        rng=np.random.default_rng(_SEED),
    )
    return float(found.pvalue)


def _stats() -> Any:  # noqa: ANN401  (a module that is imported when used)
    return optional_import("scipy.stats", extra="eval")
