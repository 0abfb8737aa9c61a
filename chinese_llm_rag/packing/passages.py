"""Retrieved documents as passages, and passages as text in a prompt."""

import re
from collections.abc import Iterable, Sequence

from langchain_core.documents import Document

from chinese_llm_rag.schema import Passage, Place

FENCE_BEGIN, FENCE_END = "【资料开始】", "【资料结束】"
# What a prompt means by its own signs: where evidence begins and ends, and a passage's number at a line's start.
_FENCES = re.compile(r"【(资料(?:开始|结束))】")
_NUMBER = re.compile(r"^([^\S\n]*)\[(\d+)\]", re.MULTILINE)


def passages_of(documents: Iterable[Document]) -> list[Passage]:
    """Retrieved documents as passages, in their order.

    Documents that no splitter of ours has cut are taken as one page from character 0.
    """
    return [_passage(document) for document in documents]


def _passage(document: Document) -> Passage:
    metadata = document.metadata
    start = int(metadata.get("start", 0))
    page_start = int(metadata.get("page_start", metadata.get("page", 1)))
    return Passage(
        text=document.page_content,
        source=str(metadata.get("source", "")),
        page_start=page_start,
        page_end=int(metadata.get("page_end", page_start)),
        start=start,
        end=int(metadata.get("end", start + len(document.page_content))),
        page_offsets=tuple(metadata.get("page_offsets", ())),
        score=float(metadata.get("score", 0.0)),
        headings=tuple(metadata.get("headings", ())),
        place=Place(**metadata["place"]) if "place" in metadata else None,
        table_header=str(metadata.get("table_header", "")),
        rows=(int(metadata["row_start"]), int(metadata["row_end"])) if "row_start" in metadata else None,
    )


def format_context(passages: Sequence[Passage]) -> str:
    """The passages as they stand in a prompt, each after its number, below its headings and table header."""
    return "\n\n".join(f"[{passage.number}] {quoted(passage.with_context)}" for passage in passages)


def quoted(text: str) -> str:
    """A document's text as data: the signs by which a prompt is ordered are written with other brackets.

    So a document can neither end the evidence nor begin a passage that is not there.
    """
    return _NUMBER.sub(r"\1［\2］", _FENCES.sub(r"〔\1〕", text))
