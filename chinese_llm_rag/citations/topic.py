"""How much of a question stands in each sentence of the passages."""

from chinese_llm_rag.chinese_questions import content_of
from chinese_llm_rag.chinese_text import search_terms
from chinese_llm_rag.citations.evidence_index import EvidenceIndex, grams

_NEAR, _WIDE = 0.6, 0.4  # what counts of a question's words beside a sentence, and elsewhere in its file


def asked_grams(question: str) -> frozenset[str]:
    """The grams of what a question asks about; empty where it only asks."""
    content = content_of(question)
    return grams(content) if search_terms(content) else frozenset()


def on_topic(index: EvidenceIndex, asked: frozenset[str]) -> dict[int, float]:
    """Of each source that the question's words touch: how much of them it holds, 0..1.

    Words beside it in the passage count less, and words elsewhere in the passage's file, which names once what it
    then speaks of, less still.
    """
    total = index.weigh(asked)
    found: dict[int, float] = {}
    for source in index.sources if total else ():
        own = source.grams & asked
        near = frozenset[str]().union(*(other.grams for other in index.around(source))) & asked - own
        if own or near:
            known = index.grams_of(source.passage) | index.files[source.passage.source]
            wide = (known & asked) - own - near
            found[source.number] = (index.weigh(own) + _NEAR * index.weigh(near) + _WIDE * index.weigh(wide)) / total
    return found
