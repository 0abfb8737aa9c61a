"""Cut a stream of text at the first stop string.

The result depends on the text alone, never on how it arrives in pieces.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.backend import TextChunk


class StopCutter:
    """Text up to the stop string that is complete first; of those that end together, the longest.

    Attributes:
        stopped: whether a stop string has been seen. What is fed after that is dropped.
    """

    def __init__(self, stop: Sequence[str]) -> None:
        if not all(stop):
            raise ConfigError(
                say("stop strings must not be empty", "停止字符串不能为空"),
                setting="stop",
            )
        self._stop = tuple(stop)
        self._held = ""
        self.stopped = False

    def feed(self, text: str) -> str:
        """The text that is now sure to come before any stop string."""
        if self.stopped:
            return ""
        text = self._held + text
        ends = [(at + len(s), at) for s in self._stop if (at := text.find(s)) >= 0]
        if ends:
            self.stopped = True
            self._held = ""
            return text[: min(ends)[1]]
        cut = len(text) - self._possible_start(text)
        self._held = text[cut:]
        return text[:cut]

    def flush(self) -> str:
        """The text that was held back because a stop string might have begun in it."""
        held, self._held = self._held, ""
        return held

    def _possible_start(self, text: str) -> int:
        """Length of the longest end of the text that begins a stop string."""
        longest = min(len(text), max((len(s) for s in self._stop), default=1) - 1)
        return next((n for n in range(longest, 0, -1) if any(s.startswith(text[-n:]) for s in self._stop)), 0)


def cut_at_stop(chunks: Iterator[TextChunk], stop: Sequence[str]) -> Generator[TextChunk, None, None]:
    """The chunks up to the first stop string; the stream below is closed as soon as it is seen.

    All tokens that were generated are counted, those of the stop string included.
    """
    cutter = StopCutter(stop)
    try:
        for chunk in chunks:
            text = cutter.feed(chunk.text)
            if cutter.stopped:
                yield replace(chunk, text=text, finish_reason="stop")
                return
            if chunk.finish_reason is not None:
                text += cutter.flush()
            yield replace(chunk, text=text)
    finally:
        if isinstance(chunks, Generator):
            chunks.close()
