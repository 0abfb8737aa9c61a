"""What the LLM class and the chat class share: a backend, how to sample from it, and how to stop."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Self

from langchain_core.messages.ai import UsageMetadata
from pydantic import BaseModel, ConfigDict, Field, SkipValidation, ValidationError, field_validator, model_validator

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.backend import Backend, GenerationParams, HasAbilities, ListsTokenIds, Prompt, TextChunk
from chinese_llm_rag.llms.stopping import StopCutter, cut_at_stop

# Each class has to repeat it: of several bases, pydantic takes the last one's.
FORBID_EXTRA = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
_DEFAULTS = GenerationParams()
SAMPLING_FIELDS = (
    "temperature",
    "top_k",
    "top_p",
    "repetition_penalty",
    "max_tokens",
    "seed",
    "logprobs",
    "json_schema",
    "guidance_scale",
    "negative_prompt",
)
# LangChain hands these to every model; they ask nothing of a model on this machine.
_IGNORED_PER_CALL = frozenset({"stream"})


class SamplesFromBackend(BaseModel):
    """Fields and methods of a LangChain model that generates with a Backend. Defaults are the model family's.

    Any sampling parameter can also be given per call, for example ``invoke(prompt, temperature=0)``.

    Raises:
        ConfigError: an unknown argument, or a value out of range, when constructed or called.
    """

    model_config = FORBID_EXTRA

    backend: Annotated[Backend, SkipValidation] = Field(repr=False, exclude=True)
    """A loaded model."""
    temperature: float = _DEFAULTS.temperature
    """0 is greedy."""
    top_k: int = _DEFAULTS.top_k
    """Sample from the k likeliest tokens; 0 is all."""
    top_p: float = _DEFAULTS.top_p
    """Sample from the likeliest tokens that together have this probability."""
    repetition_penalty: float = _DEFAULTS.repetition_penalty
    """Above 1 makes recently generated tokens less likely."""
    max_tokens: int = _DEFAULTS.max_tokens
    """Tokens that are generated at most."""
    seed: int | None = _DEFAULTS.seed
    """None is another one every time."""
    logprobs: int | None = _DEFAULTS.logprobs
    """n puts the log probability of each token, and of the n likeliest, into the metadata; None is off."""
    json_schema: str | None = _DEFAULTS.json_schema
    """The text of a JSON schema that the answer keeps to."""
    guidance_scale: float = _DEFAULTS.guidance_scale
    """Above 1 leans the answer away from the negative prompt (classifier-free guidance)."""
    negative_prompt: str | None = None
    """For an LLM a text that is read instead of the prompt; for a chat model another system prompt."""
    stop: list[str] | None = None
    """Strings at which the text ends; they are not part of it. Stop strings of a call come on top."""

    def __init__(self, **arguments: Any) -> None:  # noqa: ANN401  # the fields above
        try:
            super().__init__(**arguments)
        except ValidationError as error:
            first = error.errors()[0]
            ours = first.get("ctx", {}).get("error")
            if isinstance(ours, ConfigError):
                raise ours from None
            setting = ".".join(map(str, first["loc"])) or None
            raise ConfigError(f"{type(self).__name__}: {setting}: {first['msg']}", setting=setting) from error

    @model_validator(mode="after")
    def _check_sampling(self) -> Self:
        self._able(GenerationParams(**{name: getattr(self, name) for name in SAMPLING_FIELDS}))
        return self

    @field_validator("stop")
    @classmethod
    def _check_stop(cls, stop: list[str] | None) -> list[str] | None:
        StopCutter(stop or ())
        return stop

    @classmethod
    def from_gguf(cls, model_path: str, *, backend_options: Mapping[str, Any] | None = None, **fields: Any) -> Self:  # noqa: ANN401
        """The model in a GGUF file, by llama.cpp in this process.

        Args:
            model_path: the file.
            backend_options: further arguments of LlamaCppBackend, for example {"context_window": 4096}.
            **fields: the fields of this class.
        """
        from chinese_llm_rag.llms.llamacpp import LlamaCppBackend  # noqa: PLC0415  # one runtime of several

        return cls(backend=LlamaCppBackend(model_path, **(backend_options or {})), **fields)

    @classmethod
    def from_pretrained(cls, model: str, *, backend_options: Mapping[str, Any] | None = None, **fields: Any) -> Self:  # noqa: ANN401
        """A Hugging Face model, by transformers in this process. Nothing is downloaded.

        Args:
            model: a folder, or a hub name that is in the local cache.
            backend_options: further arguments of TransformersBackend, for example {"dtype": "bfloat16"}.
            **fields: the fields of this class.
        """
        from chinese_llm_rag.llms.huggingface import TransformersBackend  # noqa: PLC0415  # one runtime of several

        return cls(backend=TransformersBackend(model, **(backend_options or {})), **fields)

    @classmethod
    def from_server(cls, base_url: str, *, backend_options: Mapping[str, Any] | None = None, **fields: Any) -> Self:  # noqa: ANN401
        """A model behind an OpenAI-compatible server: vLLM, llama-server, text-generation-webui.

        Args:
            base_url: for example "http://127.0.0.1:8000/v1".
            backend_options: further arguments of ServerBackend, for example {"model": "chinese-alpaca-2-7b"}.
            **fields: the fields of this class.
        """
        from chinese_llm_rag.llms.server import ServerBackend  # noqa: PLC0415  # one runtime of several

        return cls(backend=ServerBackend(base_url, **(backend_options or {})), **fields)

    @property
    def model_name(self) -> str:
        """What the user calls the model."""
        return self.backend.model_name

    @property
    def context_window(self) -> int:
        """Tokens that prompt and answer together may have."""
        return self.backend.context_window

    def get_num_tokens(self, text: str) -> int:
        """Tokens of the text by the model's own tokenizer, without BOS."""
        return self.backend.count_tokens(text)

    def get_token_ids(self, text: str) -> list[int]:
        """Token ids of the text by the model's own tokenizer, without BOS.

        Raises:
            ConfigError: the runtime does not tell them; get_num_tokens works with every runtime.
        """
        if not isinstance(self.backend, ListsTokenIds):
            raise ConfigError(
                say("this runtime does not list token ids", "该运行时不提供 token 编号"),
                hint=say("get_num_tokens works with every runtime", "get_num_tokens 适用于所有运行时"),
            )
        return self.backend.token_ids(text)

    def _sampling(self) -> dict[str, Any]:
        """What decides which text comes, apart from the prompt."""
        return {
            "model_name": self.model_name,
            "context_window": self.context_window,
            **{name: getattr(self, name) for name in SAMPLING_FIELDS},
            "stop": self.stop,
        }

    def _all_stops(self, stop: Sequence[str] | None) -> list[str]:
        return list(dict.fromkeys([*(self.stop or ()), *(stop or ())]))

    def _able(self, params: GenerationParams) -> GenerationParams:
        """The same parameters, if the backend can do what they ask."""
        abilities = self.backend.abilities if isinstance(self.backend, HasAbilities) else frozenset()
        for missing in sorted(params.needs - abilities):
            setting = "guidance_scale" if missing == "guidance" else missing
            raise ConfigError(
                say(
                    f"{setting} is not possible with {type(self.backend).__name__}",
                    f"{type(self.backend).__name__} 不支持 {setting}",
                ),
                setting=setting,
                hint=say("leave it out, or use LlamaCppBackend", "请去掉该参数，或改用 LlamaCppBackend"),
            )
        return params

    def _pieces(
        self,
        ask: Callable[[GenerationParams], Iterator[TextChunk]],
        stop: Sequence[str] | None,
        overrides: Mapping[str, Any],
        *,
        negative: Callable[[str], Prompt] | None = None,
    ) -> Generator[TextChunk, None, None]:
        """The text up to a stop string. Nothing is checked or computed before the first piece is asked for.

        `ask` starts the backend, for example its generate() with a prompt. `negative` makes a prompt of what the user
        gave as negative_prompt; None leaves it as it is.
        """
        unknown = overrides.keys() - set(SAMPLING_FIELDS) - _IGNORED_PER_CALL
        if unknown:
            names = ", ".join(sorted(unknown))
            expected = ", ".join(SAMPLING_FIELDS)
            raise ConfigError(
                say(f"unknown argument {names}: expected {expected}", f"未知参数 {names}，可用：{expected}"),
                setting=min(unknown),
            )
        values = {name: overrides.get(name, getattr(self, name)) for name in SAMPLING_FIELDS}
        if negative is not None and values["negative_prompt"] is not None:
            values["negative_prompt"] = negative(values["negative_prompt"])
        params = self._able(GenerationParams(**values))
        yield from cut_at_stop(ask(params), self._all_stops(stop))


