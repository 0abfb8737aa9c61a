"""SentenceTransformerEmbeddings over small random weights that the test makes."""

import json
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from langchain_tests.integration_tests import EmbeddingsIntegrationTests

from chinese_llm_rag.compute import compute_slot
from chinese_llm_rag.embeddings.base import FingerprintedEmbeddings
from chinese_llm_rag.embeddings.sentence_transformers import SentenceTransformerEmbeddings
from chinese_llm_rag.errors import ConfigError, ModelLoadError

CHARACTERS = "的一是不了人我在有他这中大来上个国和说们到为子问：段落苹果香蕉葡萄"
TEXTS = ["苹果", "我们在这里说香蕉和葡萄", "大国", "", "一" * 30]


def make_model(folder: Path, *, pooling: str = "cls", prompts: dict[str, str] | None = None, seed: int = 0) -> Path:
    """A folder in sentence-transformers form: two BERT layers of width 32 over single characters."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling
    from transformers import BertConfig, BertModel, BertTokenizerFast

    bert = folder.with_name(f"{folder.name}-bert")
    bert.mkdir(parents=True)
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(CHARACTERS)]
    (bert / "vocab.txt").write_text("\n".join(pieces), encoding="utf-8")
    BertTokenizerFast(vocab=str(bert / "vocab.txt")).save_pretrained(bert)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.3,  # wide, so that texts differ
    )
    BertModel(config).save_pretrained(bert)
    modules = [Transformer(str(bert), max_seq_length=32), Pooling(32, pooling)]
    SentenceTransformer(modules=modules, prompts=prompts, device="cpu").save(str(folder))
    return folder


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "模型", prompts={"query": "问：", "document": "段落："})


@pytest.fixture(scope="module")
def embeddings(model_folder: Path) -> SentenceTransformerEmbeddings:
    return SentenceTransformerEmbeddings(model_folder)


class TestStandardIntegration(EmbeddingsIntegrationTests):
    @pytest.fixture(autouse=True)
    def _folder(self, model_folder: Path) -> None:
        self.folder = model_folder

    @property
    def embeddings_class(self) -> type[SentenceTransformerEmbeddings]:
        return SentenceTransformerEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, object]:
        return {"model": self.folder}


def test_vectors_are_float32_of_unit_length_in_the_order_of_the_texts(embeddings):
    vectors = embeddings.embed_documents_array(TEXTS)
    assert (vectors.dtype, vectors.shape) == (np.float32, (5, 32))
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(5), abs=1e-5)
    assert np.array_equal(np.float32(embeddings.embed_documents(TEXTS)), vectors)
    assert embeddings.embed_documents_array([]).shape == (0, 32)


@pytest.mark.parametrize("batch_size", [1, 2, 16])
def test_a_vector_does_not_depend_on_what_else_is_in_the_call(model_folder, embeddings, batch_size):
    together = SentenceTransformerEmbeddings(model_folder, batch_size=batch_size).embed_documents_array(TEXTS)
    alone = np.concatenate([embeddings.embed_documents_array([text]) for text in TEXTS])
    assert np.allclose(together, alone, atol=1e-5)
    assert np.abs(alone[0] - alone[1]).max() > 0.05  # the texts do differ


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_vectors_are_those_of_the_library_with_the_models_prefix_and_pooling(tmp_path, pooling):
    from sentence_transformers import SentenceTransformer

    folder = make_model(tmp_path / "m", pooling=pooling, prompts={"query": "问：", "document": "段落："})
    ours = SentenceTransformerEmbeddings(folder)
    library = SentenceTransformer(str(folder), device="cpu")
    passage, query = library.encode(["段落：苹果"], normalize_embeddings=True), library.encode("问：苹果")
    assert np.allclose(ours.embed_documents_array(["苹果"]), passage, atol=1e-5)
    assert np.allclose(ours.embed_query("苹果"), query / np.linalg.norm(query), atol=1e-5)
    assert ours.fingerprint.pooling == pooling


def test_prefixes_come_from_the_models_config_unless_they_are_given(model_folder, embeddings):
    own = embeddings.fingerprint
    given = SentenceTransformerEmbeddings(model_folder, query_prefix="", passage_prefix="大")
    assert (own.query_prefix, own.passage_prefix) == ("问：", "段落：")
    assert (given.fingerprint.query_prefix, given.fingerprint.passage_prefix) == ("", "大")
    assert given.embed_documents(["苹果"]) != embeddings.embed_documents(["苹果"])
    assert given.embed_query("苹果") != embeddings.embed_query("苹果")


@pytest.mark.parametrize(
    ("prompts", "expected"),
    [(None, ("", "")), ({"query": "问", "passage": "段"}, ("问", "段")), ({"other": "大"}, ("", ""))],
)
def test_a_model_without_prompts_has_no_prefixes(tmp_path, prompts, expected):
    fingerprint = SentenceTransformerEmbeddings(make_model(tmp_path / "m", prompts=prompts)).fingerprint
    assert (fingerprint.query_prefix, fingerprint.passage_prefix) == expected


def test_the_fingerprint_depends_on_the_weights_and_not_on_the_folders_name(tmp_path, model_folder, embeddings):
    copy = shutil.copytree(model_folder, tmp_path / "elsewhere")
    other = make_model(tmp_path / "other", prompts={"query": "问：", "document": "段落："}, seed=1)
    assert isinstance(embeddings, FingerprintedEmbeddings)
    assert embeddings.fingerprint.dimension == 32
    assert SentenceTransformerEmbeddings(copy).fingerprint == embeddings.fingerprint
    assert SentenceTransformerEmbeddings(other).fingerprint.model != embeddings.fingerprint.model


def test_tokens_are_counted_with_prefix_and_ends_and_before_the_text_is_cut(embeddings):
    assert embeddings.max_tokens == 32
    assert embeddings.count_tokens("苹果") == 1 + 3 + 2 + 1  # [CLS] 段落： 苹果 [SEP]
    assert embeddings.count_tokens("一" * 100) == 105


@pytest.mark.parametrize("character", ["\0", "\ud800"])
def test_a_character_no_tokenizer_takes_does_not_stop_the_text(embeddings, character):
    broken, cut = embeddings.embed_documents_array([f"苹果{character}香蕉葡萄", "苹果"])
    assert np.abs(broken - cut).max() > 0.05


def test_nothing_is_computed_while_another_part_has_the_compute_slot(embeddings):
    thread = threading.Thread(target=embeddings.embed_query, args=("苹果",))
    with compute_slot():
        thread.start()
        thread.join(timeout=0.3)
        assert thread.is_alive()
    thread.join()


def test_torch_gets_the_threads_it_was_given(model_folder):
    before = torch.get_num_threads()
    try:
        SentenceTransformerEmbeddings(model_folder, n_threads=1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


# --- models that are not there, or not whole ------------------------------------------------------


@pytest.mark.parametrize("model", ["someone/some-model", "plain-name", "a/b/c", "./nowhere", Path("nowhere")])
def test_a_model_that_is_not_here_is_an_error_and_is_not_fetched(model):
    with pytest.raises(ModelLoadError, match="neither a folder nor in the local cache") as error:
        SentenceTransformerEmbeddings(model)
    assert error.value.hint
    assert os.environ["HF_HUB_OFFLINE"] == "1"


def test_a_name_in_the_local_cache_is_found_there(tmp_path, model_folder, embeddings, monkeypatch):
    from huggingface_hub import constants

    cache = tmp_path / "hub"
    snapshot = cache / "models--someone--some-model" / "snapshots" / "0123abcd"
    shutil.copytree(model_folder, snapshot)
    refs = cache / "models--someone--some-model" / "refs"
    refs.mkdir()
    (refs / "main").write_text("0123abcd")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    assert SentenceTransformerEmbeddings("someone/some-model").fingerprint == embeddings.fingerprint


def test_a_folder_that_does_not_say_its_pooling_is_refused(model_folder):
    with pytest.raises(ModelLoadError, match=r"no modules\.json"):
        SentenceTransformerEmbeddings(model_folder.with_name(f"{model_folder.name}-bert"))


@pytest.mark.parametrize("damage", ["no weights", "cut weights", "no config", "broken config", "no tokenizer"])
def test_a_damaged_model_is_a_model_load_error_that_names_the_folder(tmp_path, model_folder, damage):
    folder = shutil.copytree(model_folder, tmp_path / "damaged")
    weights = folder / "model.safetensors"
    if damage == "no weights":
        weights.unlink()
    elif damage == "cut weights":
        weights.write_bytes(weights.read_bytes()[:2000])
    elif damage == "no config":
        (folder / "config.json").unlink()
    elif damage == "broken config":
        (folder / "config.json").write_text("{")
    else:
        (folder / "tokenizer.json").unlink()
        (folder / "tokenizer_config.json").unlink()
    with pytest.raises(ModelLoadError, match="damaged") as error:
        SentenceTransformerEmbeddings(folder)
    assert error.value.hint


def test_a_model_with_code_of_its_own_is_refused(tmp_path, model_folder):
    folder = shutil.copytree(model_folder, tmp_path / "damaged")
    modules = json.loads((folder / "modules.json").read_text())
    modules[0]["type"] = "own_code.Own"
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "own_code.py").write_text("raise SystemExit('this code must not run')")
    with pytest.raises(ModelLoadError):
        SentenceTransformerEmbeddings(folder)


def test_a_batch_size_below_one_is_refused_before_anything_is_loaded():
    with pytest.raises(ConfigError, match="batch_size=0"):
        SentenceTransformerEmbeddings("nowhere", batch_size=0)


# --- shorter vectors ------------------------------------------------------------------------------


def offering(folder: Path, model_folder: Path, dimensions: list[int]) -> Path:
    shutil.copytree(model_folder, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "matryoshka_dimensions": dimensions}))
    return folder


def test_shorter_vectors_are_the_beginnings_of_the_long_ones_at_unit_length(tmp_path, model_folder, embeddings):
    shorter = SentenceTransformerEmbeddings(offering(tmp_path / "m", model_folder, [8, 16]), dimension=8)
    whole, short = embeddings.embed_documents_array(TEXTS), shorter.embed_documents_array(TEXTS)
    assert short.shape == (5, 8)
    assert np.allclose(short, whole[:, :8] / np.linalg.norm(whole[:, :8], axis=1, keepdims=True), atol=1e-5)
    assert len(shorter.embed_query("苹果")) == 8
    assert shorter.fingerprint.dimension == 8
    assert shorter.fingerprint != embeddings.fingerprint
    assert (embeddings.setup.keys(), shorter.setup["embedding_dimension"]) == ({"embeddings", "embedding_model"}, "8")


@pytest.mark.parametrize("dimension", [0, 12, 32, 64])
def test_a_dimension_that_the_model_does_not_offer_is_refused(tmp_path, model_folder, dimension):
    folder = offering(tmp_path / "m", model_folder, [8, 16])
    with pytest.raises(ConfigError, match=f"dimension={dimension}"):
        SentenceTransformerEmbeddings(folder, dimension=dimension)


def test_the_prefixes_of_a_known_family_are_used_where_the_config_has_none(tmp_path):
    folder = make_model(tmp_path / "bge-small-zh-v1.5")
    embeddings = SentenceTransformerEmbeddings(folder)
    plain = SentenceTransformerEmbeddings(folder, query_prefix="")
    prefix = embeddings.fingerprint.query_prefix
    assert prefix == "为这个句子生成表示以用于检索相关文章："
    assert embeddings.fingerprint.passage_prefix == ""
    assert np.allclose(embeddings.embed_query("苹果"), plain.embed_query(prefix + "苹果"), atol=1e-6)
