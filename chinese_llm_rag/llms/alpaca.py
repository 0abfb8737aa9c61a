"""LangChain's two kinds of language model, over any Backend.

ChatChineseAlpaca talks in turns and needs a chat template; ChineseAlpacaLLM goes on with a text, which is
what base models are for.
"""

from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from functools import partial
from typing import Any, Literal, Self

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, BaseLLM, LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import (
    ChatGeneration,
    ChatGenerationChunk,
    ChatResult,
    Generation,
    GenerationChunk,
    LLMResult,
)
from langchain_core.runnables import Runnable
from pydantic import PrivateAttr, model_validator
from typing_extensions import override

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.async_pieces import iterate_in_thread
from chinese_llm_rag.llms.backend import GenerationParams, Prompt, TextChunk, prompt_parts
from chinese_llm_rag.llms.conversation import Turn, conversation
from chinese_llm_rag.llms.sampling import FORBID_EXTRA, SamplesFromBackend, Tally, strip_start
from chinese_llm_rag.llms.servers.turns import AnswersTurns
from chinese_llm_rag.llms.structured import structured
from chinese_llm_rag.llms.template_choice import RenderPrompt, TemplateName, build_template


class ChineseAlpacaLLM(SamplesFromBackend, BaseLLM):
    """Goes on with a text. The prompt is plain text through and through: nothing in it is a control token."""

    model_config = FORBID_EXTRA

    @property
    @override
    def _llm_type(self) -> str:
        return "chinese-alpaca-llm"

    @property
    @override
    def _identifying_params(self) -> Mapping[str, Any]:
        return self._sampling()

    @override
    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return super()._get_ls_params(stop=self._all_stops(stop), **kwargs)

    @override
    def _generate(
        self,
        prompts: list[str],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> LLMResult:
        results = []
        for prompt in prompts:
            tally = Tally()
            with closing(self._pieces(self._ask(prompt), stop, kwargs)) as pieces:
                results.append(("".join(map(tally.add, pieces)), tally))
        return self._result(results)

    @override
    async def _agenerate(
        self,
        prompts: list[str],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> LLMResult:
        results = []
        for prompt in prompts:
            tally = Tally()
            async with aclosing(iterate_in_thread(partial(self._pieces, self._ask(prompt), stop, kwargs))) as pieces:
                results.append(("".join([tally.add(piece) async for piece in pieces]), tally))
        return self._result(results)

    @override
    def _stream(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[GenerationChunk]:
        tally = Tally()
        with closing(self._pieces(self._ask(prompt), stop, kwargs)) as pieces:
            for piece in pieces:
                if chunk := self._chunk(piece, tally):
                    if run_manager:
                        run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                    yield chunk

    @override
    async def _astream(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[GenerationChunk]:
        tally = Tally()
        async with aclosing(iterate_in_thread(partial(self._pieces, self._ask(prompt), stop, kwargs))) as pieces:
            async for piece in pieces:
                if chunk := self._chunk(piece, tally):
                    if run_manager:
                        await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                    yield chunk

    def chunks(
        self,
        prompt: str,
        stop: Sequence[str] | None = None,
        **sampling: Any,  # noqa: ANN401  # SAMPLING_FIELDS
    ) -> Generator[TextChunk, None, None]:
        """The text as the runtime gives it, with its counts; at an empty piece it can be stopped."""
        return self._pieces(self._ask(prompt), stop, sampling)

    def _ask(self, prompt: str) -> Callable[[GenerationParams], Iterator[TextChunk]]:
        return partial(self.backend.generate, prompt)

    def _chunk(self, piece: TextChunk, tally: Tally) -> GenerationChunk | None:
        """What to show of a piece; the last one says how it went, so that chunks add up."""
        text = tally.add(piece)
        if piece.finish_reason is not None:
            return GenerationChunk(text=text, generation_info=self._info(tally))
        return GenerationChunk(text=text) if text else None

    def _result(self, results: Sequence[tuple[str, Tally]]) -> LLMResult:
        generations = [[Generation(text=text, generation_info=self._info(tally))] for text, tally in results]
        usages = [tally.usage for _, tally in results]
        return LLMResult(
            generations=generations,
            llm_output={
                "model_name": self.model_name,
                "token_usage": {
                    "prompt_tokens": sum(u["input_tokens"] for u in usages),
                    "completion_tokens": sum(u["output_tokens"] for u in usages),
                    "total_tokens": sum(u["total_tokens"] for u in usages),
                },
            },
        )

    def _info(self, tally: Tally) -> dict[str, Any]:
        return {
            "finish_reason": tally.finish_reason,
            "model_name": self.model_name,
            "usage_metadata": dict(tally.usage),
            **({"logprobs": {"content": tally.logprobs}} if tally.logprobs else {}),
        }


class ChatChineseAlpaca(SamplesFromBackend, BaseChatModel):
    """Answers in turns.

    A conversation that ends with the assistant's words is gone on with in the Alpaca-2 format.

    Raises:
        ModelLoadError: the model has no chat template.
    """

    model_config = FORBID_EXTRA

    system_prompt: str | None = None
    """Said where the messages hold no system message; None is the template's default."""
    chat_template: TemplateName | None = None
    """"alpaca2", "model" (its own), or None: "alpaca2" for the Chinese-Alpaca-2 vocabulary, else the model's own."""
    streaming: bool = False
    """Whether invoke() streams underneath, for callbacks that want single tokens."""

    _template_name: TemplateName | Literal["server"] = PrivateAttr("server")
    _render: RenderPrompt | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _choose_template(self) -> Self:
        if not self._rendered_by_server():
            self._template_name, self._render = build_template(
                self.backend, self.chat_template, system_prompt=self.system_prompt
            )
        elif self.chat_template is not None:
            raise ConfigError(
                say(
                    f"chat_template={self.chat_template!r}: this backend leaves the template to its server",
                    f"chat_template={self.chat_template!r}：该后端的模板由服务器决定",
                ),
                setting="chat_template",
                hint=say('leave it out, or use mode="completions"', '请去掉它，或使用 mode="completions"'),
            )
        return self

    def _rendered_by_server(self) -> bool:
        return isinstance(self.backend, AnswersTurns) and self.backend.answers_turns

    @property
    @override
    def _llm_type(self) -> str:
        return "chinese-alpaca-chat"

    @property
    @override
    def _identifying_params(self) -> Mapping[str, Any]:
        return {**self._sampling(), "chat_template": self._template_name, "system_prompt": self.system_prompt}

    @override
    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return super()._get_ls_params(stop=self._all_stops(stop), **kwargs)

    @override
    def with_structured_output(
        self,
        schema: dict[str, Any] | type,
        *,
        include_raw: bool = False,
        method: str = "json_schema",
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Answers as objects of a schema, which the runtime keeps to token by token.

        Args:
            schema: a pydantic class, a TypedDict or a JSON schema. Pydantic classes give their objects, others dicts.
            include_raw: give {"raw", "parsed", "parsing_error"} instead, and never raise for an answer cut short.
            method: "json_schema", or "json_mode" for any JSON object.
            strict: the runtime always is.
            **kwargs: none is known.

        Raises:
            ConfigError: the runtime keeps to no schema, or an argument is unknown.
        """
        if kwargs:
            raise ConfigError(
                say(f"unknown argument {min(kwargs)}", f"未知参数 {min(kwargs)}"),
                setting=min(kwargs),
            )
        return structured(self, schema, include_raw=include_raw, method=method)

    @override
    def get_num_tokens_from_messages(self, messages: Sequence[BaseMessage], tools: Sequence[Any] | None = None) -> int:
        """Tokens of the whole prompt that these messages become, without BOS."""
        turns = conversation(messages)
        if self._render is not None:
            return self.backend.count_tokens(self._render(turns))
        assert isinstance(self.backend, AnswersTurns)
        return self.backend.count_turn_tokens(self._with_system(turns)) - 1  # BOS

    def render_prompt(self, messages: Sequence[BaseMessage]) -> str | None:
        """The text that these messages become for the model; None where a server renders them."""
        return None if self._render is None else "".join(prompt_parts(self._render(conversation(messages))))

    @override
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        tally = Tally()
        with closing(self._answer(messages, stop, kwargs)) as pieces:
            return self._result("".join(map(tally.add, pieces)), tally)

    @override
    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        tally = Tally()
        async with aclosing(iterate_in_thread(partial(self._answer, messages, stop, kwargs))) as pieces:
            return self._result("".join([tally.add(piece) async for piece in pieces]), tally)

    @override
    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        tally = Tally()
        with closing(self._answer(messages, stop, kwargs)) as pieces:
            for piece in pieces:
                if chunk := self._chunk(piece, tally):
                    yield chunk

    @override
    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        tally = Tally()
        async with aclosing(iterate_in_thread(partial(self._answer, messages, stop, kwargs))) as pieces:
            async for piece in pieces:
                if chunk := self._chunk(piece, tally):
                    yield chunk

    def chunks(
        self,
        messages: Sequence[BaseMessage],
        stop: Sequence[str] | None = None,
        **sampling: Any,  # noqa: ANN401  # SAMPLING_FIELDS
    ) -> Generator[TextChunk, None, None]:
        """The answer as the runtime gives it, with its counts; at an empty piece it can be stopped."""
        return self._answer(messages, stop, sampling)

    def _answer(
        self, messages: Sequence[BaseMessage], stop: Sequence[str] | None, overrides: Mapping[str, Any]
    ) -> Generator[TextChunk, None, None]:
        turns = conversation(messages)
        render = self._render
        if render is None:
            assert isinstance(self.backend, AnswersTurns)
            ask = partial(self.backend.generate_turns, self._with_system(turns))
            with closing(self._pieces(ask, stop, overrides)) as pieces:
                yield from strip_start(pieces)
            return

        def negative(system_prompt: str) -> Prompt:
            others = [turn for turn in turns if turn.role != "system"]
            return render([Turn("system", system_prompt), *others])

        ask = partial(self.backend.generate, render(turns))
        with closing(self._pieces(ask, stop, overrides, negative=negative)) as pieces:
            yield from strip_start(pieces)

    def _with_system(self, turns: list[Turn]) -> list[Turn]:
        if self.system_prompt is None or turns[0].role == "system":
            return turns
        return [Turn("system", self.system_prompt), *turns]

    def _chunk(self, piece: TextChunk, tally: Tally) -> ChatGenerationChunk | None:
        """What to show of a piece; the last one says how it went, so that chunks add up."""
        text = tally.add(piece)
        if piece.finish_reason is not None:
            message = AIMessageChunk(
                content=text,
                usage_metadata=tally.usage,
                response_metadata=self._metadata(tally),
                chunk_position="last",
            )
            return ChatGenerationChunk(message=message)
        return ChatGenerationChunk(message=AIMessageChunk(content=text)) if text else None

    def _result(self, text: str, tally: Tally) -> ChatResult:
        message = AIMessage(content=text, usage_metadata=tally.usage, response_metadata=self._metadata(tally))
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _metadata(self, tally: Tally) -> dict[str, Any]:
        return {
            "finish_reason": tally.finish_reason,
            "model_name": self.model_name,
            **({"logprobs": {"content": tally.logprobs}} if tally.logprobs else {}),
        }
