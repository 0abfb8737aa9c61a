"""Which made questions have one place that answers them: no other sentence fits the same words.

Shares of words are of pairs of Han characters and whole Latin words, as retrieval sees them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from chinese_llm_rag.chinese_text import iter_sentences, search_terms
from chinese_llm_rag.evaluation.holding import comparable, stands_in
from chinese_llm_rag.evaluation.locate import SourceText
from chinese_llm_rag.evaluation.questions import Question
from chinese_llm_rag.schema import Span

# A sentence elsewhere that holds so much of a question could be what it asks about.
_SAME_QUESTION = 0.6
# One that holds the answer as well needs less to be mistaken for it.
_WITH_ANSWER = 0.3


def words_of(text: str) -> frozenset[str]:
    """What two texts are compared by."""
    return frozenset(term for term in search_terms(text) if len(term) > 1 or term.isascii())


def with_one_place(questions: Sequence[Question], documents: Iterable[SourceText]) -> list[Question]:
    """The questions that no other sentence of the documents could answer.

    Args:
        questions: each with one piece of evidence that has a span, and with answers.
        documents: all of them, each sentence once for each time it occurs.
    """
    words = [words_of(question.question) for question in questions]
    asking: defaultdict[str, list[int]] = defaultdict(list)
    for index, own in enumerate(words):
        for word in own:
            asking[word].append(index)
    ambiguous: set[int] = set()
    for document in documents:
        for span in iter_sentences(document.text):
            sentence = document.text[span.start : span.end]
            shared = Counter(index for word in words_of(sentence) for index in asking.get(word, ()))
            for index, n_shared in shared.items():
                share = n_shared / len(words[index])
                if index in ambiguous or share < _WITH_ANSWER or _is_own(questions[index], document.doc_id, span):
                    continue
                if share >= _SAME_QUESTION or _has_answer(questions[index], sentence):
                    ambiguous.add(index)
    return [question for index, question in enumerate(questions) if words[index] and index not in ambiguous]


def _is_own(question: Question, doc_id: str, sentence: Span) -> bool:
    evidence = question.evidence[0]
    place = evidence.span
    return (
        doc_id in evidence.doc_ids and place is not None and place.start < sentence.end and sentence.start < place.end
    )


def _has_answer(question: Question, sentence: str) -> bool:
    text = comparable(sentence)
    return any(stands_in(answer, text) for answer in question.answers)
