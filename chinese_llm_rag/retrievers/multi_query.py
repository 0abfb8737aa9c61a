"""Several queries for one question: the things it asks, by rules; or other wordings, by a language model."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManager
from langchain_core.documents import Document
from langchain_core.language_models import BaseLanguageModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.retrievers import BaseRetriever
from pydantic import Field

from chinese_llm_rag.retrievers.question_parts import split_question
from chinese_llm_rag.retrievers.scored import ScoredRetriever, identity_of, scored

# From a question to queries that are searched beside it.
Rewrite = Callable[[str], Sequence[str]]

REWRITE_PROMPT = """请把下面的问题改写成{n}个不同的检索问题，意思不变，用词不同；如果它问了几件事，请每件事写一个问题。
每行写一个问题，不要编号，不要解释。

问题：{question}

检索问题：
"""
_NUMBERING = re.compile(r"^\s*(?:[-*•·]|[（(]?\d{1,2}[.．、)）:：])\s*")
_LONGEST_QUERY = 200


def llm_rewrite(llm: BaseLanguageModel[Any], n: int = 3) -> Rewrite:
    """Other wordings of a question by a language model, up to n.

    What a model says beside questions costs a search, no more: lines that repeat one another or the question, or
    are longer than any question, are left out.
    """
    answer = llm | StrOutputParser()

    def rewrite(question: str) -> list[str]:
        lines = answer.invoke(REWRITE_PROMPT.format(n=n, question=question)).splitlines()
        queries = dict.fromkeys(_NUMBERING.sub("", line).strip() for line in lines)
        return [query for query in queries if query not in ("", question) and len(query) <= _LONGEST_QUERY][:n]

    return rewrite


class MultiQueryRetriever(ScoredRetriever):
    """The question and the queries made of it take turns: the best of each, then the second best of each.

    In turns, and not by votes, because of two things that were asked each has to be there, and passages on both at
    once win all votes. A question that nothing is made of is searched as it is. Where there are several,
    metadata["query"] names the one that a document was found by, and a document's `score` is its own or that of the
    document before it, when that is less.

    Attributes:
        retriever: is asked each query; takes `k` when invoked.
        rewrite: gives the queries that are searched beside the question; by default its parts, by rules.
        k: how many documents to give.
    """

    retriever: BaseRetriever
    rewrite: Rewrite = Field(default=split_question)

    def _best(self, query: str, k: int, callbacks: CallbackManager) -> list[Document]:
        queries = list(dict.fromkeys([query, *(other for other in self.rewrite(query) if other.strip())]))
        found = [self.retriever.invoke(each, {"callbacks": callbacks}, k=k) for each in queries]
        if len(found) == 1:
            return found[0]
        best: dict[str, Document] = {}
        least = float("inf")
        for rank in range(max(map(len, found))):
            for each, documents in zip(queries, found, strict=True):
                if rank < len(documents) and identity_of(documents[rank]) not in best:
                    document = documents[rank]
                    least = min(least, document.metadata.get("score", least))
                    copy = scored(document, least)
                    copy.metadata["query"] = each
                    best[identity_of(document)] = copy
        return list(best.values())[:k]
