"""Whether an index is as it should be: the manifest by its own hashes, vectors and words by the manifest."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from langchain_core.documents import Document

from chinese_llm_rag.errors import KnowledgeBaseError
from chinese_llm_rag.knowledge_base.derived import DerivedIndexes
from chinese_llm_rag.knowledge_base.manifest import Manifest
from chinese_llm_rag.knowledge_base.rows import pages_hash, text_hash
from chinese_llm_rag.language import say
from chinese_llm_rag.schema import PAGE_SEPARATOR
from chinese_llm_rag.text_splitters import text_with_context

Part = Literal["manifest", "document", "chunk", "embedding", "vectors", "words"]
_PORTION = 500
_ROUNDING = 1e-5  # Chroma gives vectors their unit length anew
_LENGTH_TOLERANCE = 1e-3  # of a vector that should have length 1


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be; `source` is the file it concerns, where it is one."""

    part: Part
    detail: str
    source: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The form in which `kb verify --json` prints it."""
        return asdict(self)


@dataclass(slots=True)
class Verification:
    """All findings, and what a repair needs to know of them.

    Attributes:
        findings: none where the index is in order.
        broken: documents (by content hash) whose stored text contradicts its hash; they must be read again.
        lost_vectors: chunks (by id) whose embedding is missing or no vector of the model.
    """

    findings: list[Finding] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    lost_vectors: dict[str, Document] = field(default_factory=dict)


def verify(manifest: Manifest, derived: DerivedIndexes) -> Verification:
    """Check everything; reads all of the index and writes nothing."""
    result = Verification()
    result.findings.extend(Finding("manifest", detail) for detail in manifest.damage())
    _verify_documents(manifest, result)
    _verify_chunks(manifest, derived, result)
    for part in ("vectors", "words"):
        result.findings.extend(_verify_ids(part, manifest, derived))
    return result


def _verify_documents(manifest: Manifest, result: Verification) -> None:
    """Pages against the hash of the document, chunks against the pages that they are cut out of."""
    for content_hash in manifest.content_hashes():
        pages = manifest.pages(content_hash)
        source = pages[0].metadata["source"] if pages else None
        texts = [page.page_content for page in pages]
        expected = manifest.pages_hash(content_hash)
        if expected is not None and pages_hash(texts) != expected:
            detail = say("the stored text is not what was read", "存储的文本与导入时不符")
            result.findings.append(Finding("document", detail, source))
            result.broken.add(content_hash)
            continue
        text = PAGE_SEPARATOR.join(texts)
        for chunk, embedded in manifest.chunks_of(content_hash):
            at = slice(chunk.metadata["start"], chunk.metadata["end"])
            if text[at] != chunk.page_content or text_hash(text_with_context(chunk)) != embedded:
                detail = say(
                    f"characters {at.start}-{at.stop} are not what is stored for them",
                    f"第 {at.start}-{at.stop} 字符与存储的片段不符",
                )
                result.findings.append(Finding("chunk", detail, source))
                result.broken.add(content_hash)


def _verify_chunks(manifest: Manifest, derived: DerivedIndexes, result: Verification) -> None:
    """Each chunk's embedding, and whether Chroma holds the same."""
    dimension = (manifest.meta("embedding") or {}).get("dimension")
    try:
        vectors = derived.vectors
    except KnowledgeBaseError:
        vectors = None
    for chunks in manifest.iter_chunks(_PORTION):
        by_id = {str(chunk.id): chunk for chunk in chunks}
        stored = manifest.vectors(list(by_id))
        held = vectors.vectors(list(by_id)) if vectors is not None else {}
        for identity, chunk in by_id.items():
            vector, source = stored.get(identity), chunk.metadata["source"]
            if vector is None or not _is_vector(vector, dimension):
                detail = say("an embedding is missing or damaged", "缺少嵌入向量或向量已损坏")
                result.findings.append(Finding("embedding", detail, source))
                result.lost_vectors[identity] = chunk
            elif identity in held and not np.allclose(held[identity], vector, rtol=0, atol=_ROUNDING):
                detail = say("a vector differs from the manifest's", "向量与清单中的不一致")
                result.findings.append(Finding("vectors", detail, source))


def _is_vector(vector: npt.NDArray[np.float32], dimension: int | None) -> bool:
    length = float(np.linalg.norm(vector))
    return dimension in (None, len(vector)) and abs(length - 1) < _LENGTH_TOLERANCE


def _verify_ids(part: Literal["vectors", "words"], manifest: Manifest, derived: DerivedIndexes) -> Iterator[Finding]:
    try:
        held = (derived.vectors if part == "vectors" else derived.words).ids()
    except KnowledgeBaseError as error:
        yield Finding(part, str(error))
        return
    wanted = manifest.chunk_ids()
    if missing := wanted - held:
        yield Finding(part, say(f"{len(missing)} chunks are missing", f"缺少 {len(missing)} 个片段"))
    if extra := held - wanted:
        yield Finding(part, say(f"{len(extra)} chunks too many", f"多出 {len(extra)} 个片段"))
    if part == "words" and held == wanted and (n := derived.n_miscounted_words(manifest)):
        yield Finding(part, say(f"{n} words are not where the texts have them", f"{n} 个词语与文本不符"))


def sources_of(manifest: Manifest, documents: Iterable[str]) -> list[str]:
    """The names of all files that hold any of the documents."""
    return sorted(path for content_hash in documents for path in manifest.paths_of(content_hash))
