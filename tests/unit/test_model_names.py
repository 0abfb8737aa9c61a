"""Which model of the family a name means: the right one, or none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chinese_llm_rag.models import FAMILY, identify

RIGHT = {
    "chinese-alpaca-2-7b-16k": "chinese-alpaca-2-7b-16k",
    "Chinese-Alpaca-2-7B-16K": "chinese-alpaca-2-7b-16k",
    "Chinese Alpaca 2 7B 64K": "chinese-alpaca-2-7b-64k",
    "chinese-alpaca-2-7b-64k-q4_k.gguf": "chinese-alpaca-2-7b-64k",
    "chinese-alpaca-2-7b.Q4_K_M.gguf": "chinese-alpaca-2-7b",
    "chinese_alpaca_2_1.3b_q8_0.gguf": "chinese-alpaca-2-1.3b",
    "chinese-llama2-13b-f16.gguf": "chinese-llama-2-13b",
    "chinese-alpaca-2-1.3b-rlhf-iq2_xxs.gguf": "chinese-alpaca-2-1.3b-rlhf",
    "hfl/chinese-llama-2-13b-16k": "chinese-llama-2-13b-16k",
    "ChineseAlpacaGroup/chinese-alpaca-2-13b": "chinese-alpaca-2-13b",
    "/home/模型/chinese-alpaca-2-7b-16k-gguf/ggml-model-q4_k-im.gguf": "chinese-alpaca-2-7b-16k",
    "C:\\models\\chinese-alpaca-2-7b-64k\\pytorch_model-00001-of-00002.bin": "chinese-alpaca-2-7b-64k",
    "models--hfl--chinese-alpaca-2-7b/snapshots/0a1b2c": "chinese-alpaca-2-7b",
    "chinese-alpaca-2-7b/chinese-alpaca-2-7b-16k.gguf": "chinese-alpaca-2-7b-16k",
    "chinese-alpaca-2-7b-64k-00001-of-00003.gguf": "chinese-alpaca-2-7b-64k",
    "merged_chinese-alpaca-2-7b-hf": "chinese-alpaca-2-7b",
    "chinese-alpaca-2-7b-awq-w4-g128": "chinese-alpaca-2-7b",
}
NONE = [
    "",
    "LLaMA v2",
    "llama-2-7b-16k",
    "chinese-alpaca-2",
    "chinese-alpaca-7b",
    "chinese-alpaca-2-33b",
    "chinese-alpaca-2-70b-16k",
    "chinese-alpaca-2-7b-32k",
    "chinese-alpaca-2-7b-16k-64k",
    "chinese-alpaca-2-13b-64k",
    "chinese-llama-2-7b-rlhf",
    "chinese-alpaca-2-7b-medical",
    "chinese-alpaca-2-lora-7b",
    "chinese-alpaca-2-7b-lora",
    "chinese-alpaca-2-7b/adapter_model.safetensors",
    "chinese-alpaca-2-7b/qwen2-7b.gguf",
    "chinese-alpaca-2-7b/llama-2-13b.gguf",
    "chinese-alpaca-pro-7b",
    "llama-3-chinese-8b-instruct",
    "visual-chinese-alpaca-27b",
    "chinese-alpaca-27b",
    "chinese-alpaca-2-7bit",
]


@pytest.mark.parametrize(("text", "name"), RIGHT.items())
def test_names_as_people_and_tools_write_them_are_recognized(text, name):
    model = identify(text)
    assert model is not None
    assert model.name == name


@pytest.mark.parametrize("text", NONE)
def test_what_is_not_certainly_of_the_family_is_none(text):
    assert identify(text) is None


@given(st.sampled_from(FAMILY), st.sampled_from("-_. "), st.booleans(), st.sampled_from(["", "-gguf", ".Q5_K_M.gguf"]))
def test_no_spelling_of_a_name_means_another_model(model, separator, upper, tail):
    size, *variant = model.name.removeprefix("chinese-").split("-2-")[1].split("-")
    stem = model.name.split("-2-")[0]
    text = separator.join([*stem.split("-"), "2", size, *variant]) + tail
    found = identify(text.upper() if upper else text)
    assert found is model


@given(st.sampled_from(FAMILY), st.text(alphabet="abcdefgh0123456789-", min_size=1, max_size=8))
def test_further_words_never_turn_one_model_into_another(model, words):
    found = identify(f"{model.name}-{words}")
    assert found is None or found.name.startswith(model.name)
