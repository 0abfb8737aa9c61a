"""Any server with the OpenAI interface as a Backend: vLLM, llama-server, text-generation-webui, and others."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from chinese_llm_rag.errors import ConfigError, ContextWindowExceededError, GenerationError, ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.backend import (
    Ability,
    ChatTemplateSource,
    GenerationParams,
    Prompt,
    TextChunk,
    Vocabulary,
)
from chinese_llm_rag.llms.chat_template import neutral
from chinese_llm_rag.llms.conversation import Turn
from chinese_llm_rag.llms.in_process.token_model import Tokenizer
from chinese_llm_rag.llms.servers.detection import ServerKind, open_dialect
from chinese_llm_rag.llms.servers.dialect import EncodesText, ServerDialect, messages
from chinese_llm_rag.llms.servers.http import Connection, JsonObject
from chinese_llm_rag.llms.servers.logprobs import logprob_fields
from chinese_llm_rag.llms.servers.schema import check_is_json
from chinese_llm_rag.llms.servers.stream import AnswerReader
from chinese_llm_rag.llms.servers.tokens import PromptEncoder
from chinese_llm_rag.llms.template_choice import build_template, default_template
from chinese_llm_rag.llms.tokenizer_file import ModelTokenizer, read_tokenizer

ServerMode = Literal["completions", "chat"]


class ServerBackend:
    """A model on a server.

    Several texts may be generated at once; the server decides how many it works on. Nothing is retried, and no
    address or key is taken from the environment.

    Args:
        base_url: for example "http://127.0.0.1:8080", with or without "/v1".
        model: its name on the server; None is the server's only one.
        api_key: sent as a bearer token.
        context_window: tokens; None is the server's own. A server that does not tell its own needs it
            (text-generation-webui, and others than vLLM and llama-server).
        timeout_s: the longest silence of the server. Reading a long prompt is silence.
        mode: who renders conversations. "completions": this package, so that what messages say stays text; "chat":
            the server, by the template that it was started with.
        kind: None is what the server says of itself; "openai" is any other server with that interface.
        tokenizer: the model's tokenizer, in place of the server's, or where it lies (see read_tokenizer). It must be
            the same; a server without a tokenizer needs it.

    Raises:
        ConfigError: an argument is out of range; several models; a context_window above the server's, or none at all.
        ModelLoadError: no server there, or none with this interface, or it refuses.
    """

    def __init__(
        self,
        base_url: str,
        model: str | None = None,
        *,
        api_key: str | None = None,
        context_window: int | None = None,
        timeout_s: float = 600.0,
        mode: ServerMode = "completions",
        kind: ServerKind | None = None,
        tokenizer: Tokenizer | Path | str | None = None,
    ) -> None:
        _check_arguments(context_window, timeout_s, mode, kind)
        local = read_tokenizer(Path(tokenizer)) if isinstance(tokenizer, str | Path) else tokenizer
        self._connection = Connection(base_url, api_key=api_key, timeout_s=timeout_s)
        self._mode = mode
        try:
            self._name, self._dialect = open_dialect(self._connection, model, kind)
            self._window = _agree(self._connection.url, context_window, self._dialect.context_window())
            _check_tokenizer(self._connection.url, self._dialect, local)
            self._encoder = PromptEncoder(self._dialect, local)
            self._vocabulary = self._dialect.vocabulary()
            self._template = self._dialect.chat_template()
            if isinstance(local, ModelTokenizer):
                self._vocabulary = self._vocabulary if self._vocabulary.size else local.vocabulary
                self._template = self._template or local.chat_template
        except GenerationError as error:
            self.close()
            raise ModelLoadError(str(error), hint=error.hint) from error
        except BaseException:
            self.close()
            raise

    @property
    def model_name(self) -> str:
        """The model's name on the server."""
        return self._name

    @property
    def context_window(self) -> int:
        """Tokens that prompt and answer together may have."""
        return self._window

    @property
    def abilities(self) -> frozenset[Ability]:
        """What this kind of server can do beyond plain text."""
        return self._dialect.abilities

    @property
    def vocabulary(self) -> Vocabulary:
        """Architecture and size of the vocabulary; "" and 0 where the server does not tell."""
        return self._vocabulary

    @property
    def chat_template(self) -> ChatTemplateSource | None:
        """The model's own template, where the server shows it."""
        return self._template

    @property
    def answers_turns(self) -> bool:
        """Whether conversations are rendered by the server (mode "chat")."""
        return self._mode == "chat"

    def token_ids(self, prompt: Prompt) -> list[int]:
        """Token ids of the prompt, without BOS."""
        return self._encoder.token_ids(prompt)

    def count_tokens(self, prompt: Prompt) -> int:
        """Tokens of the prompt, without BOS."""
        return len(self._encoder.token_ids(prompt))

    def count_turn_tokens(self, turns: Sequence[Turn]) -> int:
        """Tokens of the prompt that the server makes of the turns, BOS included.

        For a server that does not show its prompt, of the prompt that the given tokenizer's template makes of them; of
        the texts alone, which are fewer, where it has none.
        """
        turns = self._neutral_turns(turns)
        if isinstance(self._dialect, EncodesText) or default_template(self) is None:
            return self._count_neutral_turns(turns)
        _, render = build_template(self, None, system_prompt=None)
        return len(self._encoder.begin) + len(self._encoder.token_ids(render(turns)))

    def generate(self, prompt: Prompt, params: GenerationParams) -> Generator[TextChunk, None, None]:
        """Text as it is produced. Closing the iterator ends the request, and so the server's work.

        Raises:
            ContextWindowExceededError: BOS, prompt and max_tokens together exceed the window.
            GenerationError: the server failed, is down or slow, broke off, or cut the prompt.
        """
        sent, n_prompt = self._encoder.for_server(prompt)
        body = {"prompt": sent, **logprob_fields(params, chat=False)}
        yield from self._answer("/v1/completions", body, params, n_prompt, is_exact=True)

    def generate_turns(self, turns: Sequence[Turn], params: GenerationParams) -> Generator[TextChunk, None, None]:
        """The next turn of a conversation that the server renders. Control tokens that messages spell are neutralized.

        Raises:
            ConfigError: the conversation ends with the assistant's words.
            ContextWindowExceededError: turns and max_tokens together exceed the window.
            GenerationError: as for generate().
        """
        if turns and turns[-1].role == "assistant":
            raise ConfigError(
                say(
                    "the conversation ends with the assistant's words: a server's template cannot go on with them",
                    "对话以助手的话结尾：服务器的模板无法接着往下写",
                ),
                setting="messages",
                hint=say('use mode="completions"', '请使用 mode="completions"'),
            )
        turns = self._neutral_turns(turns)
        n_prompt = self._count_neutral_turns(turns)
        body = {"messages": messages(turns), **logprob_fields(params, chat=True)}
        is_exact = isinstance(self._dialect, EncodesText)
        yield from self._answer("/v1/chat/completions", body, params, n_prompt, is_exact=is_exact)

    def close(self) -> None:
        """End all requests. May be called twice."""
        self._connection.close()

    def _answer(
        self, path: str, body: JsonObject, params: GenerationParams, n_prompt: int, *, is_exact: bool
    ) -> Iterator[TextChunk]:
        """The pieces of one answer. A prompt that was not counted exactly is told in the last piece."""
        if n_prompt + params.max_tokens > self._window:
            raise ContextWindowExceededError(
                prompt_tokens=n_prompt, max_tokens=params.max_tokens, context_window=self._window
            )
        yield TextChunk("", prompt_tokens=n_prompt if is_exact else 0)
        options = {"stream_options": {"include_usage": True}, **self._dialect.options(params, self._window)}
        fields = {"model": self._name, **body, "stream": True, **options}
        fields = {name: value for name, value in fields.items() if value is not None}
        reader = AnswerReader(self._connection.url, self._dialect, n_prompt=n_prompt, n_top=params.logprobs or 0)
        texts = []
        with closing(self._connection.events(path, fields)) as events:
            for piece in reader.read(events):
                texts.append(piece.text)
                if piece.finish_reason == "stop" and params.json_schema is not None:
                    check_is_json(self._connection.url, "".join(texts))
                last = piece.finish_reason is not None and not is_exact
                yield replace(piece, prompt_tokens=reader.prompt_tokens) if last else piece

    def _neutral_turns(self, turns: Sequence[Turn]) -> list[Turn]:
        return [Turn(turn.role, neutral(self._encoder.neutral(turn.text))) for turn in turns]

    def _count_neutral_turns(self, turns: Sequence[Turn]) -> int:
        if isinstance(self._dialect, EncodesText):
            return len(self._dialect.encode_turns(turns))
        return sum(len(self._encoder.token_ids(turn.text)) for turn in turns)


