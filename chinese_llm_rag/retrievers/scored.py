"""What the retrievers of this package have in common: the best k, as copies that carry their score."""

from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    CallbackManager,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import run_in_executor
from pydantic import Field

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say

# From chunk ids to their vectors of unit length.
VectorsOf = Callable[[list[str]], Mapping[str, Sequence[float] | npt.NDArray[np.float32]]]
# From chunk ids to documents; an id that is left out is not (or no longer) to be seen.
Resolve = Callable[[list[str]], dict[str, Document]]


@runtime_checkable
class ScoresAny(Protocol):
    """A retriever that can score documents it would not give."""

    def scores_of(self, query: str, ids: Collection[str]) -> dict[str, float]:
        """By id, as far as they can be scored."""
        ...


class ScoredRetriever(BaseRetriever):
    """Base: gives `k` documents, or those a call asks for with `invoke(query, k=...)`.

    Attributes:
        k: how many documents to give.
    """

    k: int = Field(default=4, ge=1)

    @abstractmethod
    def _best(self, query: str, k: int, callbacks: CallbackManager) -> list[Document]:
        """The best k documents, made by `scored`; the query is not blank and k is at least 1."""

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, k: int | None = None
    ) -> list[Document]:
        n_wanted = self.k if k is None else k
        if n_wanted < 1:
            raise ConfigError(say(f"k={k!r}, expected at least 1", f"k={k!r}，应至少为 1"), setting="k")
        return self._best(query, n_wanted, run_manager.get_child()) if query.strip() else []

    # LangChain's own asynchronous form does not pass k on.
    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, k: int | None = None
    ) -> list[Document]:
        return await run_in_executor(None, self._get_relevant_documents, query, run_manager=run_manager.get_sync(), k=k)


def scored(document: Document, score: float) -> Document:
    """A copy with metadata["score"], higher is better, and its chunk_id, where it has one, as its id."""
    return Document(
        document.page_content,
        id=document.metadata.get("chunk_id", document.id),
        metadata={**document.metadata, "score": float(score)},
    )


def identity_of(document: Document) -> str:
    """What tells documents apart: the id, or else the text."""
    return str(document.metadata.get("chunk_id") or document.id or document.page_content)
