"""What every embedding runtime does to texts before it encodes them."""

from collections.abc import Iterator, Sequence


def encodable(text: str) -> str:
    """The text without what tokenizers choke on: NUL (which ends a C string) and lone surrogates."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")


def iter_batches(texts: Sequence[str], *, max_texts: int, max_chars: int) -> Iterator[list[int]]:
    """Positions of neighbouring texts that go into one batch, in order; a long text is a batch of its own."""
    batch: list[int] = []
    n_chars = 0
    for position, text in enumerate(texts):
        if batch and (len(batch) == max_texts or n_chars + len(text) > max_chars):
            yield batch
            batch, n_chars = [], 0
        batch.append(position)
        n_chars += len(text)
    if batch:
        yield batch
