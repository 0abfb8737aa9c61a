"""Embeddings of texts, stored under the hash of their text as they are computed.

That one rule gives three things: an interrupted run does not embed again what it had, a changed file embeds
only the chunks whose text changed, and equal texts are embedded once.
"""

from collections.abc import Callable, Iterable

import numpy as np

from chinese_llm_rag.embeddings.base import FingerprintedEmbeddings
from chinese_llm_rag.errors import GenerationError
from chinese_llm_rag.knowledge_base.manifest import Manifest
from chinese_llm_rag.knowledge_base.rows import text_hash
from chinese_llm_rag.language import say

_AT_ONCE = 16  # texts between two steps of progress and two commits of embeddings


def store_embeddings(
    manifest: Manifest,
    embeddings: FingerprintedEmbeddings,
    texts: Iterable[str],
    on_stored: Callable[[list[str]], None] = lambda _: None,
) -> None:
    """Store the embeddings of those texts that have none yet, texts of like length together.

    Args:
        manifest: where they are stored.
        embeddings: the model.
        texts: any number, equal ones too.
        on_stored: told the hashes of what is stored: first of what was already, then of each batch.

    Raises:
        GenerationError: the model gave something else than one vector of its dimension a text.
    """
    by_hash = {text_hash(text): text for text in texts}
    stored = manifest.embedded(by_hash)
    on_stored(list(stored))
    missing = sorted((key for key in by_hash if key not in stored), key=lambda key: len(by_hash[key]))
    for i in range(0, len(missing), _AT_ONCE):
        keys = missing[i : i + _AT_ONCE]
        vectors = np.asarray(embeddings.embed_documents([by_hash[key] for key in keys]), dtype=np.float32)
        expected = (len(keys), embeddings.fingerprint.dimension)
        if vectors.shape != expected or not np.isfinite(vectors).all():
            raise GenerationError(
                say(
                    f"the embedding model gave shape {vectors.shape}, expected finite numbers of shape {expected}",
                    f"嵌入模型给出的形状为 {vectors.shape}，应为 {expected} 的有限数值",
                ),
                hint=say("the model is damaged or was set up wrongly", "模型可能损坏或设置有误"),
            )
        manifest.put_embeddings(dict(zip(keys, vectors, strict=True)))
        on_stored(keys)
