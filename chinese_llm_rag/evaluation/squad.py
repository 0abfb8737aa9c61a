"""Question sets in the forms of SQuAD (CMRC, DRCD, XQuAD) and of the first CMRC 2018 files.

The evidence of a question is the sentence of its paragraph that the answer stands in, so that the set can be
asked of a knowledge base that holds these texts under other names.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from chinese_llm_rag.chinese_text import iter_sentences
from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.evaluation.questions import Evidence, Question, QuestionSet, texts_of
from chinese_llm_rag.language import say

_Object = Mapping[str, Any]


def is_squad(value: object) -> bool:
    """Whether a JSON document has one of these forms."""
    if isinstance(value, dict):
        return isinstance(value.get("data"), list)
    return bool(value) and isinstance(value, list) and isinstance(value[0], dict) and "qas" in value[0]


def parse_squad(value: Any, file: Path) -> QuestionSet:  # noqa: ANN401  (any JSON value)
    """The questions, and their paragraphs as documents.

    Raises:
        ConfigError: a part that the form asks for is missing.
    """
    documents: dict[str, str] = {}
    questions: list[Question] = []
    try:
        for doc_id, context, asked in _paragraphs(value):
            documents[doc_id] = context
            questions += [_question(item, doc_id, context) for item in asked]
    except (KeyError, TypeError, AttributeError) as error:
        after = f"{len(documents)}"
        raise ConfigError(
            say(
                f"{str(file)!r}: broken after {after} paragraphs ({type(error).__name__}: {error})",
                f"{str(file)!r}：第 {after} 段之后格式有误（{type(error).__name__}: {error}）",
            ),
            setting="questions",
            hint=say(
                "each paragraph has 'context' and 'qas', each question 'id', 'question' and 'answers'",
                "每段应有 context 和 qas，每个问题应有 id、question 和 answers",
            ),
        ) from error
    return QuestionSet(tuple(questions), str(file), documents=documents)


def _paragraphs(value: Any) -> Iterator[tuple[str, str, list[_Object]]]:  # noqa: ANN401
    """Id, text and questions of each paragraph."""
    if isinstance(value, list):  # the first form of CMRC 2018
        for paragraph in value:
            yield str(paragraph["context_id"]), paragraph["context_text"], paragraph["qas"]
        return
    for number, article in enumerate(value["data"]):
        for place, paragraph in enumerate(article["paragraphs"]):
            identity = paragraph.get("id", f"{article.get('title', number)}-{place}")
            yield str(identity), paragraph["context"], paragraph["qas"]


def _question(item: _Object, doc_id: str, context: str) -> Question:
    given = item.get("answers") or []
    texts = texts_of([answer if isinstance(answer, str) else answer["text"] for answer in given])
    answerable = not item.get("is_impossible", False)
    return Question(
        id=str(item["id"] if "id" in item else item["query_id"]),
        question=str(item["question"] if "question" in item else item["query_text"]).strip(),
        answers=texts if answerable else (),
        doc_ids=(doc_id,),
        evidence=_evidence(given, texts, doc_id, context) if answerable else (),
        answerable=answerable,
    )


def _evidence(given: list[Any], texts: tuple[str, ...], doc_id: str, context: str) -> tuple[Evidence, ...]:
    """The sentence around the first answer; the answers themselves where it is not said where they stand."""
    if not texts:
        return ()
    answer = given[0]
    start = answer.get("answer_start", -1) if isinstance(answer, dict) else -1
    if not isinstance(start, int) or start < 0:
        return (Evidence(texts, (doc_id,)),)
    for span in iter_sentences(context):
        if span.start <= start < span.end:
            return (Evidence((context[span.start : span.end].strip(),), (doc_id,)),)
    return (Evidence(texts, (doc_id,)),)
