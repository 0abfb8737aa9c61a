"""cite: answer text + the passages it was made from -> what each sentence rests on, and what speaks against it.

Deterministic, after generation; the model is not asked where it found something, and passage numbers that it
wrote are not looked at. evidence_index finds sentences by what they hold, alignment goes clause by clause to
the sentences an answer was made from, verdict looks up facts and contradictions.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from chinese_llm_rag.chinese_text import iter_sentences, search_terms
from chinese_llm_rag.citations.evidence_index import EvidenceIndex
from chinese_llm_rag.citations.extraction import extract
from chinese_llm_rag.citations.verdict import MIN_SUPPORT, Examiner
from chinese_llm_rag.schema import AnswerSentence, Citation, Passage, Span

__all__ = ["MIN_SUPPORT", "SentenceChecker", "cite", "extract"]

# Passage numbers that the model wrote itself: they are not looked at.
_MARKER = re.compile(r"[\[［【]\s*\d+(?:\s*[-,，、–]\s*\d+)*\s*[\]］】]")


class SentenceChecker:
    """Checks the sentences of an answer one by one, as they come.

    Args:
        passages: what the model read.
        question: decides between places that support a sentence equally well.
    """

    def __init__(self, passages: Sequence[Passage], question: str = "") -> None:
        self._examiner = Examiner(EvidenceIndex.of(passages), question)

    def relevance(self, citation: Citation) -> float:
        """How much of the question stands at a cited place and beside it, 0..1."""
        return self._examiner.relevance(citation)

    def check(self, text: str, start: int = 0) -> Iterator[AnswerSentence]:
        """The sentences of a stretch of the answer that begins at `start`.

        A sentence without a word, such as a row of dashes or a passage number, is left out.
        """
        for span in iter_sentences(text):
            sentence = text[span.start : span.end].rstrip()
            words = _MARKER.sub("", sentence)
            if not search_terms(words):
                continue
            found = self._examiner.examine(words, Span(start + span.start, start + span.start + len(sentence)))
            yield replace(found, text=sentence)


def cite(text: str, passages: Sequence[Passage], question: str = "") -> tuple[AnswerSentence, ...]:
    """The sentences of an answer, each with its citations; none where nothing supports it.

    Args:
        text: the answer.
        passages: what the model read, best first.
        question: what was asked; decides between places that support a sentence equally well.
    """
    return tuple(SentenceChecker(passages, question).check(text))
