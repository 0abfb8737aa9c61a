"""Log probabilities as OpenAI's API writes them, for chat and for texts. Pure."""

from collections.abc import Sequence

from chinese_llm_rag.app.server.openai_replies import CompletionLogprobs, Logprobs, TokenLogprobs, TopLogprob
from chinese_llm_rag.llms.backend import TokenLogprob

_LOWEST = -9999.0  # stands for minus infinity, which JSON has not


def chat_logprobs(entries: Sequence[TokenLogprob]) -> Logprobs:
    """In the form of chat."""
    return Logprobs(
        content=[
            TokenLogprobs(
                token=entry.token,
                logprob=max(entry.logprob, _LOWEST),
                bytes=_bytes(entry.token),
                top_logprobs=[
                    TopLogprob(token=token, logprob=max(logprob, _LOWEST), bytes=_bytes(token))
                    for token, logprob in entry.top
                ],
            )
            for entry in entries
        ]
    )


def completion_logprobs(entries: Sequence[TokenLogprob], at: int) -> CompletionLogprobs:
    """In the form of completions; `at` is where the text of the first token begins."""
    offsets = []
    for entry in entries:
        offsets.append(at)
        at += len(entry.token)
    return CompletionLogprobs(
        tokens=[entry.token for entry in entries],
        token_logprobs=[max(entry.logprob, _LOWEST) for entry in entries],
        top_logprobs=[{token: max(logprob, _LOWEST) for token, logprob in entry.top} for entry in entries],
        text_offset=offsets,
    )


def _bytes(token: str) -> list[int]:
    return list(token.encode("utf-8", "surrogatepass"))
