"""The embedding models of the program, each loaded once, whichever knowledge bases use it."""

import json
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chinese_llm_rag import wiring
from chinese_llm_rag.settings import Settings

if TYPE_CHECKING:
    from chinese_llm_rag.embeddings.base import FingerprintedEmbeddings


class Embedders:
    """Embedding models by how they are had. May be used from several threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._loaded: dict[str, FingerprintedEmbeddings] = {}

    def of(self, setup: Mapping[str, Any] | None) -> "FingerprintedEmbeddings":
        """The model of a knowledge base's record; None is the one that a new base gets."""
        key = json.dumps(setup or {}, sort_keys=True)
        with self._lock:
            if key not in self._loaded:
                made = wiring.build_embeddings(self._settings, setup)
                known = next((other for other in self._loaded.values() if other.fingerprint == made.fingerprint), made)
                self._loaded[key] = known
                self._loaded.setdefault(json.dumps(made.setup, sort_keys=True), known)
            return self._loaded[key]
