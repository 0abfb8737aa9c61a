"""Our parameters as the server's, and the server's replies as pieces of text."""

from collections.abc import Sequence
from typing import Any

from chinese_llm_rag.llms.backend import GenerationParams, TextChunk, TokenLogprob

_RANDOM_SEED = 0xFFFFFFFF
_SAMPLERS = ("penalties", "temperature", "top_k", "top_p")  # the order of transformers


def completion_request(tokens: Sequence[int], params: GenerationParams, context_window: int) -> dict[str, Any]:
    """A streamed completion of token ids, which the server takes as they are.

    The repetition penalty goes over all tokens, prompt and answer; log probabilities are those of the raw logits.
    """
    request: dict[str, Any] = {
        "prompt": list(tokens),
        "stream": True,
        "max_tokens": params.max_tokens,
        "samplers": list(_SAMPLERS),
        "temperature": params.temperature,
        "top_k": params.top_k,
        "top_p": params.top_p,
        "repeat_penalty": params.repetition_penalty,
        "repeat_last_n": context_window,
        "seed": _RANDOM_SEED if params.seed is None else params.seed,
        "cache_prompt": True,
        "timings_per_token": True,  # which count the tokens
        "return_progress": True,  # a reply a batch of the prompt: a moment to stop
    }
    if params.logprobs is not None:
        request |= {"n_probs": max(1, params.logprobs), "post_sampling_probs": False}
    return request


class Pieces:
    """Turns the replies to one request into pieces, each token counted once and the end token not at all.

    The server sends no reply for a token in the middle of a character, and says only afterwards that a token
    without text was the end.
    """

    def __init__(self, params: GenerationParams) -> None:
        self._n_top = params.logprobs
        self._n_counted = 0
        self._held: list[TokenLogprob] = []

    def piece(self, reply: dict[str, Any]) -> TextChunk:
        """The piece of one reply."""
        choice = reply["choices"][0]
        text: str = choice["text"]
        finish_reason: str | None = choice["finish_reason"]
        self._held += self._logprobs(choice["logprobs"])
        if finish_reason is None:
            return self._said(text, reply["timings"]["predicted_n"], None) if text else TextChunk("")
        n_tokens = reply["usage"]["completion_tokens"]
        if finish_reason == "stop":
            n_tokens -= 1
            del self._held[-1:]
        return self._said(text, n_tokens, finish_reason)

    def _said(self, text: str, n_tokens: int, finish_reason: str | None) -> TextChunk:
        n_new = n_tokens - self._n_counted
        self._n_counted = n_tokens
        logprobs = tuple(self._held)
        self._held.clear()
        return TextChunk(text, n_tokens=n_new, finish_reason=finish_reason, logprobs=logprobs)

    def _logprobs(self, listed: dict[str, Any] | None) -> list[TokenLogprob]:
        if self._n_top is None or listed is None:
            return []
        return [
            TokenLogprob(
                token["token"],
                token["logprob"],
                tuple((top["token"], top["logprob"]) for top in token["top_logprobs"][: self._n_top]),
            )
            for token in listed["content"]
        ]
