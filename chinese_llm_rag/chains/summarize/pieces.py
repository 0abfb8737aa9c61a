"""A document -> the fewest pieces that a model can read, cut at chapters where one ends near a piece's end.

Pieces are made of whole chunks of the splitter, so that each is a passage with page and span.
"""

from collections.abc import Callable, Sequence

from chinese_llm_rag.packing.halving import most_that_fit
from chinese_llm_rag.schema import Passage

_FULL_ENOUGH = 0.6  # of what would fit: a chapter's end is taken for a piece's end from here on

Fits = Callable[[str], bool]


def text_of(passages: Sequence[Passage]) -> str:
    """Consecutive passages as one text, a heading where it changes, an empty line where files do."""
    parts: list[str] = []
    for before, passage in zip([None, *passages], passages, strict=False):
        same_file = before is not None and before.source == passage.source
        if parts:
            parts.append("\n" if same_file else "\n\n")
        new = passage.headings if not same_file or before is None else _new_headings(before, passage)
        parts.extend(f"{heading}\n" for heading in new if heading not in passage.text)
        parts.append(passage.text)
    return "".join(parts)


def _new_headings(before: Passage, passage: Passage) -> tuple[str, ...]:
    shared = 0
    for one, other in zip(before.headings, passage.headings, strict=False):
        if one != other:
            break
        shared += 1
    return passage.headings[shared:]


def pieces_of(passages: Sequence[Passage], fits: Fits) -> list[list[Passage]]:
    """Consecutive groups whose texts fit, few and along chapters.

    Args:
        passages: of all files, in order; each fits by itself.
        fits: whether a text fits into one prompt.
    """
    pieces: list[list[Passage]] = []
    left = list(passages)
    while left:
        n_fitting = max(most_that_fit(len(left), lambda n: fits(text_of(left[:n]))), 1)  # noqa: B023  (used at once)
        n_taken = n_fitting if n_fitting == len(left) else _at_chapter(left, n_fitting)
        pieces.append(left[:n_taken])
        left = left[n_taken:]
    return pieces


def _at_chapter(passages: Sequence[Passage], n_fitting: int) -> int:
    """The best place to end a piece: where the highest heading changes, the later the better."""
    least = max(1, int(n_fitting * _FULL_ENOUGH))
    best, rank = n_fitting, -1
    for place in range(least, n_fitting + 1):
        height = _height(passages[place - 1], passages[place])
        if height >= rank:
            best, rank = place, height
    return best


def _height(before: Passage, after: Passage) -> int:
    """How high the border between two passages is: between files highest, within one section 0."""
    if before.source != after.source:
        return 100
    new = _new_headings(before, after)
    return 0 if not new else 99 - (len(after.headings) - len(new))
