"""Passages in the order of a cross-encoder, which reads the question and a passage together.

Knows how to spend a cross-encoder's time; how one computes is in a file a runtime (cross_encoder, llamacpp_reranker).
"""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, runtime_checkable

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from pydantic import ConfigDict, Field, PrivateAttr

from chinese_llm_rag.retrievers.scored import scored


@runtime_checkable
class PairScorer(Protocol):
    """A cross-encoder."""

    @property
    def identity(self) -> str:
        """What the scores depend on beside the texts; equal for equal models."""
        ...

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        """How well each passage answers the query, higher is better; computed as one batch."""
        ...


def title_and_text(document: Document) -> str:
    """The text of a passage below its headings, as a reader sees it."""
    headings = document.metadata.get("headings", ())
    return "\n".join([*headings, document.page_content])


class CrossEncoderReranker(BaseDocumentCompressor):
    """Reads the candidates in batches, the most promising first, and stops when time is up or nothing moves.

    The best k of what was read come first, by their new `score`. What was not read keeps its order behind them, and
    its `score` is the least of those that were, so that scores never rise. metadata["reranked"] tells the two apart.

    Attributes:
        scorer: the cross-encoder.
        k: how many passages matter, which is what early exit watches; None gives all and reads all.
        batch_size: passages that are read at once; they are of like length within what is read in one go.
        time_budget_s: no batch is begun after so many seconds; the first one always is.
        patience: batches in a row that brought nothing among the best k, after which the rest is not read; None
            reads on.
        text_of: what the cross-encoder reads of a document.
        cache_size: scores that are remembered, by model, question and the passage's text.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    scorer: PairScorer
    k: int | None = Field(default=None, ge=1)
    batch_size: int = Field(default=8, ge=1)
    time_budget_s: float | None = Field(default=None, gt=0)
    patience: int | None = Field(default=None, ge=1)
    text_of: Callable[[Document], str] = title_and_text
    cache_size: int = Field(default=10_000, ge=0)

    _cache: "_Scores" = PrivateAttr()

    def model_post_init(self, context: object, /) -> None:
        """Make the store of scores."""
        super().model_post_init(context)
        self._cache = _Scores(self.cache_size)

    def compress_documents(
        self,
        documents: Sequence[Document],
        query: str,
        callbacks: Callbacks | None = None,  # noqa: ARG002
    ) -> list[Document]:
        """The documents, best first; all of them where k is None, else the best k."""
        texts = [self.text_of(document) for document in documents]
        scores = self._read(query, texts)
        read = sorted(scores, key=lambda index: (-scores[index], index))
        least = min(scores.values(), default=0.0)
        ranked = [_marked(documents[index], scores[index], reranked=True) for index in read]
        rest = [
            _marked(document, least, reranked=False) for index, document in enumerate(documents) if index not in scores
        ]
        return [*ranked, *rest][: self.k]

    def _read(self, query: str, texts: Sequence[str]) -> dict[int, float]:
        """Scores by index, of what was known and what there was time for."""
        keys = [_key(self.scorer.identity, query, text) for text in texts]
        scores = self._cache.known(keys)
        until = None if self.time_budget_s is None else time.monotonic() + self.time_budget_s
        idle = 0
        begun = False
        for batch in self._batches([index for index in range(len(texts)) if index not in scores], texts):
            if begun and until is not None and time.monotonic() >= until:
                break
            begun = True
            before = self._best_k(scores)
            values = self.scorer.score(query, [texts[index] for index in batch])
            scores.update(zip(batch, values, strict=True))
            self._cache.keep({keys[index]: scores[index] for index in batch})
            idle = idle + 1 if len(before) == self.k and self._best_k(scores) == before else 0
            if self.patience is not None and idle >= self.patience:
                break
        return scores

    def _batches(self, indices: Sequence[int], texts: Sequence[str]) -> Iterator[list[int]]:
        """By rank in portions of four batches, by length within one: little padding, and the best ones early."""
        portion = self.batch_size * 4
        for start in range(0, len(indices), portion):
            by_length = sorted(indices[start : start + portion], key=lambda index: len(texts[index]))
            cut = [by_length[i : i + self.batch_size] for i in range(0, len(by_length), self.batch_size)]
            yield from sorted(cut, key=min)

    def _best_k(self, scores: dict[int, float]) -> list[int]:
        return sorted(scores, key=lambda index: (-scores[index], index))[: self.k]


class _Scores:
    """The most recent scores. May be used from several threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._scores: OrderedDict[str, float] = OrderedDict()

    def known(self, keys: Sequence[str]) -> dict[int, float]:
        """Scores by the place of their key."""
        with self._lock:
            found = {index: self._scores[key] for index, key in enumerate(keys) if key in self._scores}
            for index in found:
                self._scores.move_to_end(keys[index])
            return found

    def keep(self, scores: dict[str, float]) -> None:
        with self._lock:
            self._scores.update(scores)
            while len(self._scores) > self._size:
                self._scores.popitem(last=False)


def _key(identity: str, query: str, text: str) -> str:
    parts = "\0".join([identity, query, hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()])
    return hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()


def _marked(document: Document, score: float, *, reranked: bool) -> Document:
    marked = scored(document, score)
    marked.metadata["reranked"] = reranked
    return marked
