"""LangChain's Chroma store over a folder that is opened anew where other processes have written to it."""

from typing import TYPE_CHECKING

from langchain_chroma import Chroma
from langchain_core.embeddings import Embeddings

from chinese_llm_rag.knowledge_base.chroma_folder import COLLECTION, ChromaFolder

if TYPE_CHECKING:
    from chromadb.api.models.Collection import Collection


class PresentStore(Chroma):
    """The store, whose collection is the folder's present one at each use.

    Args:
        folder: where the collection is had from.
        embeddings: the model of its vectors.
    """

    def __init__(self, folder: ChromaFolder, embeddings: Embeddings) -> None:
        self._folder = folder
        with folder.reading():
            super().__init__(
                client=folder.client,
                collection_name=COLLECTION,
                embedding_function=embeddings,
                create_collection_if_not_exists=False,
            )

    @property
    def _collection(self) -> "Collection":
        with self._folder.reading() as collection:
            return collection
