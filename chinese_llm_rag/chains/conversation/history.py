"""What of a conversation a model reads: the last exchanges that fit their share of its window, by its own count."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from langchain_core.language_models import BaseChatModel, BaseLanguageModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from chinese_llm_rag.chains.conversation.exchange import Exchange
from chinese_llm_rag.chains.qa_prompt import PromptText, QAPromptStyle
from chinese_llm_rag.packing import Window, plan
from chinese_llm_rag.packing.planner import HISTORY_SHARE


def trimmed(
    window: Window,
    measure: Callable[[Sequence[Exchange]], int],
    history: Sequence[Exchange],
    *,
    share: float = HISTORY_SHARE,
) -> tuple[Exchange, ...]:
    """The last exchanges that fit a share of the room beside the prompt without them.

    Args:
        window: of the model.
        measure: tokens of the prompt with these exchanges and no evidence, without BOS.
        history: oldest first.
        share: of the room; what is left is for evidence.

    Raises:
        ContextWindowExceededError: the prompt does not fit even without history.
    """
    if (bare := measure(())) > window.budget:
        raise window.too_long(bare)
    unused = window.budget - bare - int((window.budget - bare) * share)
    shared = replace(window, context_window=window.context_window - unused)
    return plan(shared, lambda _, turns: measure(turns), [], history).history


def with_history(style: QAPromptStyle, history: Sequence[Exchange]) -> QAPromptStyle:
    """The style with earlier exchanges between the system turn and the question.

    A prompt that is one text, which a base model completes, is left as it is: earlier questions there would be taken
    for demonstrations.
    """
    said = [message for one in history for message in (HumanMessage(one.question), AIMessage(one.answer))]

    def build(*asked: Any, **options: Any) -> PromptText:  # noqa: ANN401  # whatever the style takes
        prompt = style.build(*asked, **options)
        return prompt if isinstance(prompt, str) else [*prompt[:-1], *said, *prompt[-1:]]

    return replace(style, build=build)


def n_tokens(llm: BaseLanguageModel[Any], prompt: str | list[BaseMessage]) -> int:
    """Tokens of a prompt by the model's own count."""
    if isinstance(prompt, str):
        return llm.get_num_tokens(prompt)
    if isinstance(llm, BaseChatModel):
        return llm.get_num_tokens_from_messages(prompt)
    return sum(llm.get_num_tokens(message.text) for message in prompt)
