"""The seam: what a runtime must give so that every LangChain class of this package works over it.

A runtime is one file with one class that satisfies Backend. Templates, stop strings, context checks,
usage counts and streaming live above the seam and exist once. Abilities that only some runtimes have
are small protocols of their own (ProvidesChatTemplate), never methods that refuse.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable


class Control(str):
    """A control token's piece, for example Control("</s>").

    Only a Control is ever tokenized as a control token. The same characters in a plain str are text,
    so nothing that a document or a user says can end a turn or begin one.
    """

    __slots__ = ()


# Plain text, or text and control tokens in order. BOS is not part of it: the runtime puts it first.
Prompt = str | Sequence[str]


def prompt_parts(prompt: Prompt) -> tuple[str, ...]:
    """The parts of a prompt; a plain str is one part."""
    return (prompt,) if isinstance(prompt, str) else tuple(prompt)


@dataclass(frozen=True, slots=True)
class GenerationParams:
    """How to sample, in the words of the model family's scripts, with their defaults.

    temperature 0 is greedy. `top_k` 0 and `top_p` 1.0 switch those filters off. `stop` strings are
    not handed to runtimes: stopping.py cuts the stream above the seam.
    """

    temperature: float = 0.2
    top_k: int = 40
    top_p: float = 0.9
    repetition_penalty: float = 1.1
    max_tokens: int = 400
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class TextChunk:
    """A piece of generated text: whole characters, possibly none.

    `n_tokens` counts the tokens generated since the previous piece, the end token not included. The last piece of a
    stream has a finish_reason: "stop" (the model ended its turn) or "length" (max_tokens reached).
    """

    text: str
    n_tokens: int = 0
    finish_reason: str | None = None


class Backend(Protocol):
    """A loaded model.

    One Backend generates one text at a time; calls from several threads wait for each other.
    """

    @property
    def model_name(self) -> str:
        """What the user calls the model."""
        ...

    @property
    def context_window(self) -> int:
        """Tokens that prompt and answer together may have, as loaded."""
        ...

    def count_tokens(self, prompt: Prompt) -> int:
        """Tokens of the prompt, without BOS."""
        ...

    def generate(self, prompt: Prompt, params: GenerationParams) -> Iterator[TextChunk]:
        """Text as it is produced.

        Closing the iterator stops generation within one token.

        Raises:
            ContextWindowExceededError: BOS, prompt and max_tokens together exceed the window.
            GenerationError: the runtime failed.
        """
        ...


@dataclass(frozen=True, slots=True)
class ChatTemplateSource:
    """A Jinja chat template that comes with a model, and what it may refer to."""

    template: str
    bos_token: str = ""
    eos_token: str = ""
    extra_stop: tuple[str, ...] = field(default=())


@runtime_checkable
class ProvidesChatTemplate(Protocol):
    """A backend whose model file may bring a chat template of its own."""

    @property
    def chat_template(self) -> ChatTemplateSource | None:
        """The model's own template, or None when it has none."""
        ...
