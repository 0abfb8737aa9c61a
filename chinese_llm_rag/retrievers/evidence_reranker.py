"""Passages in an order that needs no model: by how they were found, and how well they agree with the question."""

from collections.abc import Callable, Mapping, Sequence

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from pydantic import Field

from chinese_llm_rag.retrievers.agreement import FEATURES, agreement
from chinese_llm_rag.retrievers.fitted import AGREEMENT_WEIGHTS
from chinese_llm_rag.retrievers.rerank import title_and_text
from chinese_llm_rag.retrievers.scored import scored


class EvidenceReranker(BaseDocumentCompressor):
    """Reranks without weights: the score passages came with, and what of the question stands in them.

    A new `score` is 0..1: the weighted mean of the old one and of the features of `agreement`. Passages of
    equal score keep their order.

    Attributes:
        k: how many passages to keep; None keeps all.
        weights: of each feature of `agreement`, where the score passages came with has 1.
        depth: passages beyond so many keep their order behind the others.
        stretch: whether the scores that come in are moved to 0..1 (for any retriever's); those of
            HybridRetriever are there already.
        text_of: what is read of a document.
    """

    k: int | None = Field(default=None, ge=1)
    weights: Mapping[str, float] = AGREEMENT_WEIGHTS
    depth: int = Field(default=50, ge=1)
    stretch: bool = False
    text_of: Callable[[Document], str] = title_and_text

    def compress_documents(
        self,
        documents: Sequence[Document],
        query: str,
        callbacks: Callbacks | None = None,  # noqa: ARG002
    ) -> list[Document]:
        """The documents, best first."""
        read, rest = documents[: self.depth], documents[self.depth :]
        if not read:
            return []
        features = agreement(query, [self.text_of(document) for document in read])
        worth = [self.weights.get(name, 0.0) for name in FEATURES]
        before = self._scores(read)
        scores = [(old + float(row @ worth)) / (1 + sum(worth)) for old, row in zip(before, features, strict=True)]
        order = sorted(range(len(read)), key=lambda index: (-scores[index], index))
        ranked = [scored(read[index], scores[index]) for index in order]
        least = min(scores)
        behind = [scored(document, min(least, float(document.metadata.get("score", 0.0)))) for document in rest]
        return [*ranked, *behind][: self.k]

    def _scores(self, documents: Sequence[Document]) -> list[float]:
        given = [float(document.metadata.get("score", -rank)) for rank, document in enumerate(documents)]
        if not self.stretch:
            return given
        least, greatest = min(given), max(given)
        return [(score - least) / (greatest - least) if greatest > least else 1.0 for score in given]
