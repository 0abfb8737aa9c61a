"""WordIndex beside the package rank_bm25 with the same stepped lengths: equal scores, in all fields, on real text."""

import json
import math
from bisect import bisect_right
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from rank_bm25 import BM25Okapi

from chinese_llm_rag.retrievers.query_terms import query_terms
from chinese_llm_rag.retrievers.terms import index_terms
from chinese_llm_rag.retrievers.word_index import WordIndex

CMRC = Path(__file__).parents[3] / "shared" / "data" / "bench" / "cmrc2018"
FIELDS = ("body", "forms", "written")
# Lengths are kept in a byte: 0..39 as they are, then in steps that double every eighth, as Lucene's SmallFloat has it.
STEPS = [*range(40), *(24 + ((mantissa | 8) << exponent) for exponent in range(1, 12) for mantissa in range(8))]


def stepped(length: int) -> int:
    return STEPS[bisect_right(STEPS, length) - 1]


class Reference:
    """BM25Okapi by field, with lengths in steps and the idf that is never negative."""

    def __init__(self, texts: list[str]) -> None:
        terms = [index_terms(text) for text in texts]
        self.fields = {}
        for field in FIELDS:
            corpus = [list(getattr(own, field)) for own in terms]
            if not any(corpus):
                continue
            bm25 = BM25Okapi(corpus, k1=1.2, b=0.75)
            n_with = Counter(term for own in corpus for term in set(own))
            bm25.idf = {term: math.log(1 + (len(texts) - n + 0.5) / (n + 0.5)) for term, n in n_with.items()}
            bm25.doc_len = [stepped(length) for length in bm25.doc_len]
            self.fields[field] = bm25

    def scores(self, query: str) -> np.ndarray:
        return sum(
            weight * self.fields[field].get_scores([term])
            for (field, term), weight in query_terms(query).items()
            if field in self.fields
        )


def index_of(texts: list[str]) -> WordIndex:
    index = WordIndex()
    index.add((f"{number:04d}", text, "f") for number, text in enumerate(texts))
    index.commit()
    return index


def test_the_steps_begin_as_lucenes_do():
    assert STEPS[38:52] == [38, 39, 40, 42, 44, 46, 48, 50, 52, 54, 56, 60, 64, 68]
    assert [stepped(n) for n in (0, 39, 40, 41, 55, 57, 63)] == [0, 39, 40, 40, 54, 56, 60]


def test_a_case_with_a_stepped_length_worked_by_hand():
    # N = 2 texts of 45 and 3 terms: 45 is kept as 44, the mean is of what they have, (45 + 3) / 2 = 24. "apple" is in
    # both: idf = ln(1 + (2 - 2 + 0.5) / (2 + 0.5)) = ln 1.2 = 0.182322
    #   0: tf 1, 1.2 · (0.25 + 0.75 · 44 / 24) = 1.95  -> 0.182322 · 2.2 / 2.95  = 0.135969
    #   1: tf 1, 1.2 · (0.25 + 0.75 · 3 / 24)  = 0.4125 -> 0.182322 · 2.2 / 1.4125 = 0.283971
    texts = ["apple " + "pear " * 44, "apple fig plum"]
    assert index_of(texts).search("apple", 2) == [
        ("0001", pytest.approx(0.283971, abs=1e-4)),
        ("0000", pytest.approx(0.135969, abs=1e-4)),
    ]


def test_a_case_with_a_number_in_its_field_worked_by_hand():
    # Of 2 texts one says 2008 in Han characters. Body: the digits are in neither. Forms: N = 2, n = 1,
    # idf = ln(1 + 1.5 / 1.5) = 0.693147; lengths 1 and 0, mean 0.5: 1.2 · (0.25 + 0.75 · 1 / 0.5) = 2.1
    #   0.693147 · 2.2 / 3.1 = 0.491911, twice for the weight of the field
    assert index_of(["二〇〇八年", "苹果"]).search("2008", 2) == [("0000", pytest.approx(0.983822, abs=1e-4))]


@pytest.mark.skipif(not CMRC.exists(), reason="the question sets are not part of this repository")
def test_scores_on_cmrc_equal_the_reference_within_rounding():
    read = [json.loads(line) for line in (CMRC / "docs.jsonl").read_text(encoding="utf-8").splitlines()]
    asked = [json.loads(line) for line in (CMRC / "queries.jsonl").read_text(encoding="utf-8").splitlines()]
    texts = [row["text"] for row in read]
    reference, index = Reference(texts), index_of(texts)
    for row in asked[::40]:
        expected = reference.scores(row["question"])
        found = index.search(row["question"], len(texts))
        assert len(found) == np.count_nonzero(expected > 1e-6)
        assert [score for _, score in found] == pytest.approx([expected[int(i)] for i, _ in found], abs=1e-3, rel=1e-5)
