"""How what a writer has prepared becomes visible, and how what is removed is gone: in all three parts."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from chinese_llm_rag.errors import KnowledgeBaseError
from chinese_llm_rag.knowledge_base.derived import DerivedIndexes
from chinese_llm_rag.knowledge_base.manifest import Manifest
from chinese_llm_rag.knowledge_base.records import PreparedDocument
from chinese_llm_rag.knowledge_base.rows import text_hash
from chinese_llm_rag.language import say
from chinese_llm_rag.text_splitters import text_with_context


class Publisher:
    """Writes documents and file names. The caller holds the writer lock."""

    def __init__(self, manifest: Manifest, derived: DerivedIndexes) -> None:
        self._manifest = manifest
        self._derived = derived

    def publish(self, group: Sequence[PreparedDocument]) -> None:
        """Make documents visible, all at once; the embeddings of their texts are stored already."""
        chunks = [chunk for document in group for chunk in document.chunks]
        hashes = [text_hash(text_with_context(chunk)) for chunk in chunks]
        stored = self._manifest.embeddings(dict.fromkeys(hashes))
        self._manifest.set_meta("dirty", value=True)
        if chunks:
            self._derived.put(chunks, np.stack([stored[key] for key in hashes]))

        def rows() -> list[str]:
            replaced = []
            for document in group:
                replaced.extend(self._manifest.put_document(document))
                self._manifest.put_file(document.file)
            return replaced

        self.write_rows(rows)

    def write_rows(self, write: Callable[[], Iterable[str] | None]) -> list[str]:
        """Write rows in one transaction, then delete from the indexes what no file refers to any more.

        Args:
            write: writes them, and may give the ids of chunks that were replaced.

        Returns:
            the ids of the chunks that were deleted.
        """
        self._manifest.set_meta("dirty", value=True)
        with self._manifest.transaction():
            replaced = write() or ()
            ids = sorted({*replaced, *self._manifest.drop_unreferenced()})
        self._derived.delete(ids)
        self._manifest.set_meta("dirty", value=False)
        return ids

    def remove(self, names: Iterable[str]) -> None:
        """Remove files by name, and prove that nothing that was only theirs is left.

        Raises:
            KnowledgeBaseError: an index kept something.
        """

        def rows() -> None:
            for name in names:
                self._manifest.delete_file(name)

        ids = self.write_rows(rows)
        if remaining := self._derived.remaining(ids):
            self._manifest.set_meta("dirty", value=True)
            raise KnowledgeBaseError(
                say(f"{len(remaining)} chunks are still indexed", f"仍有 {len(remaining)} 个片段留在索引中"),
                folder=self._manifest.path.parent,
                hint=say("open the base again to finish the removal", "重新打开知识库即可完成删除"),
            )
        self._manifest.drop_unused_embeddings()
