"""The stand-ins that ship keep the contracts of what they stand in for."""

import ast
import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import chinese_llm_rag
from chinese_llm_rag.embeddings.base import FingerprintedEmbeddings
from chinese_llm_rag.errors import GenerationError
from chinese_llm_rag.llms.backend import Control, GenerationParams
from chinese_llm_rag.testing import HashEmbeddings, ScriptedBackend


def test_replies_come_in_order_and_the_history_keeps_prompts_and_parameters() -> None:
    backend = ScriptedBackend(["一", "二"])
    params = GenerationParams(seed=1)
    texts = ["".join(p.text for p in backend.generate(q, params)) for q in ("甲", ["乙", Control("</s>")])]
    assert texts == ["一", "二"]
    assert backend.history == [("甲", params), (["乙", Control("</s>")], params)]
    with pytest.raises(GenerationError, match="no reply left"):
        list(backend.generate("丙", params))


def test_a_reply_can_be_an_error() -> None:
    with pytest.raises(GenerationError, match="broken"):
        list(ScriptedBackend([GenerationError("broken")]).generate("甲", GenerationParams()))


@given(st.text(max_size=40))
def test_vectors_have_unit_length_and_depend_on_the_text_alone(text: str) -> None:
    vector = HashEmbeddings(32).embed_query(text)
    assert len(vector) == 32
    assert math.isclose(sum(x * x for x in vector), 1.0, rel_tol=1e-9)
    assert HashEmbeddings(32).embed_documents([text, "别的"])[0] == vector


def test_texts_with_much_in_common_are_nearer() -> None:
    embed = HashEmbeddings(256).embed_query
    query = embed("图书馆几点开门")
    near, far = embed("图书馆九点开门。"), embed("火车每天经过两次。")
    assert sum(map(float.__mul__, query, near)) > 2 * sum(map(float.__mul__, query, far))


def test_vectors_are_the_same_in_another_process() -> None:
    code = "from chinese_llm_rag.testing import HashEmbeddings; print(HashEmbeddings(8).embed_query('图书馆'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(HashEmbeddings(8).embed_query("图书馆"))


def test_the_fingerprint_tells_embeddings_apart() -> None:
    assert isinstance(HashEmbeddings(), FingerprintedEmbeddings)
    fingerprints = {HashEmbeddings(d, max_ngram=n).fingerprint for d in (8, 16) for n in (1, 2)}
    assert len(fingerprints) == 4


def test_nothing_in_production_uses_them() -> None:
    package = Path(chinese_llm_rag.__file__).parent
    for path in package.rglob("*.py"):
        imports = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ImportFrom)]
        assert not any(node.module == "chinese_llm_rag.testing" for node in imports), path
