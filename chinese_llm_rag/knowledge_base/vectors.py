"""The vectors of a knowledge base in Chroma. Derived: can be rebuilt from the manifest."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings

from chinese_llm_rag.embeddings.recent_queries import RecentQueries
from chinese_llm_rag.offline import forbid_calling_home
from chinese_llm_rag.retrievers.dense import CHROMA_CONFIGURATION

if TYPE_CHECKING:
    from chromadb.api.collection_configuration import CreateCollectionConfiguration
    from langchain_chroma import Chroma

_COLLECTION = "chunks"
_PORTION = 1000  # chunks of one call; Chroma's own limit is some thousands


class VectorIndex:
    """Vectors of chunks in a folder, with their texts and plain metadata, compared by cosine."""

    def __init__(self, folder: Path) -> None:
        forbid_calling_home()
        import chromadb  # noqa: PLC0415  (takes most of a second)
        from chromadb.config import Settings  # noqa: PLC0415

        self._client = chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))
        self._collection = self._client.get_or_create_collection(
            _COLLECTION,
            embedding_function=None,
            configuration=cast("CreateCollectionConfiguration", CHROMA_CONFIGURATION),
        )

    def __len__(self) -> int:
        return self._collection.count()

    def ids(self) -> set[str]:
        """The ids of all chunks."""
        return set(self._collection.get(include=[])["ids"])

    def present(self, ids: Sequence[str]) -> set[str]:
        """Those of the ids that are there."""
        found: set[str] = set()
        for i in range(0, len(ids), _PORTION):
            found.update(self._collection.get(ids=list(ids[i : i + _PORTION]), include=[])["ids"])
        return found

    def vectors(self, ids: Sequence[str]) -> dict[str, npt.NDArray[np.float32]]:
        """The vectors of chunks by id, as they were put."""
        found: dict[str, npt.NDArray[np.float32]] = {}
        for i in range(0, len(ids), _PORTION):
            got = self._collection.get(ids=list(ids[i : i + _PORTION]), include=["embeddings"])
            vectors = np.asarray(got["embeddings"], dtype=np.float32)
            found.update(zip(got["ids"], vectors, strict=True))
        return found

    def put(self, chunks: Sequence[Document], vectors: npt.NDArray[np.float32]) -> None:
        """Insert or replace chunks by `Document.id`; vectors has shape [len(chunks), dimension]."""
        for i in range(0, len(chunks), _PORTION):
            portion = chunks[i : i + _PORTION]
            self._collection.upsert(
                ids=[str(chunk.id) for chunk in portion],
                embeddings=vectors[i : i + _PORTION],
                documents=[chunk.page_content for chunk in portion],
                metadatas=[_plain(chunk) for chunk in portion],
            )

    def delete(self, ids: Sequence[str]) -> None:
        """Delete chunks; ids that are not there are passed over."""
        for i in range(0, len(ids), _PORTION):
            self._collection.delete(ids=list(ids[i : i + _PORTION]))

    def nearest(self, vector: Sequence[float], k: int, condition: Any) -> list[tuple[str, float]]:  # noqa: ANN401
        """The k chunks whose vectors are nearest, by id, with their cosine distance; a condition in Chroma's form."""
        # Without texts and metadata, which are the manifest's to tell: reading them is most of Chroma's time.
        found = self._collection.query(
            query_embeddings=np.asarray([vector], dtype=np.float32), n_results=k, where=condition, include=["distances"]
        )
        return list(zip(found["ids"][0], (found["distances"] or [[]])[0], strict=True))

    def vector_store(self, embeddings: Embeddings) -> "Chroma":
        """LangChain's vector store over the same collection; `as_retriever()` is Chroma's own retriever."""
        from langchain_chroma import Chroma  # noqa: PLC0415

        return Chroma(client=self._client, collection_name=_COLLECTION, embedding_function=RecentQueries(embeddings))

    def close(self) -> None:
        """Let go of Chroma's files, so that the folder can be opened again or removed."""
        self._client.close()  # type: ignore[attr-defined]  # only concrete clients declare it


def _plain(chunk: Document) -> dict[str, str | int | float | bool]:
    """The metadata that Chroma stores; file names are the manifest's, since they change without the text."""
    metadata = chunk.metadata
    return {key: metadata[key] for key in ("chunk_id", "content_hash", "page_start", "page_end", "start", "end")}
