"""Replies of OpenAI's API."""

from typing import Any, Literal

from pydantic import BaseModel, Field


class Usage(BaseModel):
    """Tokens of a request."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class TopLogprob(BaseModel):
    """A token that might have come, and its natural log probability."""

    token: str
    logprob: float
    bytes: list[int] | None


class TokenLogprobs(TopLogprob):
    """A token that came, and those that might have."""

    top_logprobs: list[TopLogprob]


class Logprobs(BaseModel):
    """The log probabilities of an answer."""

    content: list[TokenLogprobs] | None
    refusal: None = None


class AssistantMessage(BaseModel):
    """What the model said."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: str | None = None


class Choice(BaseModel):
    """The one answer."""

    index: int = 0
    message: AssistantMessage
    finish_reason: Literal["stop", "length"]
    logprobs: Logprobs | None = None


class ChatReply(BaseModel):
    """An answer in a conversation; `answer` is a knowledge base's, with its sentences and citations."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    answer: dict[str, Any] | None = None


class CompletionLogprobs(BaseModel):
    """The log probabilities of a text."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


class CompletionChoice(BaseModel):
    """The one text."""

    index: int = 0
    text: str
    finish_reason: Literal["stop", "length"]
    logprobs: CompletionLogprobs | None = None


class CompletionReply(BaseModel):
    """How the model went on with a text."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: Usage
    answer: dict[str, Any] | None = None


class Model(BaseModel):
    """A model, or a knowledge base as one."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    kind: Literal["language_model", "embedding_model", "knowledge_base"]


class ModelList(BaseModel):
    """What can be asked."""

    object: Literal["list"] = "list"
    data: list[Model]


class Embedding(BaseModel):
    """The vector of a text."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str = Field(description="numbers, or base64 of 32-bit little-endian floats")


class EmbeddingUsage(BaseModel):
    """Tokens that were read."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingReply(BaseModel):
    """One vector a text, in order."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage
