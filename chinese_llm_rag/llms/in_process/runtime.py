"""What a runtime's libraries raise, and how it becomes an error of ours."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from chinese_llm_rag.errors import RagError
from chinese_llm_rag.language import say


@dataclass(frozen=True, slots=True)
class Runtime:
    """What the messages of a runtime's errors need.

    Attributes:
        name: for example "llama.cpp".
        foreign: what its libraries raise.
        last_words: what the runtime itself said about its last failure, if anything.
    """

    name: str
    foreign: tuple[type[Exception], ...]
    last_words: Callable[[], str] = field(default=lambda: "")

    @contextmanager
    def errors_as(self, ours: type[RagError], what: str, *, hint: str | None = None) -> Iterator[None]:
        """Whatever the runtime raises in the block becomes `ours`, with its own last words as the reason."""
        self.last_words()
        try:
            yield
        except RagError:
            raise
        except self.foreign as error:
            reason = self.last_words() or str(error) or type(error).__name__
            raise ours(
                say(f"{self.name} failed on {what!r}: {reason}", f"{self.name} 处理 {what!r} 时失败：{reason}"),
                hint=hint,
            ) from error
