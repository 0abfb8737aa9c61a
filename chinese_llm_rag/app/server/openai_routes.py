"""The routes of OpenAI's API: models, chat, completions, embeddings. A knowledge base is a model named kb:NAME."""

import base64
import struct
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from chinese_llm_rag.app.controller import Controller
from chinese_llm_rag.app.failures import Failure
from chinese_llm_rag.app.sampling import AskOptions
from chinese_llm_rag.app.server.clients import client_of
from chinese_llm_rag.app.server.logprobs import chat_logprobs, completion_logprobs
from chinese_llm_rag.app.server.metrics import Metrics
from chinese_llm_rag.app.server.openai_replies import (
    AssistantMessage,
    ChatReply,
    Choice,
    CompletionChoice,
    CompletionReply,
    Embedding,
    EmbeddingReply,
    EmbeddingUsage,
    Model,
    ModelList,
)
from chinese_llm_rag.app.server.openai_requests import (
    ChatRequest,
    CompletionRequest,
    EmbeddingRequest,
    GenerationFields,
)
from chinese_llm_rag.app.server.replies import FailedRequestError, error_dict, error_responses
from chinese_llm_rag.app.server.said import Said, Whole, said_by_base, said_by_model
from chinese_llm_rag.app.server.streams import DONE, EVENT_STREAM, begun, event, event_reply, until_gone, unwrap
from chinese_llm_rag.language import say

_GENERATION_ERRORS: dict[int | str, dict[str, Any]] = error_responses(404, 409, 429, 503, 504)


