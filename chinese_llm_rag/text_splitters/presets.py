"""Sizes for context windows: data, with the reasons for the numbers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preset:
    """Sizes in characters, and how many parents are read.

    Attributes:
        context_window: tokens of the model that reads.
        chunk_size: of what is searched. The same for every window: it is the embedding model that bounds
            it (512 tokens are about 700 Chinese characters), and questions find smaller and larger chunks
            no better.
        chunk_overlap: none, since what lies around a chunk is in its parent.
        parent_size: of what is read around a chunk that was found. It grows with the window, more slowly
            than the number of parents: the wrong parent costs as much room as the right one.
        n_parents: so many parents fit, with a fourth of the window left for instructions, the question
            and the answer, at 1.34 characters a token (measured with the Chinese-Alpaca-2 tokenizer).
    """

    context_window: int
    chunk_size: int
    chunk_overlap: int
    parent_size: int
    n_parents: int


PRESETS = (
    Preset(context_window=4_096, chunk_size=400, chunk_overlap=0, parent_size=800, n_parents=5),  # 4,000 of 4,116
    Preset(context_window=16_384, chunk_size=400, chunk_overlap=0, parent_size=1_600, n_parents=10),  # 16,000 of 16,465
    Preset(context_window=65_536, chunk_size=400, chunk_overlap=0, parent_size=3_200, n_parents=20),  # 64,000 of 65,863
)
