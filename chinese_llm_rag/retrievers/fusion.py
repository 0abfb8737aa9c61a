"""One ranking out of several. Pure functions; higher scores are better.

Rankings are mappings from an id to its score. Equal fused scores are ordered by id.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

# The constant of the paper: how slowly a vote fades with the rank.
RANK_CONSTANT = 60


def reciprocal_rank_fusion(
    rankings: Sequence[Mapping[str, float]], weights: Sequence[float] | None = None, *, constant: int = RANK_CONSTANT
) -> list[tuple[str, float]]:
    """Sum of weight / (constant + rank) over the rankings an id is in, ranks from 1; best first.

    Looks at the order only, so scores of any kind mix. Cormack, Clarke and Büttcher, "Reciprocal Rank
    Fusion outperforms Condorcet and individual Rank Learning Methods", SIGIR 2009.
    """
    fused: defaultdict[str, float] = defaultdict(float)
    for ranking, weight in zip(rankings, _weights(rankings, weights), strict=True):
        for rank, (identity, _) in enumerate(_best_first(ranking), start=1):
            fused[identity] += weight / (constant + rank)
    return _best_first(fused)


def min_max_blend(
    rankings: Sequence[Mapping[str, float]], weights: Sequence[float] | None = None
) -> list[tuple[str, float]]:
    """Weighted mean of the scores after each ranking is stretched to 0..1; best first.

    The best of a ranking counts 1, its last 0, and what is not in it counts as its last: with enough
    candidates a ranking, that is about where a missing one would stand. A ranking whose scores are
    all equal gives each of them 1.
    """
    parts = _weights(rankings, weights)
    total = sum(parts)
    fused: defaultdict[str, float] = defaultdict(float)
    for ranking, weight in zip(rankings, parts, strict=True):
        for identity, score in stretched(ranking).items():
            fused[identity] += weight / total * score
    return _best_first(fused)


def stretched(ranking: Mapping[str, float]) -> dict[str, float]:
    """The scores moved to 0..1, the least to 0 and the greatest to 1; all to 1 when they are equal."""
    if not ranking:
        return {}
    least, greatest = min(ranking.values()), max(ranking.values())
    if least == greatest:
        return dict.fromkeys(ranking, 1.0)
    return {identity: (score - least) / (greatest - least) for identity, score in ranking.items()}


def _weights(rankings: Sequence[Mapping[str, float]], weights: Sequence[float] | None) -> Sequence[float]:
    return [1.0] * len(rankings) if weights is None else weights


def _best_first(scores: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))
