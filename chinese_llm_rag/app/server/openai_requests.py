"""Requests of OpenAI's API as this server takes them: a field is honoured, harmless, or refused, never passed over.

What OpenAI's clients may send and what has no meaning for a model on this machine is named here field by field.
"""

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from chinese_llm_rag.app.failures import Failure
from chinese_llm_rag.app.sampling import AskOptions, Sampling
from chinese_llm_rag.app.server.replies import FailedRequestError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.backend import MAX_SEED

if TYPE_CHECKING:
    from chinese_llm_rag.llms.conversation import Turn

_Count = Annotated[int, Field(ge=1, le=1 << 20)]
_Stop = Annotated[str, Field(min_length=1, max_length=200)]
_Text = Annotated[str, Field(max_length=2_000_000)]
_Ignored = Annotated[Any, Field(description="accepted, without effect")]
_Refused = Annotated[Any, Field(description="refused unless it is null or empty")]


class Strict(BaseModel):
    """Refuses fields that it does not know."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class TextPart(Strict):
    """A part of a message's content."""

    type: Literal["text"]
    text: _Text


class Message(Strict):
    """What one side said."""

    role: Literal["system", "developer", "user", "assistant"]
    content: _Text | list[TextPart]
    name: str | None = Field(None, description="accepted, without effect")
    refusal: str | None = Field(None, description="accepted, without effect")

    @property
    def text(self) -> str:
        """Its words."""
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)

    def turn(self) -> "Turn":
        """The message as the model's template takes it."""
        from chinese_llm_rag.llms.conversation import Turn  # noqa: PLC0415  (heavy)

        return Turn("system" if self.role in ("system", "developer") else self.role, self.text)  # type: ignore[arg-type]


class StreamOptions(Strict):
    """How a reply is streamed."""

    include_usage: bool = False
    include_obfuscation: bool | None = Field(None, description="accepted, without effect")


class JsonSchema(Strict):
    """A schema that the answer keeps to."""

    name: str = Field(max_length=64)
    schema_: dict[str, Any] = Field(alias="schema")
    description: str | None = None
    strict: bool | None = None


class ResponseFormat(Strict):
    """The form of an answer."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class SamplingFields(Strict):
    """What requests of all kinds may say about sampling."""

    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=0, le=1 << 20, description="0 is all tokens")
    repetition_penalty: float | None = Field(None, gt=0, le=2)
    max_tokens: _Count | None = None
    seed: int | None = Field(None, ge=0, lt=MAX_SEED)
    stop: _Stop | list[_Stop] | None = Field(None, description="strings at which the text ends, up to 16")
    user: str | None = Field(None, max_length=256, description="who asks; clients take turns at the model")

    def stops(self) -> tuple[str, ...]:
        """The stop strings."""
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        if len(given) > 16:
            raise _invalid("stop", say("more than 16 stop strings", "停止字符串超过 16 个"))
        return tuple(given)

    def sampling(self, *, logprobs: int | None = None, json_schema: str | None = None) -> Sampling:
        """The parameters that were given."""
        return Sampling(
            *(self.temperature, self.top_p, self.top_k, self.repetition_penalty, self.max_tokens, self.seed),
            *(logprobs, json_schema),
        )


class GenerationFields(SamplingFields):
    """What both kinds of generation requests of OpenAI's API have in common."""

    model: str = Field(
        min_length=1, max_length=256, description='as listed by /v1/models; "kb:NAME" is a knowledge base'
    )
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = 1
    presence_penalty: float | None = Field(None, ge=-2, le=2, description="refused unless 0")
    frequency_penalty: float | None = Field(None, ge=-2, le=2, description="refused unless 0")
    logit_bias: _Refused = None

    def refuse(self, *names: str) -> None:
        """Refuse those of the fields that ask for something."""
        for name in ("presence_penalty", "frequency_penalty", "logit_bias", *names):
            if getattr(self, name):
                raise _invalid(name, say(f"{name} is not possible here", f"不支持 {name}"))

    @property
    def kb(self) -> str | None:
        """The knowledge base that is asked, if it is one."""
        return self.model.removeprefix("kb:") if self.model.startswith("kb:") else None


