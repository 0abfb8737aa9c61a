"""What was found as a model is to read it: one ranking out of several searches, then wider and wider around it."""

from collections.abc import Iterator, Sequence

from langchain_core.documents import BaseDocumentCompressor, Document

from chinese_llm_rag.packing import passages_of
from chinese_llm_rag.retrievers.scored import identity_of
from chinese_llm_rag.schema import Passage

_OF_FIRST = 2


def merged(found: Sequence[Sequence[Document]]) -> list[Document]:
    """The results of several queries as one ranking: two of the first query for one of each other.

    Each document stands in it once, and it is as long as the longest result: a question as it was asked in a
    conversation may name nothing, and brings then what crowds out the evidence.
    """
    left = [list(reversed(documents)) for documents in found]
    result: dict[str, Document] = {}
    while any(left):
        for place, documents in enumerate(left):
            for _ in range(min(len(documents), _OF_FIRST if place == 0 else 1)):
                document = documents.pop()
                result.setdefault(identity_of(document), document)
    return list(result.values())[: max(map(len, found), default=0)]


def readings(
    documents: Sequence[Document], wider: Sequence[BaseDocumentCompressor], question: str
) -> Iterator[list[Passage]]:
    """The same evidence, widest reading first, each best first; the passages themselves come last."""
    for expander in wider:
        yield passages_of(expander.compress_documents(documents, question))
    yield passages_of(documents)