class OpenAIRoutes:
    """The routes over one controller."""

    def __init__(self, controller: Controller, metrics: Metrics) -> None:
        self._controller = controller
        self._metrics = metrics
        self._started = int(time.time())
        self.router = APIRouter(prefix="/v1", tags=["OpenAI"])
        add = self.router.add_api_route
        streamed: dict[int | str, dict[str, Any]] = {200: {"content": EVENT_STREAM}}
        add("/models", self.models, response_model=ModelList, responses=error_responses())
        add("/models/{model:path}", self.model, response_model=Model, responses=error_responses(404))
        add(
            "/chat/completions",
            self.chat,
            methods=["POST"],
            response_model=ChatReply,
            responses={**_GENERATION_ERRORS, **streamed},
        )
        add(
            "/completions",
            self.complete,
            methods=["POST"],
            response_model=CompletionReply,
            responses={**_GENERATION_ERRORS, **streamed},
        )
        add(
            "/embeddings",
            self.embed,
            methods=["POST"],
            response_model=EmbeddingReply,
            responses=error_responses(404, 429, 503, 504),
        )

    # --- models ---------------------------------------------------------------------------------

    async def models(self) -> ModelList:
        """The language model, the embedding model, and each knowledge base."""
        controller = self._controller
        found = [
            self._model(controller.model_name, "language_model"),
            self._model(controller.embedding_name, "embedding_model"),
            *(self._model(f"kb:{name}", "knowledge_base") for name in controller.base_names()),
        ]
        return ModelList(data=found)

    async def model(self, model: str) -> Model:
        """One of them."""
        found = next((entry for entry in (await self.models()).data if entry.id == model), None)
        if found is None:
            raise _no_model(model)
        return found

    def _model(self, name: str, kind: Any) -> Model:  # noqa: ANN401  (one of three literals)
        return Model(id=name, created=self._started, owned_by="chinese-llm-rag", kind=kind)

    # --- generation -----------------------------------------------------------------------------

    async def chat(self, body: ChatRequest, request: Request) -> Response:
        """The next words in a conversation; of a knowledge base, the answer to its last message."""
        body.check()
        client = client_of(request, body.user)
        sampling, stops = body.asked(), body.stops()
        if body.kb is not None:
            pieces = said_by_base(
                self._controller.ask(
                    body.kb,
                    body.messages[-1].turn().text,
                    client=client,
                    sampling=sampling,
                    options=body.options(),
                ),
                self._folder(body.kb),
                sources=body.sources,
                max_tokens=sampling.max_tokens,
            )
        else:
            self._require_model(body.model)
            turns = [message.turn() for message in body.messages]
            pieces = said_by_model(self._controller.chat(turns, client=client, sampling=sampling, stop=stops))
        started = await begun(request, pieces)
        identity = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": body.model}
        if body.stream:
            return event_reply(self._chat_events(started, identity, body))
        whole = await until_gone(request, self._whole(started))
        choice = Choice(
            message=AssistantMessage(content=whole.text),
            finish_reason=whole.finish_reason,
            logprobs=chat_logprobs(whole.logprobs) if body.logprobs else None,
        )
        reply = ChatReply(**identity, choices=[choice], usage=whole.usage, answer=whole.answer)
        return _json(reply)

    async def _chat_events(
        self, pieces: AsyncGenerator[Said | Failure, None], identity: dict[str, Any], body: ChatRequest
    ) -> AsyncGenerator[str, None]:
        head = {**identity, "object": "chat.completion.chunk"}

        def chunk(delta: dict[str, Any], finish: str | None = None, logprobs: Any = None) -> dict[str, Any]:  # noqa: ANN401
            choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": logprobs}
            return {**head, "choices": [choice]}

        yield event(chunk({"role": "assistant", "content": ""}))
        whole = Whole()
        async with aclosing(pieces):
            async for piece in pieces:
                if isinstance(piece, Failure):
                    yield event(error_dict(piece))
                    return
                whole.add(piece)
                if piece.text or piece.logprobs:
                    logprobs = chat_logprobs(piece.logprobs).model_dump() if body.logprobs else None
                    yield event(chunk({"content": piece.text}, None, logprobs))
        last = chunk({}, whole.finish_reason)
        yield event(last if whole.answer is None else {**last, "answer": whole.answer})
        for end in self._ended(whole, head, body):
            yield end

    async def complete(self, body: CompletionRequest, request: Request) -> Response:
        """How the model goes on with a text; of a knowledge base, the answer to it."""
        body.check()
        client = client_of(request, body.user)
        sampling, stops = body.sampling(logprobs=body.logprobs), body.stops()
        if body.kb is not None:
            pieces = said_by_base(
                self._controller.ask(
                    body.kb, body.text, client=client, sampling=sampling, options=AskOptions(stop=stops)
                ),
                self._folder(body.kb),
                sources=True,
                max_tokens=sampling.max_tokens,
            )
        else:
            self._require_model(body.model)
            pieces = said_by_model(self._controller.complete(body.text, client=client, sampling=sampling, stop=stops))
        started = await begun(request, pieces)
        identity = {"id": f"cmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": body.model}
        if body.stream:
            return event_reply(self._completion_events(started, identity, body))
        whole = await until_gone(request, self._whole(started))
        logprobs = completion_logprobs(whole.logprobs, 0) if body.logprobs is not None else None
        choice = CompletionChoice(text=whole.text, finish_reason=whole.finish_reason, logprobs=logprobs)
        reply = CompletionReply(**identity, choices=[choice], usage=whole.usage, answer=whole.answer)
        return _json(reply)

    async def _completion_events(
        self, pieces: AsyncGenerator[Said | Failure, None], identity: dict[str, Any], body: CompletionRequest
    ) -> AsyncGenerator[str, None]:
        head = {**identity, "object": "text_completion"}
        whole = Whole()
        async with aclosing(pieces):
            async for piece in pieces:
                if isinstance(piece, Failure):
                    yield event(error_dict(piece))
                    return
                at = len(whole.text)
                whole.add(piece)
                if piece.text or piece.logprobs:
                    wanted = body.logprobs is not None
                    logprobs = completion_logprobs(piece.logprobs, at).model_dump() if wanted else None
                    choice = {"index": 0, "text": piece.text, "finish_reason": None, "logprobs": logprobs}
                    yield event({**head, "choices": [choice]})
        choice = {"index": 0, "text": "", "finish_reason": whole.finish_reason, "logprobs": None}
        last = {**head, "choices": [choice]}
        yield event(last if whole.answer is None else {**last, "answer": whole.answer})
        for end in self._ended(whole, head, body):
            yield end

    def _ended(self, whole: Whole, head: dict[str, Any], body: GenerationFields) -> list[str]:
        """What comes after the last piece."""
        self._metrics.tokens(whole.prompt_tokens, whole.n_tokens)
        wanted = body.stream_options is not None and body.stream_options.include_usage
        usage = [event({**head, "choices": [], "usage": whole.usage.model_dump()})] if wanted else []
        return [*usage, DONE]

    async def _whole(self, pieces: AsyncGenerator[Said | Failure, None]) -> Whole:
        whole = Whole()
        async with aclosing(pieces):
            async for piece in pieces:
                whole.add(unwrap(piece))
        self._metrics.tokens(whole.prompt_tokens, whole.n_tokens)
        return whole

    def _folder(self, kb: str) -> Any:  # noqa: ANN401
        if kb not in self._controller.base_names():
            raise _no_model(f"kb:{kb}")
        return self._controller.documents_folder(kb)

    def _require_model(self, name: str) -> None:
        if name != self._controller.model_name:
            raise _no_model(name)

    # --- embeddings -----------------------------------------------------------------------------

    async def embed(self, body: EmbeddingRequest, request: Request) -> Response:
        """One vector a text, of unit length, by the embedding model of new knowledge bases."""
        if body.model != self._controller.embedding_name:
            raise _no_model(body.model)
        texts = body.texts
        most = self._controller.limits.max_texts
        if len(texts) > most:
            message = say(f"{len(texts)} texts, at most {most} at a time", f"{len(texts)} 条文本，一次最多 {most} 条")
            raise FailedRequestError(Failure("invalid", message, setting="input"))
        if not all(text.strip() for text in texts):
            raise FailedRequestError(Failure("invalid", say("a text is empty", "有文本为空"), setting="input"))
        work = self._controller.embed(texts, client=client_of(request, body.user), queries=body.input_type == "query")
        vectors, n_tokens = unwrap(await until_gone(request, work))
        if body.dimensions not in (None, len(vectors[0])):
            message = say(
                f"the model's vectors have {len(vectors[0])} numbers", f"该模型的向量维数为 {len(vectors[0])}"
            )
            raise FailedRequestError(Failure("invalid", message, setting="dimensions"))
        as_text = body.encoding_format == "base64"
        reply = EmbeddingReply(
            data=[Embedding(index=i, embedding=_base64(v) if as_text else v) for i, v in enumerate(vectors)],
            model=body.model,
            usage=EmbeddingUsage(prompt_tokens=n_tokens, total_tokens=n_tokens),
        )
        return _json(reply)


def _base64(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _json(reply: Any) -> JSONResponse:  # noqa: ANN401  (a pydantic model)
    return JSONResponse(reply.model_dump(mode="json"))


def _no_model(name: str) -> FailedRequestError:
    message = say(f"there is no model {name!r}", f"没有模型 {name!r}")
    hint = say("GET /v1/models lists them", "GET /v1/models 列出所有模型")
    return FailedRequestError(Failure("not_found", message, hint, "model"))
