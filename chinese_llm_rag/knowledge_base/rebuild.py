"""Another index beside the one in force: for another embedding model or splitter, or to be rid of what is left over.

Everything comes from the manifest in force, so no file is parsed again: pages are cut again where the splitter
changes, and texts are embedded where no embedding of theirs is at hand. The index in force is not touched and goes on
being read. An interrupted run leaves its embeddings behind, and the next one with the same aim goes on from them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chinese_llm_rag.embeddings.base import FingerprintedEmbeddings
from chinese_llm_rag.knowledge_base.derived import DerivedIndexes
from chinese_llm_rag.knowledge_base.embed import store_embeddings
from chinese_llm_rag.knowledge_base.generations import MANIFEST, Generations
from chinese_llm_rag.knowledge_base.manifest import Manifest
from chinese_llm_rag.knowledge_base.records import IngestProgress
from chinese_llm_rag.knowledge_base.rows import with_ids
from chinese_llm_rag.text_splitters import ChineseTextSplitter, text_with_context

_PORTION = 256  # chunks whose embeddings are looked for together
_AIM = "rebuild_aim"  # in the meta table of an index that is not in force yet


@dataclass(frozen=True, slots=True)
class Aim:
    """What the new index shall be built with; None keeps what the old one has.

    `mend` changes the new manifest, before anything is built from it.
    """

    embeddings: FingerprintedEmbeddings | None = None
    splitter: ChineseTextSplitter | None = None
    mend: Callable[[Manifest], None] = lambda _: None

    def record(self, old: Manifest) -> dict[str, Any]:
        """The new index's records of its embedding model and its splitter."""
        return {
            "embedding": self.embeddings.fingerprint.to_dict() if self.embeddings else old.meta("embedding"),
            "embedding_setup": self.embeddings.setup if self.embeddings else old.meta("embedding_setup"),
            "splitter": self.splitter.identity if self.splitter else old.meta("splitter"),
        }


def rebuild(generations: Generations, old: Manifest, aim: Aim, on_progress: Callable[[IngestProgress], None]) -> Path:
    """Build the index; its folder, complete and ready to be put in force. The caller holds the writer lock.

    Args:
        generations: of the base.
        old: the manifest in force, which its indexes agree with.
        aim: what to build with. A splitter needs the embeddings too, for the texts that are new.
        on_progress: told now and then; bytes are characters of the texts to embed here.
    """
    old.set_meta(_AIM, None)
    record = aim.record(old)
    folder = _begun(generations, record) or generations.new()
    generations.collect(keep=folder)
    manifest = Manifest(folder / MANIFEST)
    derived = DerivedIndexes(folder)
    try:
        if manifest.is_new:
            manifest.create()
            manifest.set_meta(_AIM, record)
        manifest.copy_from(
            old.path, embeddings=record["embedding"] == old.meta("embedding"), chunks=aim.splitter is None
        )
        aim.mend(manifest)
        if aim.splitter is not None:
            _cut_again(manifest, aim.splitter)
        if aim.embeddings is not None:
            _embed(manifest, aim.embeddings, on_progress)
        manifest.drop_unused_embeddings()
        for key, value in record.items():
            manifest.set_meta(key, value)
        derived.reconcile(manifest)
        derived.save()
        manifest.set_meta("dirty", value=False)
    finally:
        derived.close()
        manifest.close()
    return folder


def _begun(generations: Generations, record: dict[str, Any]) -> Path | None:
    """An index with the same aim that an interrupted run has left."""
    for folder in generations.others():
        if (folder / MANIFEST).exists():
            manifest = Manifest(folder / MANIFEST)
            try:
                if not manifest.is_new and manifest.meta(_AIM) == record:
                    return folder
            finally:
                manifest.close()
    return None


def _cut_again(manifest: Manifest, splitter: ChineseTextSplitter) -> None:
    for content_hash in manifest.content_hashes():
        chunks = with_ids(content_hash, splitter.split_documents(manifest.pages(content_hash)))
        with manifest.transaction():
            manifest.put_chunks(content_hash, chunks)


def _embed(
    manifest: Manifest, embeddings: FingerprintedEmbeddings, on_progress: Callable[[IngestProgress], None]
) -> None:
    n_chunks, n_chars = manifest.n_chunks(), manifest.n_chars_of_chunks()
    progress = IngestProgress("", 0, 0, 0, 0, 0, n_chars)
    for chunks in manifest.iter_chunks(_PORTION):
        store_embeddings(manifest, embeddings, (text_with_context(chunk) for chunk in chunks))
        progress = replace(
            progress,
            n_chunks=min(progress.n_chunks + len(chunks), n_chunks),
            done_bytes=progress.done_bytes + sum(len(chunk.page_content) for chunk in chunks),
        )
        on_progress(progress)
