"""What an embedding model's folder says about its use."""

import json
from pathlib import Path

import pytest

from chinese_llm_rag.embeddings.model_description import Prefixes, offers_dimension, prefixes_of

BGE = Prefixes("为这个句子生成表示以用于检索相关文章：", "")
E5 = Prefixes("query: ", "passage: ")
NONE = Prefixes("", "")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("intfloat/multilingual-e5-small", E5),
        ("intfloat/multilingual-e5-large", E5),
        ("e5-base-v2", E5),
        ("BAAI/bge-small-zh-v1.5", BGE),
        ("BAAI/bge-large-zh", BGE),
        ("BAAI/bge-large-zh-noinstruct", NONE),
        ("BAAI/bge-m3", NONE),
        ("shibing624/text2vec-base-chinese", NONE),
        ("thenlper/gte-large-zh", NONE),
        ("Alibaba-NLP/gte-multilingual-base", NONE),
        ("my-own-model", None),
        ("facebook/some-e5-like", None),
        ("bge-reranker-base", None),
    ],
)
def test_a_familys_prefixes_are_known_by_its_name(tmp_path, name, expected):
    assert prefixes_of(tmp_path, name) == expected
    folder = tmp_path / name.rpartition("/")[2]
    folder.mkdir()
    assert prefixes_of(folder) == expected


def test_the_instruct_model_has_an_instruction_and_no_passage_prefix(tmp_path):
    found = prefixes_of(tmp_path, "intfloat/multilingual-e5-large-instruct")
    assert found is not None
    assert found.query.startswith("Instruct: ")
    assert found.query.endswith("\nQuery: ")
    assert found.passage == ""


def write(folder: Path, *, config: object = None, card: str = "") -> Path:
    folder.mkdir(parents=True)
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    if card:
        (folder / "README.md").write_text(card, encoding="utf-8")
    return folder


def test_a_renamed_folder_is_known_by_its_config_or_its_card(tmp_path):
    by_config = write(tmp_path / "模型", config={"_name_or_path": "BAAI/bge-base-zh-v1.5/"})
    by_card = write(tmp_path / "另一个", card="---\nlicense: mit\n---\n\n# multilingual-e5-base\n\nSome words.")
    assert (prefixes_of(by_config, str(by_config)), prefixes_of(by_card, str(by_card))) == (BGE, E5)


def test_a_model_in_the_hubs_cache_is_known_by_the_caches_folder(tmp_path):
    folder = write(tmp_path / "models--BAAI--bge-small-zh-v1.5" / "snapshots" / "0123abcd")
    assert prefixes_of(folder) == BGE


@pytest.mark.parametrize("content", ["{", "[1]", "\ud800"])
def test_a_damaged_description_says_nothing(tmp_path, content):
    (tmp_path / "config.json").write_bytes(content.encode("utf-8", "surrogatepass"))
    (tmp_path / "README.md").write_bytes(b"\xff\xfe# x")
    assert prefixes_of(tmp_path, "x") is None
    assert not offers_dimension(tmp_path, 64)


def test_shorter_vectors_are_offered_by_the_config_or_the_card(tmp_path):
    by_config = write(tmp_path / "a", config={"matryoshka_dimensions": [64, 128]}, card="Matryoshka")
    by_card = write(tmp_path / "b", card="trained with MatryoshkaLoss")
    neither = write(tmp_path / "c", config={"hidden_size": 384}, card="# some model")
    assert [offers_dimension(by_config, n) for n in (64, 100, 128)] == [True, False, True]
    assert offers_dimension(by_card, 100)
    assert not offers_dimension(neither, 64)
