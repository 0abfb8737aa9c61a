"""pack: passages, best first -> numbered passages within a token budget.

Knows nothing about models but a function that counts their tokens.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from langchain_core.documents import Document

from chinese_llm_rag.schema import PackedContext, Passage, Place


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
    return "\n\n".join(f"[{passage.number}] {passage.with_context}" for passage in passages)


def pack(passages: Sequence[Passage], budget_tokens: int, measure: Callable[[Sequence[Passage]], int]) -> PackedContext:
    """The best passages that fit, numbered from 1 by rank; overlapping neighbours of one file are joined.

    A passage that does not fit is dropped, and so are all that rank below it: what the model reads is
    always the best evidence, without holes.

    Args:
        passages: best first.
        budget_tokens: the most that `measure` may give.
        measure: tokens of numbered passages as the model will read them, by its own tokenizer: of the
            whole prompt that holds them, or of `format_context(passages)` alone.
    """
    packed: tuple[Passage, ...] = ()
    n_tokens = 0
    for rank, passage in enumerate(passages):
        candidate = _numbered(_joined(packed, passage))
        needed = measure(candidate)
        if needed > budget_tokens:
            return PackedContext(packed, tuple(passages[rank:]), n_tokens)
        packed, n_tokens = candidate, needed
    return PackedContext(packed, (), n_tokens)


def _numbered(passages: Iterable[Passage]) -> tuple[Passage, ...]:
    return tuple(replace(passage, number=number) for number, passage in enumerate(passages, 1))


def _joined(packed: Sequence[Passage], passage: Passage) -> list[Passage]:
    """The packed passages with one more; those that overlap with it become one, in the best one's place."""
    result: list[Passage] = []
    place: int | None = None
    for other in packed:
        if _overlap(other, passage):
            passage = _union(other, passage)
            if place is None:
                place = len(result)
        else:
            result.append(other)
    result.insert(len(result) if place is None else place, passage)
    return result


def _overlap(a: Passage, b: Passage) -> bool:
    """Whether both hold a common piece of one file's text.

    The texts must agree too: documents that no splitter of ours has cut may name a source without a place.
    """
    start, end = max(a.start, b.start), min(a.end, b.end)
    shared = a.text[start - a.start : end - a.start] == b.text[start - b.start : end - b.start]
    return a.source == b.source and start < end and shared


def _union(a: Passage, b: Passage) -> Passage:
    first, second = (a, b) if (a.start, -a.end) <= (b.start, -b.end) else (b, a)
    tail = second.text[first.end - second.start :] if second.end > first.end else ""
    page_end = max(first.page_end, second.page_end)
    offsets = {first.page_start + i: offset for i, offset in enumerate(first.page_offsets)}
    offsets.update({second.page_start + i: offset for i, offset in enumerate(second.page_offsets)})
    known = len(offsets) == page_end - first.page_start + 1
    page_offsets = tuple(offsets[page] for page in sorted(offsets)) if known else ()
    return replace(
        first,
        text=first.text + tail,
        end=max(first.end, second.end),
        page_end=page_end,
        page_offsets=page_offsets,
        score=max(a.score, b.score),
    )
