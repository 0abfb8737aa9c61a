"""For servers that are to render a conversation themselves: a backend that answers turns instead of a prompt."""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from chinese_llm_rag.llms.backend import GenerationParams, TextChunk
from chinese_llm_rag.llms.conversation import Turn


@runtime_checkable
class AnswersTurns(Protocol):
    """A backend that can answer a conversation by a template that only its server knows."""

    @property
    def answers_turns(self) -> bool:
        """Whether the user wants it to; otherwise conversations are rendered here, as for any backend."""
        ...

    def count_turn_tokens(self, turns: Sequence[Turn]) -> int:
        """Tokens of the prompt that the server makes of the turns, BOS included.

        A server that does not show its prompt has the tokens of the texts counted, which are fewer.
        """
        ...

    def generate_turns(self, turns: Sequence[Turn], params: GenerationParams) -> Iterator[TextChunk]:
        """The next turn, as Backend.generate() gives a text.

        Raises:
            ConfigError: the conversation ends with the assistant's words; only a template rendered here can go on
                with them.
            ContextWindowExceededError: turns and max_tokens together exceed the window.
            GenerationError: the server failed.
        """
        ...
