"""What a query looks for in which field of the word index, and how much each counts. Pure."""

from collections import Counter
from typing import Literal

from chinese_llm_rag.chinese_text import is_han, search_terms
from chinese_llm_rag.retrievers.synonyms import Synonyms
from chinese_llm_rag.retrievers.terms import Terms, WordCutter, index_terms, spelled_numbers

Field = Literal["body", "forms", "written"]

# What a number, a date or a name is worth tells more than how it is written, and more than a word does. The script
# that a text is written in decides between passages that hold the same words.
FIELD_WEIGHTS: dict[Field, float] = {"body": 1.0, "forms": 2.0, "written": 0.1}
SYNONYM_WEIGHT = 0.5  # of a word that the query does not say
# The 百分之 of 百分之九 would find all percentages, and 百分之九 is found by its value.
SPELLED_WEIGHT = 0.25


def query_terms(
    query: str, synonyms: Synonyms | None = None, cut: WordCutter | None = None
) -> dict[tuple[Field, str], float]:
    """Weight by field and term: a term counts as often as the query says it.

    Of a synonym of several characters only the pairs are looked for: its single characters would find
    everything.
    """
    weights = _weights(index_terms(query, cut), 1.0)
    for term, count in Counter(term for number in spelled_numbers(query) for term in search_terms(number)).items():
        weights["body", term] -= count * (1 - SPELLED_WEIGHT) * FIELD_WEIGHTS["body"]
    if synonyms is not None:
        for word in synonyms.others(query):
            for key, weight in _weights(_telling(index_terms(word, cut)), SYNONYM_WEIGHT).items():
                weights.setdefault(key, weight)
    return weights


def _weights(terms: Terms, factor: float) -> dict[tuple[Field, str], float]:
    fields: dict[Field, tuple[str, ...]] = {"body": terms.body, "forms": terms.forms, "written": terms.written}
    return {
        (field, term): count * FIELD_WEIGHTS[field] * factor
        for field, found in fields.items()
        for term, count in Counter(found).items()
    }


def _telling(terms: Terms) -> Terms:
    pairs = tuple(term for term in terms.body if len(term) > 1 or not is_han(term))
    return Terms(pairs or terms.body, terms.forms, tuple(term for term in terms.written if len(term) > 1 or not pairs))
