"""A server's events as text pieces that keep the contract of a Backend."""

from collections.abc import Generator, Iterator

from chinese_llm_rag.errors import GenerationError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.backend import TextChunk, TokenLogprob
from chinese_llm_rag.llms.servers.dialect import ServerDialect
from chinese_llm_rag.llms.servers.errors import cut_off, raise_foreign_answer, raise_stream_error
from chinese_llm_rag.llms.servers.http import JsonObject
from chinese_llm_rag.llms.servers.logprobs import read_logprobs

_BROKEN = "\ufffd"  # what a server shows of a character whose bytes are not all there
_FINISH_REASONS = {"stop": "stop", "length": "length"}


class AnswerReader:
    """Reads the events of one answer.

    Args:
        url: of the server, for messages.
        dialect: how it counts.
        n_prompt: tokens that the server must say it has read, at least.
        n_top: log probabilities wanted for each token beside its own.
    """

    def __init__(self, url: str, dialect: ServerDialect, *, n_prompt: int, n_top: int = 0) -> None:
        self._url = url
        self._dialect = dialect
        self._n_prompt = n_prompt
        self._n_top = n_top
        self._held = ""
        self._shown = 0  # tokens that pieces have counted
        self._generated = 0  # tokens that the server has counted
        self._logprobs: list[TokenLogprob] = []
        self._finish: str | None = None
        self.prompt_tokens = 0

    def read(self, events: Iterator[JsonObject | None]) -> Generator[TextChunk, None, None]:
        """The pieces.

        Raises:
            GenerationError: the events end without a finish, hold an error, or are none; or the server has read
                fewer tokens than the prompt has.
        """
        for event in events:
            if event is None:
                yield TextChunk("")
                continue
            try:
                text = self._take(event)
            except (KeyError, TypeError, ValueError, AttributeError, IndexError):
                raise_foreign_answer(self._url, event)
            if text:
                yield self._piece(text)
        if self._finish is None:
            message, hint = cut_off(self._url, say("no end of the answer", "回答没有结尾"))
            raise GenerationError(message, hint=hint)
        yield self._last_piece(self._finish)

    def _take(self, event: JsonObject) -> str:
        """The text in an event, after its counts are noted."""
        if event.get("error"):
            raise_stream_error(self._url, event["error"])
        choices = event["choices"]
        self._generated = self._dialect.n_generated(event) or self._generated
        self._check_prompt((event.get("usage") or {}).get("prompt_tokens"))
        if not choices:
            return ""
        choice = choices[0]
        said = choice.get("delta") or choice.get("message")
        text = choice["text"] if said is None and "delta" not in choice else (said or {}).get("content")
        self._logprobs += read_logprobs(choice.get("logprobs"), self._n_top)
        if (reason := choice.get("finish_reason")) is not None:
            self._finish = self._finish_reason(reason)
        if not isinstance(text, str | None):
            raise_foreign_answer(self._url, event)
        return text or ""

    def _check_prompt(self, reported: int | None) -> None:
        if not reported:  # some servers say 0 where they did not count
            return
        self.prompt_tokens = int(reported)
        if self.prompt_tokens < self._n_prompt:
            raise GenerationError(
                say(
                    f"the server at {self._url} has read {reported} tokens of a prompt of {self._n_prompt}: it cut it",
                    f"{self._url} 的服务器只读取了提示词 {self._n_prompt} 个 token 中的 {reported} 个：提示词被截断",
                ),
                hint=say(
                    "give a context_window no larger than the server's, or start the server with a larger one",
                    "请让 context_window 不大于服务器的窗口，或以更大的窗口启动服务器",
                ),
            )

    def _finish_reason(self, reason: str) -> str:
        if reason not in _FINISH_REASONS:
            raise GenerationError(
                say(
                    f"the server at {self._url} ended its answer with {reason!r}",
                    f"{self._url} 的服务器以 {reason!r} 结束了回答",
                ),
                hint=say("see the server's own log", "请查看服务器日志"),
            )
        return _FINISH_REASONS[reason]

    def _piece(self, text: str) -> TextChunk:
        text = self._held + text
        whole = text.rstrip(_BROKEN)
        self._held = text[len(whole) :]
        n_tokens = max(self._generated - self._shown, 0)
        self._shown += n_tokens
        logprobs, self._logprobs = tuple(self._logprobs), []
        return TextChunk(whole, n_tokens, logprobs=logprobs)

    def _last_piece(self, finish: str) -> TextChunk:
        """What is left to say. A character that max_tokens cut in two is left out."""
        text = "" if finish == "length" else self._held
        ended = self._dialect.counts_end_token and finish == "stop"
        n_tokens = max(self._generated - int(ended) - self._shown, 0)
        return TextChunk(text, n_tokens, finish, logprobs=tuple(self._logprobs[:n_tokens]))
