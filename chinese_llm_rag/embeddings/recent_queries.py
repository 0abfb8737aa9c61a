"""An embedding model that remembers the queries it was last asked for."""

import threading
from collections import OrderedDict

from langchain_core.embeddings import Embeddings

_REMEMBERED = 64


class RecentQueries(Embeddings):
    """The same vectors as the model's; a query that comes again within the last ones is not computed again.

    One search asks for the vector of its query more than once. May be used from several threads.

    Args:
        model: the model itself.
    """

    def __init__(self, model: Embeddings) -> None:
        self._model = model
        self._lock = threading.Lock()
        self._vectors: OrderedDict[str, tuple[float, ...]] = OrderedDict()

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """The vectors of passages, from the model."""
        return self._model.embed_documents(texts)

    def embed_query(self, text: str) -> list[float]:
        """The vector of a query."""
        with self._lock:
            known = self._vectors.get(text)
            if known is not None:
                self._vectors.move_to_end(text)
                return list(known)
        vector = self._model.embed_query(text)
        with self._lock:
            self._vectors[text] = tuple(vector)
            while len(self._vectors) > _REMEMBERED:
                self._vectors.popitem(last=False)
        return vector
