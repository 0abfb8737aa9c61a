"""Fit how much words, meaning and agreement count, and print the tables of retrievers/fitted.py.

    python benchmarks/fit_fusion.py --data FOLDER --cache FOLDER

For each question of the dev halves, alone and in the pooled index, the candidates of both searches with their stretched
scores and the features of agreement; the weights maximise the probability that a softmax over the candidates gives the
right ones (each set counting the same), with a ridge that keeps them small. What depends on the query is held by a
stronger ridge, so that it stays near zero where it does not help. Printed too: R@1 on the test halves, and on each set
when it was left out of the fit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from retrieval_methods import Index
from retrieval_sets import DISTRACTORS, NOT_POOLED, Half, Question, load_set, pooled, sampling_parser
from scipy.optimize import minimize
from vector_cache import VectorCache

from chinese_llm_rag.knowledge_base.searching import Scope, build_retriever
from chinese_llm_rag.offline import forbid_calling_home
from chinese_llm_rag.retrievers.agreement import FEATURES, agreement
from chinese_llm_rag.retrievers.fitted import FUSION_WEIGHTS
from chinese_llm_rag.retrievers.fusion import query_features, stretched
from chinese_llm_rag.retrievers.hybrid import HybridRetriever
from chinese_llm_rag.retrievers.rerank import title_and_text

RIDGE, RIDGE_OF_QUERY = 0.001, 0.02
NAMES = [f"{side} {name}" for name in FUSION_WEIGHTS for side in ("words", "meaning")] + list(FEATURES)


@dataclass(frozen=True)
class Candidates:
    """What was found for a question: a row a candidate, a column a weight."""

    question: Question
    half: Half
    columns: np.ndarray
    right: np.ndarray
    documents: list[str]


def candidates_of(index: Index, question: Question) -> Candidates:
    hybrid = build_retriever(index.parts, Scope(), k=1, mode="hybrid", synonyms=None, reranker=None)
    assert isinstance(hybrid, HybridRetriever)
    rankings = []
    for retriever in (hybrid.bm25, hybrid.dense):
        found = retriever.invoke(question.text, k=hybrid.fetch_k)
        rankings.append({document.id: document.metadata["score"] for document in found})
    ids = sorted({*rankings[0], *rankings[1]})
    for retriever, ranking in zip((hybrid.bm25, hybrid.dense), rankings, strict=True):
        ranking.update(retriever.scores_of(question.text, [identity for identity in ids if identity not in ranking]))
    seen = query_features(question.text, *rankings)
    scores = [stretched(ranking) for ranking in rankings]
    fused = np.array([[score[identity] for score in scores] for identity in ids])
    by_query = np.concatenate([fused * seen[name] for name in FUSION_WEIGHTS], axis=1)
    agreed = agreement(question.text, [title_and_text(index.chunks[identity]) for identity in ids])
    documents = [index.chunks[identity].metadata["source"] for identity in ids]
    right = np.array([document in question.documents for document in documents])
    return Candidates(question, question.half, np.concatenate([by_query, agreed], axis=1), right, documents)


def fit(found: Sequence[Candidates]) -> np.ndarray:
    """The weights, by NAMES."""
    usable = [one for one in found if one.right.any() and not one.right.all()]
    names = [one.question.set_name for one in usable]
    share = {name: 1 / names.count(name) / len(set(names)) for name in names}
    ridge = np.array([RIDGE_OF_QUERY if " " in name and "always" not in name else RIDGE for name in NAMES])

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        total, slope = float(ridge @ weights**2), 2 * ridge * weights
        for one in usable:
            scores = one.columns @ weights
            odds = np.exp(scores - scores.max())
            chance, of_right = odds / odds.sum(), odds * one.right / (odds @ one.right)
            total -= share[one.question.set_name] * float(np.log(chance @ one.right))
            slope -= share[one.question.set_name] * ((of_right - chance) @ one.columns)
        return total, slope

    start = np.zeros(len(NAMES))
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B").x)


def recall(found: Sequence[Candidates], weights: np.ndarray) -> dict[str, float]:
    """R@1 by set."""
    hits: dict[str, list[bool]] = {}
    for one in found:
        best = one.documents[int(np.argmax(one.columns @ weights))]
        hits.setdefault(one.question.set_name, []).append(best in one.question.documents)
    return {name: float(np.mean(values)) for name, values in hits.items()}


def show(title: str, recalls: dict[str, float]) -> None:
    each = "  ".join(f"{name} {value:.3f}" for name, value in recalls.items())
    print(f"{title:28} mean {np.mean(list(recalls.values())):.4f}  {each}")


def print_tables(weights: np.ndarray) -> None:
    """In the form of retrievers/fitted.py: the two weights of a usual query add up to 1."""
    by_name = dict(zip(NAMES, weights, strict=True))
    unit = by_name["words always"] + by_name["meaning always"]
    print("FUSION_WEIGHTS")
    for name in FUSION_WEIGHTS:
        print(f'    "{name}": ({by_name[f"words {name}"] / unit:.2f}, {by_name[f"meaning {name}"] / unit:.2f}),')
    print("AGREEMENT_WEIGHTS")
    for name in FEATURES:
        print(f'    "{name}": {max(by_name[name] / unit, 0):.2f},')


def main() -> None:
    arguments = sampling_parser(__doc__ or "").parse_args()

    forbid_calling_home()
    cache = VectorCache(arguments.cache)
    sizes = (arguments.documents or None, arguments.questions or None)
    sets = [load_set(arguments.data, name, *sizes) for name in arguments.sets]
    others = [load_set(arguments.data, name, *sizes) for name in DISTRACTORS]
    together = pooled([*(one for one in sets if one.name not in NOT_POOLED), *others])
    found: list[Candidates] = []
    for one in [*sets, together]:
        index = Index.of(one, cache)
        found += [candidates_of(index, question) for question in one.questions]
        print(f"{one.name}: {len(index.chunks)} chunks, {len(one.questions)} questions", flush=True)
    dev, test = ([one for one in found if one.half == half] for half in ("dev", "test"))
    weights = fit(dev)
    show("test halves", recall(test, weights))
    equal = np.array([1.0 if name.endswith("always") else 0.0 for name in NAMES])
    show("equal weights, no agreement", recall(test, equal))
    left_out = {}
    for one in sets:
        apart = fit([candidate for candidate in dev if candidate.question.set_name != one.name])
        left_out |= recall([candidate for candidate in test if candidate.question.set_name == one.name], apart)
    show("each set left out of the fit", left_out)
    print_tables(weights)


if __name__ == "__main__":
    main()
