"""What the knowledge base asks of an embedding model beyond LangChain's Embeddings."""

from dataclasses import asdict, dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class EmbeddingFingerprint:
    """What decides whether two vectors may be compared.

    Two models with equal fingerprints give equal vectors for equal texts (up to rounding).
    """

    model: str
    dimension: int
    query_prefix: str
    passage_prefix: str
    pooling: str

    def to_dict(self) -> dict[str, str | int]:
        """Plain values, as the manifest stores them."""
        return asdict(self)


@runtime_checkable
class FingerprintedEmbeddings(Protocol):
    """LangChain Embeddings that can say which model they are. Vectors have unit length."""

    @property
    def fingerprint(self) -> EmbeddingFingerprint:
        """Identity of the model and of the way it is used."""
        ...

    @property
    def setup(self) -> dict[str, str]:
        """The settings (settings.py) that this model is had by; empty where none give it."""
        ...

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector a text, shape [len(texts), dimension]."""
        ...

    def embed_query(self, text: str) -> list[float]:
        """The vector of a query, shape [dimension]."""
        ...
