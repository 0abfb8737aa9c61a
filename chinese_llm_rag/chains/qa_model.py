"""A language model as question answering uses it: its window, how it is asked, how its tokens are counted."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseLanguageModel

from chinese_llm_rag.chains.asked import Asked
from chinese_llm_rag.chains.exchange import Exchange
from chinese_llm_rag.chains.model_room import PromptText, count_tokens, window_of
from chinese_llm_rag.chains.qa_prompt import QAPromptStyle, style_for
from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say
from chinese_llm_rag.packing import Window
from chinese_llm_rag.schema import Passage

LLM = BaseLanguageModel[Any]


@dataclass(frozen=True, slots=True)
class AskedModel:
    """A loaded model, its window, and the style it is asked in."""

    llm: LLM
    window: Window
    style: QAPromptStyle

    def prompt(self, asked: Asked, passages: Sequence[Passage], history: Sequence[Exchange]) -> PromptText:
        """The prompt that asks the question."""
        return self.style.build(asked.question, passages, history=history, detail=asked.detail)

    def refine(self, asked: Asked, passages: Sequence[Passage], answer: str | None) -> PromptText:
        """The prompt that asks the question, or goes over an answer to it.

        Raises:
            ConfigError: the model is of a kind that cannot.
        """
        if self.style.refine is None:
            raise ConfigError(
                say("strategy='refine' needs a chat model", "strategy='refine' 需要对话模型"),
                setting="strategy",
                hint=say("use 'stuff' or 'map-rerank' with a base model", "基座模型请用 'stuff' 或 'map-rerank'"),
            )
        if answer is None:
            return self.prompt(asked, passages, ())
        return self.style.refine(asked.question, passages, answer, asked.detail)

    def count(self, prompt: PromptText) -> int:
        """Tokens of the prompt by the model's own tokenizer, without BOS."""
        return count_tokens(self.llm, prompt)

    def require_room(self, asked: Asked) -> None:
        """Refuse a question that fills the window by itself.

        Raises:
            ContextWindowExceededError: it does.
        """
        if (bare := self.count(self.prompt(asked, (), ()))) > self.window.budget:
            raise self.window.too_long(bare)


class ModelSource:
    """A model, or a function that loads it when it is first needed, once.

    Args:
        llm: the model or the function.
        context_window: tokens of prompt and answer together; the model's own by default.
        max_tokens: room kept for the answer; the model's own by default.
        style: how it is asked, if not by its kind.
        builder: the function that was given the model, for hints.
    """

    def __init__(
        self,
        llm: LLM | Callable[[], LLM],
        context_window: int | None = None,
        max_tokens: int | None = None,
        style: QAPromptStyle | None = None,
        *,
        builder: str = "build_qa_chain",
    ) -> None:
        self._given = llm
        self._builder = builder
        self._window = (context_window, max_tokens)
        self._style = style
        self._turn = threading.Lock()
        self._model: AskedModel | None = None
        if isinstance(llm, BaseLanguageModel):
            self._model = self._asked(llm)

    def loaded(self) -> bool:
        """Whether the model is there already."""
        return self._model is not None

    def __call__(self) -> AskedModel:
        """The model, loaded now if it was not.

        Raises:
            ConfigError: it does not say its window or its max_tokens, and neither was given.
        """
        with self._turn:
            if self._model is None:
                assert not isinstance(self._given, BaseLanguageModel)
                self._model = self._asked(self._given())
            return self._model

    def _asked(self, llm: LLM) -> AskedModel:
        context_window, max_tokens = self._window
        window = window_of(llm, self._builder, context_window=context_window, max_tokens=max_tokens)
        return AskedModel(llm, window, self._style or style_for(llm))
