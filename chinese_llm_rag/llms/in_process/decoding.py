"""The loop that turns a prompt's tokens into an answer's, over any TokenModel."""

import codecs
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from chinese_llm_rag.llms.backend import GenerationParams, TextChunk, TokenLogprob
from chinese_llm_rag.llms.in_process.pace import Pace
from chinese_llm_rag.llms.in_process.sampler import Sampler, guided, log_probabilities
from chinese_llm_rag.llms.in_process.speculation import Drafter, common_length
from chinese_llm_rag.llms.in_process.token_model import Logits, TokenModel

Step = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class Guidance:
    """A second memory of the model, what it reads instead of the prompt, and how strongly to lean away from it."""

    model: TokenModel
    prompt: Sequence[int]
    scale: float


class Reading:
    """A model that reads a prompt and then what is said, beside its negative if there is one.

    Args:
        model: reads the prompt.
        guidance: the negative, or None.
        step: entered around everything that computes.
    """

    def __init__(self, model: TokenModel, guidance: Guidance | None, step: Step) -> None:
        self._model = model
        self._guidance = guidance
        self._step = step

    def read_prompt(self, prompt: Sequence[int]) -> Iterator[None]:
        """Bring all but the last step of the prompt(s) into memory; yields after every step."""
        yield from self._bring(self._model, prompt)
        if self._guidance is not None:
            yield from self._bring(self._guidance.model, self._guidance.prompt)

    def first(self, prompt: Sequence[int]) -> Logits:
        """Read what read_prompt() left; the logits after the prompt, [1, vocabulary]."""
        with self._step():
            logits = self._model.read(prompt[len(self._model.memory) :])
            if self._guidance is None:
                return logits
            negative = self._guidance.prompt[len(self._guidance.model.memory) :]
            return guided(logits, self._guidance.model.read(negative), self._guidance.scale)

    def go_on(self, tokens: Sequence[int]) -> Logits:
        """The logits after each of the tokens, which follow what was read before: [len(tokens), vocabulary]."""
        with self._step():
            logits = self._model.read(tokens, len(tokens))
            if self._guidance is None:
                return logits
            return guided(logits, self._guidance.model.read(tokens, len(tokens)), self._guidance.scale)

    def take_back(self, n_tokens: int) -> None:
        """Forget the last tokens."""
        if n_tokens:
            for model in (self._model, *([self._guidance.model] if self._guidance else ())):
                wanted = list(model.memory[: len(model.memory) - n_tokens])
                kept = model.keep(len(wanted))
                if kept < len(wanted):  # a memory that cannot be cut there
                    for _ in self._bring(model, wanted):
                        pass
                    with self._step():
                        model.read(wanted[len(model.memory) :], 0)

    def _bring(self, model: TokenModel, prompt: Sequence[int]) -> Iterator[None]:
        at = model.keep(min(common_length(model.memory, prompt), len(prompt) - 1))
        pace = Pace(model.n_batch)
        while len(prompt) - at > pace.n_tokens:
            end = at + pace.n_tokens
            with self._step(), pace.measured():
                model.read(prompt[at:end], 0)
            at = end
            yield


class Answer:
    """What has been said of one answer, as pieces to show."""

    def __init__(self, model: TokenModel, params: GenerationParams) -> None:
        self._model = model
        self._params = params
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self.n_tokens = 0

    @property
    def n_left(self) -> int:
        """Tokens that may still come."""
        return self._params.max_tokens - self.n_tokens

    def say(self, token: int, logits: Logits) -> TextChunk:
        """The piece a token becomes; bytes of a character whose end has not come stay back."""
        self.n_tokens += 1
        text = self._utf8.decode(self._model.piece(token))
        return TextChunk(text, n_tokens=1, logprobs=self._logprobs(token, logits))

    def _logprobs(self, token: int, logits: Logits) -> tuple[TokenLogprob, ...]:
        if self._params.logprobs is None:
            return ()
        likely = log_probabilities(logits, token, self._params.logprobs)
        top = tuple((self._shown(other), logprob) for other, logprob in likely.likeliest)
        return (TokenLogprob(self._shown(token), likely.chosen, top),)

    def _shown(self, token: int) -> str:
        return self._model.piece(token).decode("utf-8", "replace")


def decode(
    model: TokenModel,
    reading: Reading,
    prompt: Sequence[int],
    sampler: Sampler,
    params: GenerationParams,
    *,
    drafter: Drafter | None = None,
) -> Iterator[TextChunk]:
    """The answer's pieces, the last with a finish_reason.

    Greedy answers are the same with and without a drafter, up to the rounding of a runtime that computes several
    tokens at once in another order than one by one.
    """
    for _ in reading.read_prompt(prompt):
        yield TextChunk("")
    answer = Answer(model, params)
    said = list(prompt)
    if drafter is not None:
        drafter.begin()
    logits, drafted = reading.first(prompt), list[int]()
    while True:
        accepted = 0
        for row in logits:
            token = sampler.choose(row)
            if model.ends(token):
                yield TextChunk("", finish_reason="stop")
                return
            said.append(token)
            yield answer.say(token, row)
            if not answer.n_left:
                yield TextChunk("", finish_reason="length")
                return
            if accepted == len(drafted) or token != drafted[accepted]:
                break
            accepted += 1
        reading.take_back(len(drafted) - accepted)
        if drafter is not None:
            if drafted:
                drafter.learn(len(drafted), accepted)
            drafted = drafter.draft(said, min(answer.n_left - 1, model.n_batch - 1))
        logits = reading.go_on([said[-1], *drafted])