class Tally:
    """Adds up what a stream of pieces says about itself."""

    def __init__(self) -> None:
        self._input = 0
        self._output = 0
        self.finish_reason: str | None = None
        self.logprobs: list[dict[str, Any]] = []

    def add(self, piece: TextChunk) -> str:
        """Count the piece; the result is its text."""
        self._input += piece.prompt_tokens
        self._output += piece.n_tokens
        self.finish_reason = piece.finish_reason or self.finish_reason
        self.logprobs += logprob_dicts(piece)
        return piece.text

    @property
    def usage(self) -> UsageMetadata:
        """Tokens read (BOS included) and generated (the end token not included)."""
        return UsageMetadata(
            input_tokens=self._input, output_tokens=self._output, total_tokens=self._input + self._output
        )


def logprob_dicts(piece: TextChunk) -> list[dict[str, Any]]:
    """The log probabilities of a piece as the OpenAI API writes them."""
    return [
        {
            "token": entry.token,
            "logprob": entry.logprob,
            "top_logprobs": [{"token": token, "logprob": logprob} for token, logprob in entry.top],
        }
        for entry in piece.logprobs
    ]


def strip_start(pieces: Iterator[TextChunk]) -> Generator[TextChunk, None, None]:
    """The pieces without the white space that the text begins with.

    A sentencepiece model begins an answer with the space that the template leaves to it.
    """
    started = False
    for piece in pieces:
        text = piece.text if started else piece.text.lstrip()
        started = started or bool(text)
        yield replace(piece, text=text)
