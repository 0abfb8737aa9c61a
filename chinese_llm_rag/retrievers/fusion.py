"""One ranking out of several. Pure functions; higher scores are better.

Rankings are mappings from an id to its score. Equal fused scores are ordered by id.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from chinese_llm_rag.retrievers.fitted import FUSION_WEIGHTS

LEAST_WEIGHT = 0.2
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


def query_features(query: str, words: Mapping[str, float], meaning: Mapping[str, float]) -> dict[str, float]:
    """What decides how much each ranking counts: the rows of fitted.FUSION_WEIGHTS, each 0..1.

    length: of the query, 60 characters and more being 1.
    latin: share of Latin letters and digits in it.
    peak_of_words, peak_of_meaning: how far the best of a ranking is above the second, of all its spread.
    """
    latin = sum(character.isascii() and character.isalnum() for character in query)
    return {
        "always": 1.0,
        "length": min(len(query), 60) / 60,
        "latin": latin / max(len(query), 1),
        "peak_of_words": _peak(words),
        "peak_of_meaning": _peak(meaning),
    }


def fitted_weights(query: str, words: Mapping[str, float], meaning: Mapping[str, float]) -> tuple[float, float]:
    """How much search by words and by meaning count for a query; together 1, and neither below LEAST_WEIGHT."""
    features = query_features(query, words, meaning)
    sums = [sum(FUSION_WEIGHTS[name][side] * value for name, value in features.items()) for side in (0, 1)]
    of_words = min(max(sums[0] / max(sum(sums), 1e-9), LEAST_WEIGHT), 1 - LEAST_WEIGHT)
    return of_words, 1 - of_words


def _peak(ranking: Mapping[str, float]) -> float:
    best = sorted(stretched(ranking).values(), reverse=True)[:2]
    return best[0] - best[1] if len(best) == 2 else 1.0


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