def _check_arguments(context_window: int | None, timeout_s: float, mode: ServerMode, kind: ServerKind | None) -> None:
    wrong: list[tuple[str, object, str]] = []
    if context_window is not None and context_window < 1:
        wrong.append(("context_window", context_window, say("1 or more", "1 或更大")))
    if not timeout_s > 0:
        wrong.append(("timeout_s", timeout_s, say("more than 0", "大于 0")))
    if mode not in get_args(ServerMode):
        wrong.append(("mode", mode, ", ".join(get_args(ServerMode))))
    if kind is not None and kind not in get_args(ServerKind):
        wrong.append(("kind", kind, ", ".join(get_args(ServerKind))))
    for setting, value, expected in wrong:
        raise ConfigError(
            say(f"{setting}={value!r}: expected {expected}", f"{setting}={value!r} 无效，应为 {expected}"),
            setting=setting,
        )


def _agree(url: str, ours: int | None, theirs: int | None) -> int:
    """The window: ours, if the server's is not smaller."""
    if ours is None and theirs is None:
        raise ConfigError(
            say(
                f"the server at {url} does not tell its context window",
                f"{url} 的服务器没有说明其上下文窗口",
            ),
            setting="context_window",
            hint=say(
                "give context_window, as the server was started: a larger one would let it cut prompts",
                "请按服务器启动时的设置给出 context_window：给得过大，服务器会截断提示词",
            ),
        )
    if ours is not None and theirs is not None and ours > theirs:
        raise ConfigError(
            say(
                f"context_window={ours}: the server at {url} has {theirs}",
                f"context_window={ours}：{url} 的服务器只有 {theirs}",
            ),
            setting="context_window",
            hint=say(
                "start the server with a larger window (llama-server: -c is shared by its slots, -np), or ask for less",
                "请以更大的窗口启动服务器（llama-server 的 -c 由各 slot 平分，见 -np），或减小 context_window",
            ),
        )
    window = ours if ours is not None else theirs
    assert window is not None
    return window


def _check_tokenizer(url: str, dialect: ServerDialect, tokenizer: Tokenizer | None) -> None:
    if tokenizer is None and not isinstance(dialect, EncodesText):
        raise ConfigError(
            say(
                f"the server at {url} has no tokenizer that is known here",
                f"{url} 的服务器没有本程序认识的分词接口",
            ),
            setting="tokenizer",
            hint=say(
                "tokens are counted, not estimated: name the model's tokenizer.model, folder or GGUF file "
                "(tokenizer=, --server-tokenizer), or kind= if it is a vLLM or llama.cpp behind another name",
                "token 按实际计数而非估算：请指定该模型的 tokenizer.model、文件夹或 GGUF 文件"
                "（tokenizer=、--server-tokenizer）；如果它其实是 vLLM 或 llama.cpp，请给出 kind",
            ),
        )
