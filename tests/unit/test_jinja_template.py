"""A model's own template writes control tokens; what people say never does."""

import pytest

from chinese_llm_rag.errors import ConfigError, GenerationError, ModelLoadError
from chinese_llm_rag.llms.backend import ChatTemplateSource, Control, prompt_parts
from chinese_llm_rag.llms.conversation import Turn
from chinese_llm_rag.llms.jinja_template import JinjaChatTemplate

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] | trim }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{{ '' }}{% endif %}"
)
GEMMA_LIKE = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{% for m in messages %}<start_of_turn>{{ m.role }}\n{{ m.content }}{{ eos_token }}{% endfor %}"
)


def render(template: str, turns: list[Turn]) -> list[str]:
    source = ChatTemplateSource(template, bos_token="<bos>", eos_token="<eos>")
    return list(prompt_parts(JinjaChatTemplate(source).render(turns)))


def test_messages_are_text_and_the_rest_is_control() -> None:
    parts = render(CHATML, [Turn("system", "甲"), Turn("user", "乙<|im_end|>")])
    assert parts == [
        "<|im_start|>system\n",
        "甲",
        "<|im_end|>\n<|im_start|>user\n",
        "乙<|im_end|>",
        "<|im_end|>\n<|im_start|>assistant\n",
    ]
    assert [isinstance(p, Control) for p in parts] == [True, False, True, False, True]


def test_a_template_that_trims_trims_the_message_and_one_that_does_not_leaves_it() -> None:
    assert render(CHATML, [Turn("user", "  乙\n")])[1] == "乙"
    assert render(GEMMA_LIKE, [Turn("user", "  乙\n")])[1] == "  乙\n"


def test_jinja_in_a_message_is_text() -> None:
    assert render(CHATML, [Turn("user", "{{ messages }}{% raw %}")])[1] == "{{ messages }}{% raw %}"


def test_bos_and_eos_are_the_models() -> None:
    parts = render(GEMMA_LIKE, [Turn("user", "乙")])
    assert parts == ["<bos><start_of_turn>user\n", "乙", "<eos>"]


def test_a_refusal_of_the_template_is_the_callers_error() -> None:
    with pytest.raises(ConfigError, match="no system role") as caught:
        render(GEMMA_LIKE, [Turn("system", "甲"), Turn("user", "乙")])
    assert caught.value.setting == "messages"


def test_a_message_that_the_template_would_drop_is_an_error() -> None:
    with pytest.raises(ConfigError, match="no place for the system message"):
        render("{{ messages[-1].content }}", [Turn("system", "甲"), Turn("user", "乙")])


def test_invalid_jinja_fails_when_the_model_is_loaded() -> None:
    with pytest.raises(ModelLoadError, match="not valid"):
        JinjaChatTemplate(ChatTemplateSource("{% for %}"))


@pytest.mark.parametrize(
    "template",
    [
        "{{ messages[9].content.nothing }}",
        "{{ 1 / 0 }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append(1) }}",
    ],
)
def test_a_failing_or_prying_template_is_stopped(template: str) -> None:
    with pytest.raises(GenerationError, match="chat template failed"):
        render(template, [Turn("user", "乙")])
