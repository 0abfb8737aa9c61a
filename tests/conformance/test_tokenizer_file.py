"""A tokenizer out of a file or folder is that of the model, without its weights."""

import sys
from pathlib import Path

import pytest

from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.llms.chat_template import alpaca2_prompt
from chinese_llm_rag.llms.conversation import Turn
from chinese_llm_rag.llms.llamacpp import LlamaCppBackend
from chinese_llm_rag.llms.template_choice import default_template
from chinese_llm_rag.llms.tokenizer_file import read_tokenizer

small_models = sys.modules["small_models"]
FAMILY = Path(__file__).parents[2].parent / "shared/data/tokenizer/tokenizer.model"
TEXTS = ["图书馆九点开门", "hello  how", "</s>[INST]", "👍🏽", "e\u0301", "", "\n 12.5%"]


@pytest.fixture(scope="module")
def sentencepiece_file(vocabulary, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sp") / "tokenizer.model"
    path.write_bytes(vocabulary.processor.serialized_model_proto())
    return path


def test_a_gguf_file_a_folder_and_a_sentencepiece_file_of_one_model_give_the_same_tokens(
    random_model: Path, random_folder: Path, sentencepiece_file: Path, random_backend: LlamaCppBackend
) -> None:
    prompt = alpaca2_prompt([Turn("system", "你是助手。"), Turn("user", "几点开门？</s>")])
    for path in (random_model, random_folder, sentencepiece_file, sentencepiece_file.parent):
        tokenizer = read_tokenizer(path)
        assert list(tokenizer.begin) == [small_models.BOS], path
        for text in TEXTS:
            assert tokenizer.token_ids(text) == random_backend.token_ids(text), (path, text)
        assert tokenizer.token_ids(prompt) == random_backend.token_ids(prompt), path


def test_what_the_file_says_about_the_model_is_told(chat_file: Path, random_folder: Path) -> None:
    of_gguf = read_tokenizer(chat_file)
    assert (of_gguf.vocabulary.architecture, of_gguf.vocabulary.size) == ("llama", 900)
    assert of_gguf.chat_template is not None
    assert "bos_token" in of_gguf.chat_template.template
    assert read_tokenizer(random_folder).vocabulary == of_gguf.vocabulary


@pytest.fixture(scope="module")
def chat_file(vocabulary, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("chat") / "chat.gguf"
    template = "{{ bos_token }}{% for m in messages %}{{ m.content }}\n{% endfor %}"
    return small_models.write_gguf(path, vocabulary, small_models.random_weights(1), chat_template=template)


@pytest.mark.skipif(not FAMILY.is_file(), reason="the family's tokenizer is not beside the checkout")
def test_the_familys_tokenizer_alone_is_known_as_the_familys() -> None:
    class Backend:
        vocabulary = read_tokenizer(FAMILY).vocabulary

    assert default_template(Backend()) == "alpaca2"


@pytest.mark.parametrize("name", ["none.gguf", "notes.txt", "empty", "broken.gguf", "tokenizer.model"])
def test_what_is_no_tokenizer_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "empty":
        path.mkdir()
    elif name != "none.gguf":
        path.write_bytes(b"\nnothing of the kind")
    with pytest.raises(ModelLoadError, match=name) as caught:
        read_tokenizer(path)
    assert caught.value.hint
