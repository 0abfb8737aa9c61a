"""The calls of the model that make a summary: each part, then all parts together, or part after part.

All but the last are made here; the last one is streamed by the chain. Whatever the cache has is not asked again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from langchain_core.language_models import BaseLanguageModel
from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableLambda

from chinese_llm_rag.chains.model_room import PromptText, count_tokens
from chinese_llm_rag.chains.summarize.cache import SummaryCache, step_key
from chinese_llm_rag.chains.summarize.pieces import pieces_of, text_of
from chinese_llm_rag.chains.summarize.prompts import SummaryPrompts, Wanted
from chinese_llm_rag.errors import GenerationError
from chinese_llm_rag.language import say
from chinese_llm_rag.packing import Window
from chinese_llm_rag.packing.halving import most_that_fit
from chinese_llm_rag.packing.oversize import cut_to_fit
from chinese_llm_rag.schema import Passage

ModelStrategy = Literal["auto", "stuff", "map-reduce", "refine"]
Progress = Callable[[int, int], None]  # steps done, steps in all as far as is known


@dataclass(slots=True)
class Count:
    """What was asked so far."""

    n_calls: int = 0
    n_cached: int = 0
    usage: dict[str, int] = field(default_factory=dict)

    def add(self, message: str | BaseMessage) -> str:
        """Count a reply, or a piece of one; its text."""
        for key, number in (getattr(message, "usage_metadata", None) or {}).items():
            if isinstance(number, int):
                self.usage[key] = self.usage.get(key, 0) + number
        return message if isinstance(message, str) else str(message.text)


@dataclass(frozen=True, slots=True)
class LastStep:
    """The call that makes the summary, and by which strategy it came to it."""

    prompt: PromptText
    strategy: str


@dataclass(frozen=True, slots=True)
class Summarizer:
    """A model, and how it is asked."""

    llm: BaseLanguageModel[Any]
    window: Window
    prompts: SummaryPrompts
    cache: SummaryCache
    model_id: str
    max_concurrency: int
    on_progress: Progress

    def until_last(
        self, passages: Sequence[Passage], strategy: ModelStrategy, wanted: Wanted, count: Count
    ) -> LastStep:
        """Make every call but the last.

        Raises:
            ContextWindowExceededError: the window is too small for the strategy.
            GenerationError: the model gave nothing.
        """
        if (bare := count_tokens(self.llm, self.prompts.whole("", wanted))) >= self.window.budget:
            raise self.window.too_long(bare)
        fitting = [piece for passage in passages for piece in cut_to_fit(passage, lambda p: self._fits(p.text, wanted))]
        whole = text_of(fitting)
        if strategy == "stuff" or (strategy == "auto" and self._fits(whole, wanted)):
            if not self._fits(whole, wanted):
                raise self.window.too_long(count_tokens(self.llm, self.prompts.whole(whole, wanted)))
            return LastStep(self.prompts.whole(whole, wanted), "stuff")
        if strategy == "refine":
            return self._refined(fitting, wanted, count)
        texts = [text_of(piece) for piece in pieces_of(fitting, lambda text: self._fits(text, wanted))]
        # A part is to hold all that the whole may need of it, so it is not shorter, and has no form of its own.
        parts = self._all([self.prompts.whole(text, replace(wanted, form="paragraph")) for text in texts], count)
        return LastStep(self._reduced(parts, wanted, count), "map-reduce")

    def call_arguments(self) -> dict[str, Any]:
        """What goes with each call."""
        return {"stop": self.prompts.stop} if self.prompts.stop else {}

    def _fits(self, text: str, wanted: Wanted) -> bool:
        return count_tokens(self.llm, self.prompts.whole(text, wanted)) <= self.window.budget

    def _refined(self, passages: list[Passage], wanted: Wanted, count: Count) -> LastStep:
        """Part after part, each read together with the summary of those before."""

        def beside_summary(passage: Passage) -> bool:
            n_tokens = count_tokens(self.llm, self.prompts.refine("", passage.text, wanted))
            return n_tokens + self.window.max_tokens <= self.window.budget

        summary, left = "", [piece for passage in passages for piece in cut_to_fit(passage, beside_summary)]
        n_steps = len(pieces_of(left, lambda text: self._fits(text, wanted)))
        while True:

            def prompt(n: int, summary: str = summary, left: list[Passage] = left) -> PromptText:
                text = text_of(left[:n])
                return self.prompts.refine(summary, text, wanted) if summary else self.prompts.whole(text, wanted)

            n = most_that_fit(len(left), lambda n: count_tokens(self.llm, prompt(n)) <= self.window.budget)
            if n == 0:
                raise self.window.too_long(count_tokens(self.llm, prompt(1)))
            if n == len(left):
                return LastStep(prompt(n), "refine")
            (summary,) = self._all([prompt(n)], count, n_steps=n_steps)
            left = left[n:]

    def _reduced(self, parts: list[str], wanted: Wanted, count: Count) -> PromptText:
        """The prompt that makes one summary of all parts; where they are too many, of summaries of some of them."""
        while not self._reducible(parts, wanted):
            groups, left = [], parts
            while left:
                n = most_that_fit(len(left), lambda n: self._reducible(left[:n], wanted))  # noqa: B023  (used at once)
                if n < min(2, len(left)):
                    raise self.window.too_long(count_tokens(self.llm, self.prompts.reduce(left[:2], wanted)))
                groups.append(left[:n])
                left = left[n:]
            parts = self._all(
                [self.prompts.reduce(group, replace(wanted, form="paragraph")) for group in groups], count
            )
        return self.prompts.reduce(parts, wanted)

    def _reducible(self, parts: Sequence[str], wanted: Wanted) -> bool:
        return count_tokens(self.llm, self.prompts.reduce(list(parts), wanted)) <= self.window.budget

    def _all(self, prompts: list[PromptText], count: Count, n_steps: int | None = None) -> list[str]:
        """What the model makes of each prompt, in their order; several at once where that is allowed."""
        keys = [step_key(self.model_id, prompt) for prompt in prompts]
        texts = [self.cache.get(key) for key in keys]
        waiting = [place for place, text in enumerate(texts) if text is None]
        count.n_cached += len(prompts) - len(waiting)
        total = count.n_calls + count.n_cached + len(waiting) + 1 if n_steps is None else n_steps
        self.on_progress(count.n_calls + count.n_cached, total)
        part: RunnableLambda[PromptText, str | BaseMessage] = RunnableLambda(self._one, name="summarize_part")
        replies = part.batch_as_completed(
            [prompts[place] for place in waiting], {"max_concurrency": self.max_concurrency}
        )
        for number, reply in replies:
            if isinstance(reply, Exception):
                raise reply
            place = waiting[number]
            text = count.add(reply).strip()
            count.n_calls += 1
            self.cache.put(keys[place], text)
            texts[place] = text
            self.on_progress(count.n_calls + count.n_cached, total)
        found = [text for text in texts if text]
        if not found:
            raise nothing_said()
        return found

    def _one(self, prompt: PromptText) -> str | BaseMessage:
        reply: str | BaseMessage = self.llm.invoke(prompt, **self.call_arguments())
        return reply


def nothing_said() -> GenerationError:
    """The model's summary is empty."""
    return GenerationError(
        say("the model gave an empty summary", "模型没有给出任何摘要"),
        hint=say("try another model, or --extractive", "请换用其他模型，或使用 --extractive"),
    )
