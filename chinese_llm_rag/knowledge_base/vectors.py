"""The vectors of a knowledge base in Chroma. Derived: can be rebuilt from the manifest."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings

from chinese_llm_rag.embeddings.recent_queries import RecentQueries
from chinese_llm_rag.knowledge_base.chroma_folder import ChromaFolder

if TYPE_CHECKING:
    from langchain_chroma import Chroma

_PORTION = 1000  # chunks of one call; Chroma's own limit is some thousands


class VectorIndex:
    """Vectors of chunks in a folder, with their texts and plain metadata, compared by cosine."""

    def __init__(self, folder: Path) -> None:
        self._chroma = ChromaFolder(folder)

    def __len__(self) -> int:
        return self._chroma.count()

    def ids(self) -> set[str]:
        """The ids of all chunks."""
        return self._chroma.ids()

    def present(self, ids: Sequence[str]) -> set[str]:
        """Those of the ids that are there."""
        return self._chroma.present(ids)

    def vectors(self, ids: Sequence[str]) -> dict[str, npt.NDArray[np.float32]]:
        """The vectors of chunks by id, as they were put."""
        found: dict[str, npt.NDArray[np.float32]] = {}
        with self._chroma.reading() as collection:
            for i in range(0, len(ids), _PORTION):
                got = collection.get(ids=list(ids[i : i + _PORTION]), include=["embeddings"])
                vectors = np.asarray(got["embeddings"], dtype=np.float32)
                found.update(zip(got["ids"], vectors, strict=True))
        return found

    def put(self, chunks: Sequence[Document], vectors: npt.NDArray[np.float32]) -> None:
        """Insert or replace chunks by `Document.id`; vectors has shape [len(chunks), dimension]."""
        for at in self._chroma.portions(len(chunks)):
            portion = chunks[at]
            with self._chroma.writing(len(portion)) as collection:
                collection.upsert(
                    ids=[str(chunk.id) for chunk in portion],
                    embeddings=vectors[at],
                    documents=[chunk.page_content for chunk in portion],
                    metadatas=[_plain(chunk) for chunk in portion],
                )

    def delete(self, ids: Sequence[str]) -> None:
        """Delete chunks; ids that are not there are passed over."""
        for at in self._chroma.portions(len(ids)):
            with self._chroma.writing(at.stop - at.start) as collection:
                collection.delete(ids=list(ids[at]))

    def save(self) -> None:
        """Have Chroma write its graph, so that the next to open it has little to insert again."""
        self._chroma.save()

    def nearest(self, vector: Sequence[float], k: int, condition: Any) -> list[tuple[str, float]]:  # noqa: ANN401
        """The k chunks whose vectors are nearest, by id, with their cosine distance; a condition in Chroma's form."""
        asked = np.asarray([vector], dtype=np.float32)
        with self._chroma.reading() as collection:
            # Without texts and metadata, which are the manifest's to tell: reading them is most of Chroma's time.
            found = collection.query(query_embeddings=asked, n_results=k, where=condition, include=["distances"])
        return list(zip(found["ids"][0], (found["distances"] or [[]])[0], strict=True))

    def vector_store(self, embeddings: Embeddings) -> "Chroma":
        """LangChain's vector store over the same collection; `as_retriever()` is Chroma's own retriever."""
        from chinese_llm_rag.knowledge_base.chroma_store import PresentStore  # noqa: PLC0415

        return PresentStore(self._chroma, RecentQueries(embeddings))

    def close(self) -> None:
        """Let go of Chroma's files, so that the folder can be opened again or removed."""
        self._chroma.close()


def _plain(chunk: Document) -> dict[str, str | int | float | bool]:
    """The metadata that Chroma stores; file names are the manifest's, since they change without the text."""
    metadata = chunk.metadata
    return {key: metadata[key] for key in ("chunk_id", "content_hash", "page_start", "page_end", "start", "end")}
