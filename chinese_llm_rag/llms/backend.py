"""The seam: what a runtime must give so that every LangChain class of this package works over it.

A runtime is one file with one class that satisfies Backend. Templates, stop strings, context checks,
usage counts and streaming live above the seam and exist once. Abilities that only some runtimes have
are small protocols of their own (ProvidesChatTemplate), never methods that refuse.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say


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

    temperature 0 is greedy. `top_k` 0 and `top_p` 1.0 switch those filters off; they come after the temperature,
    as in transformers. `repetition_penalty` is over all tokens so far, prompt and answer. `stop` strings are
    not handed to runtimes: stopping.py cuts the stream above the seam. A value outside its range is a
    ConfigError here, so no runtime has to look again.

    The last four ask for an Ability that a runtime may lack. `logprobs`: None is off, n is each token's log
    probability and those of the n likeliest, before temperature and filters. `json_schema`: the text of a JSON
    schema that the answer keeps to. `guidance_scale` other than 1 is classifier-free guidance away from
    `negative_prompt` (Sanchez et al. 2023): log p = log p_neg + scale * (log p_pos - log p_neg).
    """

    temperature: float = 0.2
    top_k: int = 40
    top_p: float = 0.9
    repetition_penalty: float = 1.1
    max_tokens: int = 400
    seed: int | None = None
    logprobs: int | None = None
    json_schema: str | None = None
    guidance_scale: float = 1.0
    negative_prompt: "Prompt | None" = None

    def __post_init__(self) -> None:
        _demand("temperature", self.temperature, "0 or more", ok=self.temperature >= 0)
        _demand("top_k", self.top_k, "0 (off) or more", ok=self.top_k >= 0)
        _demand("top_p", self.top_p, "more than 0 and at most 1", ok=0 < self.top_p <= 1)
        _demand("repetition_penalty", self.repetition_penalty, "more than 0", ok=self.repetition_penalty > 0)
        _demand("max_tokens", self.max_tokens, "1 or more", ok=self.max_tokens >= 1)
        _demand("seed", self.seed, "between 0 and 2**32 - 2", ok=self.seed is None or 0 <= self.seed < MAX_SEED)
        _demand("logprobs", self.logprobs, "0 or more", ok=self.logprobs is None or self.logprobs >= 0)
        _demand("guidance_scale", self.guidance_scale, "1 (off) or more", ok=self.guidance_scale >= 1)
        guided = self.guidance_scale != 1
        _demand("negative_prompt", self.negative_prompt, "a prompt", ok=self.negative_prompt is not None or not guided)

    @property
    def needs(self) -> "frozenset[Ability]":
        """What these parameters ask of a runtime beyond plain text."""
        asked: dict[Ability, bool] = {
            "logprobs": self.logprobs is not None,
            "json_schema": self.json_schema is not None,
            "guidance": self.guidance_scale != 1,
        }
        return frozenset(ability for ability, wanted in asked.items() if wanted)


# The largest 32-bit value means "a random seed" to llama.cpp, so it is not a seed.
MAX_SEED = 2**32 - 1


def _demand(setting: str, value: object, expected: str, *, ok: bool) -> None:
    if not ok:
        raise ConfigError(
            say(f"{setting}={value!r}: expected {expected}", f"{setting}={value!r} 无效，应为 {expected}"),
            setting=setting,
        )


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A generated token's natural log probability, and those of the likeliest tokens in its place."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class TextChunk:
    """A piece of generated text: whole characters, possibly none.

    `n_tokens` counts the tokens generated since the previous piece, the end token not included. The last piece of a
    stream has a finish_reason: "stop" (the model ended its turn) or "length" (max_tokens reached).
    The first piece has `prompt_tokens`, the tokens that the model reads, BOS included. `logprobs` has one entry a
    token where they were asked for.

    A runtime also yields pieces without text, while it waits for its turn or reads a long prompt: each is a moment
    at which its reader can stop it.
    """

    text: str
    n_tokens: int = 0
    finish_reason: str | None = None
    prompt_tokens: int = 0
    logprobs: tuple[TokenLogprob, ...] = ()


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


@runtime_checkable
class ProvidesChatTemplate(Protocol):
    """A backend whose model file may bring a chat template of its own."""

    @property
    def chat_template(self) -> ChatTemplateSource | None:
        """The model's own template, or None when it has none."""
        ...


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What tells model families apart: the architecture's name and how many pieces the vocabulary has."""

    architecture: str
    size: int


@runtime_checkable
class DescribesVocabulary(Protocol):
    """A backend that knows which vocabulary its model has."""

    @property
    def vocabulary(self) -> Vocabulary:
        """Architecture and size of the vocabulary."""
        ...


@runtime_checkable
class ListsTokenIds(Protocol):
    """A backend that can show how its model cuts a text."""

    def token_ids(self, prompt: Prompt) -> list[int]:
        """Token ids of the prompt, without BOS."""
        ...


Ability = Literal["logprobs", "json_schema", "guidance"]


@runtime_checkable
class HasAbilities(Protocol):
    """A backend that can do more than plain text. What it does not list is refused above the seam."""

    @property
    def abilities(self) -> frozenset[Ability]:
        """What GenerationParams may ask for."""
        ...
