"""The two derived indexes as one: what is put, deleted or repaired is so in both."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from langchain_core.documents import Document

from chinese_llm_rag.knowledge_base.manifest import Manifest
from chinese_llm_rag.retrievers.word_index import TERMS_VERSION, IndexedText
from chinese_llm_rag.text_splitters import text_with_context

if TYPE_CHECKING:
    from chinese_llm_rag.knowledge_base.vectors import VectorIndex
    from chinese_llm_rag.retrievers.word_index import WordIndex

_PORTION = 1000
_WORDS = f"words-{TERMS_VERSION}"  # an index of other terms lies beside it until nobody reads it


class DerivedIndexes:
    """Vectors and words of a knowledge base; each opens when it is first used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def vectors(self) -> "VectorIndex":
        """The Chroma side."""
        from chinese_llm_rag.knowledge_base.vectors import VectorIndex  # noqa: PLC0415

        return VectorIndex(self._folder / "chroma")

    @cached_property
    def words(self) -> "WordIndex":
        """The tantivy side."""
        from chinese_llm_rag.retrievers.word_index import WordIndex  # noqa: PLC0415

        return WordIndex(self._folder / _WORDS)

    def put(self, chunks: Sequence[Document], vectors: npt.NDArray[np.float32]) -> None:
        """Insert chunks by `Document.id`; vectors has shape [len(chunks), dimension]."""
        if not chunks:
            return
        self.vectors.put(chunks, vectors)
        self._put_words(chunks)

    def delete(self, ids: Sequence[str]) -> None:
        """Delete chunks from both."""
        if not ids:
            return
        self.vectors.delete(ids)
        self.words.delete(list(ids))
        self.words.commit()

    def remaining(self, ids: Sequence[str]) -> list[str]:
        """Those of the ids that are still in either index."""
        return sorted(self.vectors.present(ids) | self.words.present(ids))

    def reconcile(self, manifest: Manifest) -> None:
        """Make both hold exactly the manifest's chunks, from what the manifest has stored."""
        self.words.rollback()  # what a failed run added without committing
        wanted = manifest.chunk_ids()
        self.vectors.delete(sorted(self.vectors.ids() - wanted))
        extra_words = sorted(self.words.ids() - wanted)
        if extra_words:
            self.words.delete(extra_words)
            self.words.commit()
        for ids in _portions(wanted - self.vectors.ids()):
            documents, stored = manifest.chunks(ids), manifest.vectors(ids)
            self.vectors.put([documents[key] for key in ids], np.stack([stored[key] for key in ids]))
        for ids in _portions(wanted - self.words.ids()):
            self._put_words(list(manifest.chunks(ids).values()))

    def _put_words(self, chunks: Sequence[Document]) -> None:
        """Insert chunks by `Document.id`; one that is there is replaced."""
        self.words.add(map(_indexed, chunks))
        self.words.commit()

    def n_miscounted_words(self, manifest: Manifest) -> int:
        """How many words the word index has in another number of chunks than the manifest."""
        portions = manifest.iter_chunks(_PORTION)
        return self.words.n_miscounted(_indexed(chunk) for chunks in portions for chunk in chunks)

    def agrees_with(self, manifest: Manifest) -> bool:
        """Whether both hold as many chunks as the manifest (a quick check)."""
        n = manifest.n_chunks()
        return len(self.vectors) == n and len(self.words) == n

    def save(self) -> None:
        """Leave the vectors so that opening them costs little, at the end of a run that wrote."""
        if "vectors" in self.__dict__:
            self.vectors.save()

    def release(self) -> None:
        """Give the word index's own writer lock back; searching goes on."""
        if "words" in self.__dict__:
            self.words.close()

    def close(self) -> None:
        """Close what was opened."""
        for name in ("vectors", "words"):
            index = self.__dict__.pop(name, None)
            if index is not None:
                index.close()


def _indexed(chunk: Document) -> IndexedText:
    at = chunk.metadata
    return IndexedText(str(chunk.id), text_with_context(chunk), at["content_hash"], at["page_start"], at["page_end"])


def _portions(ids: set[str]) -> Iterator[list[str]]:
    ordered = sorted(ids)
    for start in range(0, len(ordered), _PORTION):
        yield ordered[start : start + _PORTION]
