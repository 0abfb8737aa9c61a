"""Log probabilities, which the OpenAI interface asks for and answers in two ways."""

from collections.abc import Iterable

from chinese_llm_rag.llms.backend import GenerationParams, TokenLogprob
from chinese_llm_rag.llms.servers.http import JsonObject


def logprob_fields(params: GenerationParams, *, chat: bool) -> JsonObject:
    """The fields of a request that ask for them."""
    if params.logprobs is None:
        return {}
    n = max(params.logprobs, 1)  # 0 is "none" to some servers, and to us the chosen token alone
    return {"logprobs": True, "top_logprobs": n} if chat else {"logprobs": n}


def read_logprobs(told: JsonObject | None, n_top: int) -> list[TokenLogprob]:
    """One entry a token, out of the chat form (a list "content") or the form of completions (parallel lists).

    Both servers that are asked for them use these forms freely: llama-server answers completions in the chat form.

    Raises:
        KeyError, TypeError, ValueError: another form.
    """
    if not told:
        return []
    if (content := told.get("content")) is not None:
        return [
            _entry(e["token"], e["logprob"], ((t["token"], t["logprob"]) for t in e["top_logprobs"]), n_top)
            for e in content
        ]
    tokens = told["tokens"]
    tops = told.get("top_logprobs") or [{}] * len(tokens)
    return [
        _entry(token, logprob, (top or {}).items(), n_top)
        for token, logprob, top in zip(tokens, told["token_logprobs"], tops, strict=True)
    ]


def _entry(token: str, logprob: float, top: Iterable[tuple[str, float]], n_top: int) -> TokenLogprob:
    likeliest = sorted(((text, float(value)) for text, value in top), key=lambda pair: -pair[1])
    return TokenLogprob(token, float(logprob), tuple(likeliest[:n_top]))
