"""BM25 as LangChain's BM25Retriever has it (the package rank_bm25, BM25Okapi), over a sparse matrix: the same scores.

That package goes through all documents in Python for each term of a query; here a query takes some milliseconds.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from scipy import sparse

K1, B, EPSILON = 1.5, 0.75, 0.25  # rank_bm25's own


class Okapi:
    """Scores of all documents for a query."""

    def __init__(self, corpus: Sequence[Sequence[str]]) -> None:
        self._places: dict[str, int] = {}
        rows, columns, counts = [], [], []
        for row, terms in enumerate(corpus):
            for term, count in Counter(terms).items():
                rows.append(row)
                columns.append(self._places.setdefault(term, len(self._places)))
                counts.append(float(count))
        shape = (len(corpus), max(len(self._places), 1))
        table = sparse.csr_matrix((counts, (rows, columns)), shape=shape)
        lengths = np.array([len(terms) for terms in corpus], dtype=np.float64)
        with_term = np.bincount(table.indices, minlength=shape[1])
        rarity = np.log((shape[0] - with_term + 0.5) / (with_term + 0.5))
        rarity[rarity < 0] = EPSILON * rarity[: len(self._places)].mean()
        norm = K1 * (1 - B + B * lengths / max(lengths.mean(), 1e-9))
        cells = table.tocoo()
        cells.data = rarity[cells.col] * cells.data * (K1 + 1) / (cells.data + norm[cells.row])
        self._scores = cells.tocsc()

    def best(self, terms: Iterable[str], k: int) -> list[tuple[int, float]]:
        """The k best documents that share a term, by their place in the corpus."""
        counted = Counter(term for term in terms if term in self._places)
        if not counted:
            return []
        weights = np.array(list(counted.values()), dtype=np.float64)
        scores = self._scores[:, [self._places[term] for term in counted]] @ weights
        return [(int(i), float(scores[i])) for i in np.argsort(-scores, kind="stable")[:k] if scores[i] != 0]
