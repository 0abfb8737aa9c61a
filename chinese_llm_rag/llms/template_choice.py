"""Which chat template a model gets. Never a guess: a model without one is refused."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.backend import Backend, DescribesVocabulary, Prompt, ProvidesChatTemplate
from chinese_llm_rag.llms.chat_template import alpaca2_prompt
from chinese_llm_rag.llms.conversation import Turn
from chinese_llm_rag.llms.jinja_template import JinjaChatTemplate
from chinese_llm_rag.models import is_family_vocabulary

TemplateName = Literal["alpaca2", "model"]
RenderPrompt = Callable[[Sequence[Turn]], Prompt]


def default_template(backend: Backend) -> TemplateName | None:
    """Name "alpaca2" for the model family's vocabulary, "model" for a model that brings its own, else None.

    The family comes first: its base and chat models share a vocabulary, and the templates that converters put
    into its files are those of Llama 2, with another system prompt.
    """
    if isinstance(backend, DescribesVocabulary):
        vocabulary = backend.vocabulary
        if is_family_vocabulary(vocabulary.architecture, vocabulary.size):
            return "alpaca2"
    if isinstance(backend, ProvidesChatTemplate) and backend.chat_template is not None:
        return "model"
    return None


def build_template(
    backend: Backend, requested: TemplateName | None, *, system_prompt: str | None
) -> tuple[TemplateName, RenderPrompt]:
    """The template's name, and what renders a conversation with it.

    Args:
        backend: a loaded model.
        requested: None leaves the choice to default_template.
        system_prompt: said where the conversation has no system message. None is the family's default for
            "alpaca2", and no system message for "model".

    Raises:
        ModelLoadError: the model has no chat template, or a broken one.
    """
    name = requested if requested is not None else default_template(backend)
    if name == "alpaca2":
        return name, partial(alpaca2_prompt, system_prompt=system_prompt)
    source = backend.chat_template if isinstance(backend, ProvidesChatTemplate) else None
    if name == "model" and source is not None:
        return name, partial(_with_system, JinjaChatTemplate(source).render, system_prompt)
    raise ModelLoadError(
        say(
            f"{backend.model_name!r} is a base model: it has no chat template",
            f"{backend.model_name!r} 是基座模型，没有对话模板",
        ),
        hint=say(
            'use ChineseAlpacaLLM for it, or pass chat_template="alpaca2" if it was tuned on that format',
            '请对它使用 ChineseAlpacaLLM；若它以该格式精调过，可传入 chat_template="alpaca2"',
        ),
    )


def _with_system(render: RenderPrompt, system_prompt: str | None, turns: Sequence[Turn]) -> Prompt:
    if system_prompt is not None and turns[0].role != "system":
        turns = [Turn("system", system_prompt), *turns]
    return render(turns)
