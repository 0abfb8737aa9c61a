"""Passages that are larger than the window, cut between sentences into pieces that fit."""

from collections.abc import Callable
from dataclasses import replace

from chinese_llm_rag.chinese_text import iter_sentences
from chinese_llm_rag.schema import Passage


def cut_to_fit(passage: Passage, fits: Callable[[Passage], bool]) -> list[Passage]:
    """The passage in pieces that fit, in order; itself where it fits.

    It is halved at the sentence nearest the middle, or where there is none, in the middle. A piece of one
    character that does not fit is given all the same: then nothing would.
    """
    if fits(passage) or len(passage.text) < 2:
        return [passage]
    middle = len(passage.text) // 2
    borders = [span.end for span in iter_sentences(passage.text) if span.end < len(passage.text)]
    at = min(borders, key=lambda border: abs(border - middle), default=middle)
    return [piece for part in (_part(passage, 0, at), _part(passage, at, None)) for piece in cut_to_fit(part, fits)]


def _part(passage: Passage, start: int, end: int | None) -> Passage:
    """Characters of a passage as one of its own, with the pages they stand on."""
    text = passage.text[start:end]
    first, last = passage.start + start, passage.start + start + len(text)
    page_start, page_end = passage.pages_of(first, last)
    offsets = passage.page_offsets
    if offsets:
        offsets = offsets[page_start - passage.page_start : page_end - passage.page_start + 1]
    return replace(
        passage, text=text, start=first, end=last, page_start=page_start, page_end=page_end, page_offsets=offsets
    )
