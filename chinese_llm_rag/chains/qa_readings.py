"""What was found as a model is to read it: one ranking out of several searches, then wider and wider around it."""

from collections.abc import Iterator, Sequence

from langchain_core.documents import BaseDocumentCompressor, Document

from chinese_llm_rag.packing import passages_of
from chinese_llm_rag.schema import Passage


def merged(found: Sequence[Sequence[Document]]) -> list[Document]:
    """The results of several queries as one ranking, rank by rank, each document once."""
    result: dict[object, Document] = {}
    for rank in range(max(map(len, found), default=0)):
        for documents in found:
            if rank < len(documents):
                document = documents[rank]
                result.setdefault(_identity(document), document)
    return list(result.values())


def readings(
    documents: Sequence[Document], wider: Sequence[BaseDocumentCompressor], question: str
) -> Iterator[list[Passage]]:
    """The same evidence, widest reading first, each best first; the passages themselves come last."""
    for expander in wider:
        yield passages_of(expander.compress_documents(documents, question))
    yield passages_of(documents)


def _identity(document: Document) -> object:
    metadata = document.metadata
    return metadata.get("chunk_id") or document.id or (metadata.get("source"), document.page_content)
