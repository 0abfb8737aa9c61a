"""In which order passages stand in a prompt."""

from collections.abc import Sequence
from typing import Literal

from chinese_llm_rag.schema import Passage

# "rank": best first. "ends": best first, second best last, the others between, since models read the middle of a
# long prompt worst (Liu et al., "Lost in the Middle", TACL 2024). "document": as they stand in their files.
Order = Literal["rank", "ends", "document"]


def arrange(passages: Sequence[Passage], order: Order) -> list[Passage]:
    """Passages that come best first, in the order of the prompt.

    In document order files stand by name, so that the same evidence makes the same prompt whatever the ranking.
    """
    if order == "rank":
        return list(passages)
    if order == "document":
        return sorted(passages, key=lambda passage: (passage.source, passage.start, passage.end, passage.text))
    return [*passages[::2], *passages[1::2][::-1]]
