"""A follow-up is searched in both forms: as it stands by itself, and as it was asked."""

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableConfig

from chinese_llm_rag.retrievers.scored import identity_of

_TURNS = 2  # documents of the form that stands by itself for one of the other, which may name nothing


class BothFormsRetriever(BaseRetriever):
    """As many documents as one search gives: two found by the query for one found by the question as asked.

    Attributes:
        retriever: is asked both.
        asked: the question as it was asked.
    """

    retriever: BaseRetriever
    asked: str

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        config: RunnableConfig = {"callbacks": run_manager.get_child()}
        return in_turns(*(self.retriever.invoke(form, config) for form in (query, self.asked)))

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun
    ) -> list[Document]:
        config: RunnableConfig = {"callbacks": run_manager.get_child()}
        return in_turns(*[await self.retriever.ainvoke(form, config) for form in (query, self.asked)])


def in_turns(first: list[Document], second: list[Document]) -> list[Document]:
    """Two of the first for one of the second, each document once, as many as the longer list has."""
    left, right = list(reversed(first)), list(reversed(second))
    found: dict[str, Document] = {}
    while left or right:
        for source, n_documents in ((left, _TURNS), (right, 1)):
            for _ in range(min(n_documents, len(source))):
                document = source.pop()
                found.setdefault(identity_of(document), document)
    return list(found.values())[: max(len(first), len(second))]
