"""Answers as text and as Markdown: what each sentence rests on, below it."""

from collections.abc import Sequence
from pathlib import Path

from chinese_llm_rag.app.views import name_of
from chinese_llm_rag.language import say
from chinese_llm_rag.schema import Answer, Citation

_QUOTE_CHARS = 80


def distinct_citations(answer: Answer) -> list[Citation]:
    """The places that an answer rests on, each once, in the order of its sentences."""
    found: dict[tuple[str, int, int], Citation] = {}
    for citation in answer.citations:
        found.setdefault((citation.source, citation.start, citation.end), citation)
    return list(found.values())


def numbers_of(citations: Sequence[Citation], distinct: Sequence[Citation]) -> list[int]:
    """The numbers, from 1, under which a sentence's citations are listed."""
    places = [(citation.source, citation.start, citation.end) for citation in distinct]
    return [places.index((citation.source, citation.start, citation.end)) + 1 for citation in citations]


def sources_text(answer: Answer, folder: Path) -> str:
    """What stands below an answer for a reader who sees nothing but text; empty where there is nothing to say.

    Args:
        answer: the whole answer.
        folder: of the uploaded documents, for their names.
    """
    if answer.refused:
        return say(f"\n\n(not answered: {answer.reason})", f"\n\n（未作答：{answer.reason}）") if answer.reason else ""
    lines = [
        f"[{number}] {place_text(citation, folder)}：“{shortened(citation.quote)}”"
        for number, citation in enumerate(distinct_citations(answer), 1)
    ]
    unsupported = [sentence.text for sentence in answer.sentences if not sentence.supported]
    if unsupported:
        lines.append(
            say("without support in the documents: ", "文档中没有依据：") + " / ".join(map(shortened, unsupported))
        )
    return "\n\n" + "\n".join([say("Sources:", "来源："), *lines]) if lines else ""


def place_text(citation: Citation, folder: Path) -> str:
    """Name and place of what is cited."""
    name = name_of(Path(citation.source), folder)
    if citation.place is not None:
        return f"{name}, {citation.place.kind} {citation.place.name}"
    first, last = citation.page_start, citation.page_end
    pages = str(first) if first == last else f"{first}-{last}"
    return say(f"{name}, page {pages}", f"{name}，第 {pages} 页")


def shortened(text: str) -> str:
    """A text on one line, its end left out where it is long."""
    flat = " ".join(text.split())
    return flat if len(flat) <= _QUOTE_CHARS else f"{flat[: _QUOTE_CHARS - 1]}…"
