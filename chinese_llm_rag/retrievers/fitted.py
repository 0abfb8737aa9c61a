"""What was fitted on question sets: how much words, meaning and agreement count. Data only.

Made by benchmarks/fit_fusion.py on one half of the questions of each set; docs/decisions.md has what it gives on the
other half, and on sets that were left out.
"""

# By what is seen of a query and of its two rankings (fusion.query_features): how much more words and meaning count for
# each unit of it. A query's two weights are the sums over all rows.
FUSION_WEIGHTS: dict[str, tuple[float, float]] = {
    "always": (0.39, 0.61),
    "length": (0.01, 0.01),
    "latin": (0.0, 0.01),
    "peak_of_words": (0.01, 0.01),
    "peak_of_meaning": (0.0, 0.0),
}

# By feature of `agreement.agreement`, where the fused score has 1.
AGREEMENT_WEIGHTS: dict[str, float] = {
    "words": 0.16,
    "characters": 0.12,
    "window": 0.12,
    "numbers": 0.12,
    "names": 0.10,
}