class ChatRequest(GenerationFields):
    """POST /v1/chat/completions."""

    messages: list[Message] = Field(min_length=1, max_length=1000)
    max_completion_tokens: _Count | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)
    response_format: ResponseFormat | None = None
    k: Annotated[int, Field(ge=1, le=100)] | None = Field(None, description="of a knowledge base: passages to find")
    mode: Literal["hybrid", "bm25", "dense"] | None = Field(None, description="of a knowledge base: of searching")
    sources: bool = Field(default=True, description="of a knowledge base: list the sources below the text")
    tools: _Refused = None
    tool_choice: _Ignored = None
    functions: _Refused = None
    function_call: _Refused = None
    audio: _Refused = None
    modalities: _Ignored = None
    prediction: _Ignored = None
    parallel_tool_calls: _Ignored = None
    reasoning_effort: _Ignored = None
    verbosity: _Ignored = None
    web_search_options: _Refused = None
    metadata: _Ignored = None
    store: _Ignored = None
    service_tier: _Ignored = None
    safety_identifier: _Ignored = None
    prompt_cache_key: _Ignored = None
    prompt_cache_retention: _Ignored = None

    def check(self) -> None:
        """Refuse what cannot be done."""
        self.refuse("tools", "functions", "function_call", "audio", "web_search_options")
        if self.kb is not None and (self.logprobs or (self.response_format and self.response_format.type != "text")):
            name = "logprobs" if self.logprobs else "response_format"
            raise _invalid(name, say(f"a knowledge base has no {name}", f"知识库不支持 {name}"))
        if self.top_logprobs is not None and not self.logprobs:
            raise _invalid("top_logprobs", say("top_logprobs needs logprobs", "top_logprobs 需要 logprobs"))
        if self.kb is not None and self.messages[-1].role != "user":
            raise _invalid("messages", say("the last message must be the user's", "最后一条消息应来自用户"))

    def asked(self) -> Sampling:
        """The parameters that were given."""
        found = self.sampling(logprobs=(self.top_logprobs or 0) if self.logprobs else None, json_schema=self._schema())
        return found if self.max_completion_tokens is None else _with_max_tokens(found, self.max_completion_tokens)

    def _schema(self) -> str | None:
        if self.response_format is None or self.response_format.type == "text":
            return None
        if self.response_format.type == "json_object":
            return '{"type": "object"}'
        if self.response_format.json_schema is None:
            raise _invalid("response_format", say("json_schema is missing", "缺少 json_schema"))
        return json.dumps(self.response_format.json_schema.schema_)

    def options(self) -> AskOptions:
        """How the knowledge base is asked."""
        return AskOptions(self.k, self.mode, self.stops(), _exchanges(self.messages))


class CompletionRequest(GenerationFields):
    """POST /v1/completions."""

    prompt: _Text | Annotated[list[_Text], Field(min_length=1, max_length=1)]
    logprobs: int | None = Field(None, ge=0, le=20)
    echo: bool | None = Field(None, description="refused unless false")
    suffix: str | None = Field(None, description="refused unless empty")
    best_of: Literal[1] | None = None

    def check(self) -> None:
        """Refuse what cannot be done."""
        self.refuse("echo", "suffix")
        if self.kb is not None and self.logprobs is not None:
            raise _invalid("logprobs", say("a knowledge base has no logprobs", "知识库不支持 logprobs"))

    @property
    def text(self) -> str:
        """What the model goes on with."""
        return self.prompt if isinstance(self.prompt, str) else self.prompt[0]


class EmbeddingRequest(Strict):
    """POST /v1/embeddings."""

    model: str = Field(min_length=1, max_length=256)
    input: _Text | Annotated[list[_Text], Field(min_length=1)]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: _Count | None = Field(None, description="refused unless the model's own")
    input_type: Literal["query", "passage"] = Field(
        "passage", description="what the texts are searched with, or found as"
    )
    user: str | None = Field(None, max_length=256)

    @property
    def texts(self) -> list[str]:
        """The texts."""
        return [self.input] if isinstance(self.input, str) else self.input


def _exchanges(messages: list[Message]) -> tuple[tuple[str, str], ...]:
    """Questions before the last message, each with the answer that follows it."""
    found, question = [], None
    for message in messages[:-1]:
        text = message.text
        if message.role == "user":
            question = text
        elif message.role == "assistant" and question is not None:
            found.append((question, text))
            question = None
    return tuple(found)


def _with_max_tokens(sampling: Sampling, max_tokens: int) -> Sampling:
    return replace(sampling, max_tokens=max_tokens)


def _invalid(name: str, message: str) -> FailedRequestError:
    return FailedRequestError(Failure("invalid", message, setting=name))
