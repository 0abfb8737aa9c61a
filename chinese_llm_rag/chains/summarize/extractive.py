"""A summary without a model: the sentences nearest to what the whole text is about, in their order.

Centroid-based extraction (Radev, Jing, Styś, Tam, "Centroid-based summarization of multiple documents", 2004), each
chosen sentence lowering the worth of those that say the same (maximal marginal relevance).
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from chinese_llm_rag.chains.summarize.prompts import Wanted
from chinese_llm_rag.chinese_text import iter_sentences, search_terms
from chinese_llm_rag.schema import Passage

_SENTENCE_ENDS = "。！？!?；;…"
_LEAST, _MOST = 8, 160  # characters of a sentence worth quoting
_LEAD = 0.3  # what the first sentence of a text is worth more than one from its middle
_REPEATED = 2  # a sentence loses worth with this power of what it shares with a chosen one
_FOCUS = 2.0

Vector = dict[str, float]


def extract_summary(passages: Sequence[Passage], wanted: Wanted) -> str:
    """Whole sentences of the passages, as many as come nearest to the wanted length; "" where there is none."""
    sentences = list(dict.fromkeys(_sentences(passages)))
    if not sentences:
        return ""
    vectors = _vectors(sentences)
    worth = _worth(vectors, wanted.focus)
    chosen: list[int] = []
    n_chars = 0
    while len(chosen) < len(sentences):
        best = max((i for i in range(len(sentences)) if i not in chosen), key=lambda i: worth[i])
        if chosen and n_chars + len(sentences[best]) > wanted.n_chars:
            break
        chosen.append(best)
        n_chars += len(sentences[best])
        for i, vector in enumerate(vectors):
            worth[i] *= (1 - min(_cosine(vector, vectors[best]), 1.0)) ** _REPEATED
    picked = [sentences[i] for i in sorted(chosen)]
    return "\n".join(f"- {sentence}" for sentence in picked) if wanted.form == "bullets" else "".join(picked)


def _sentences(passages: Sequence[Passage]) -> list[str]:
    found = []
    for passage in passages:
        for span in iter_sentences(passage.text):
            sentence = " ".join(passage.text[span.start : span.end].split())
            if _LEAST <= len(sentence) <= _MOST and sentence[-1] in _SENTENCE_ENDS and "|" not in sentence:
                found.append(sentence)
    return found


def _vectors(sentences: Sequence[str]) -> list[Vector]:
    """Of unit length; words by TF-IDF over the sentences."""
    counts = [Counter(term for term in search_terms(sentence) if len(term) > 1) for sentence in sentences]
    n_with = Counter(term for count in counts for term in count)
    vectors = []
    for count in counts:
        weights = {term: n * math.log(1 + len(sentences) / n_with[term]) for term, n in count.items()}
        length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
        vectors.append({term: weight / length for term, weight in weights.items()})
    return vectors


def _worth(vectors: Sequence[Vector], focus: str) -> list[float]:
    centroid: Counter[str] = Counter()
    for vector in vectors:
        centroid.update(vector)
    length = math.sqrt(sum(weight * weight for weight in centroid.values())) or 1.0
    middle = {term: weight / length for term, weight in centroid.items()}
    asked = {term for term in search_terms(focus) if len(term) > 1}
    worth = []
    for place, vector in enumerate(vectors):
        about = _cosine(vector, middle) * (1 + _LEAD * (1 - place / len(vectors)))
        share = len(asked & vector.keys()) / len(asked) if asked else 0.0
        worth.append(about * (1 + _FOCUS * share))
    return worth


def _cosine(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    small, large = sorted((one, other), key=len)
    return sum(weight * large.get(term, 0.0) for term, weight in small.items())
