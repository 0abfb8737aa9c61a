"""Mend an index without reading a file again or embedding a text again, and name the files that need just that.

A new index is built from what is sound in the manifest, and Chroma gives back vectors that the manifest has lost.
What is beyond that leaves the index; its files are on record as failed, so that the next `ingest` reads them.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chinese_llm_rag.errors import KnowledgeBaseError
from chinese_llm_rag.knowledge_base.derived import DerivedIndexes
from chinese_llm_rag.knowledge_base.manifest import Manifest
from chinese_llm_rag.knowledge_base.rows import text_hash
from chinese_llm_rag.knowledge_base.verify import Finding, Verification
from chinese_llm_rag.language import say
from chinese_llm_rag.text_splitters import text_with_context


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What was found, and which files must be ingested again since their content could not be saved."""

    findings: tuple[Finding, ...] = ()
    to_read_again: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The form in which `kb repair --json` prints it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Mending:
    """What is to be changed in a copy of a manifest.

    Attributes:
        vectors: embeddings by the hash of their text.
        lost: documents (by content hash) that cannot be saved.
    """

    vectors: dict[str, npt.NDArray[np.float32]]
    lost: frozenset[str]

    def __call__(self, manifest: Manifest) -> None:
        """Change the copy."""
        manifest.put_embeddings(self.vectors)
        problem = say("damaged in the knowledge base; ingest it again", "在知识库中已损坏，请重新导入")
        with manifest.transaction():
            for content_hash in self.lost:
                manifest.drop_document(content_hash, problem)


def plan_mending(found: Verification, derived: DerivedIndexes) -> Mending:
    """What to do about the findings; vectors that the manifest has lost come from Chroma where it has them."""
    lost = set(found.broken)
    try:
        held = derived.vectors.vectors(list(found.lost_vectors))
    except KnowledgeBaseError:
        held = {}
    vectors = {}
    for identity, chunk in found.lost_vectors.items():
        if identity in held:
            vectors[text_hash(text_with_context(chunk))] = held[identity]
        else:
            lost.add(chunk.metadata["content_hash"])
    return Mending(vectors, frozenset(lost))
