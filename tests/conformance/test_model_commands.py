"""`models merge`, `convert`, `quantize` and `check`, and `doctor`, one after another as a user runs them."""

import json
import re
import sys
from pathlib import Path

import peft
import pytest
import torch
import transformers

from chinese_llm_rag import cli
from chinese_llm_rag.llms.backend import GenerationParams
from chinese_llm_rag.llms.llamacpp import LlamaCppBackend

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


@pytest.fixture
def clrag(monkeypatch, capsys):
    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["clrag", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture(scope="module")
def sources(vocabulary, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base and a LoRA package for it."""
    folder = tmp_path_factory.mktemp("sources")
    config = transformers.LlamaConfig(
        vocab_size=len(vocabulary.pieces),
        hidden_size=256,
        intermediate_size=256,
        num_hidden_layers=1,
        num_attention_heads=4,
        max_position_embeddings=512,
    )
    model = transformers.LlamaForCausalLM(config)
    model.save_pretrained(folder / "base")
    adapted = peft.get_peft_model(model, peft.LoraConfig(r=2, lora_alpha=4, target_modules=["q_proj", "v_proj"]))
    adapted.save_pretrained(folder / "lora")
    (folder / "lora" / "tokenizer.model").write_bytes(vocabulary.processor.serialized_model_proto())
    return folder


def test_a_package_becomes_a_small_file_that_answers(clrag, vocabulary, sources, tmp_path):
    merged, whole, small = tmp_path / "合并", tmp_path / "whole.gguf", tmp_path / "small.gguf"
    arguments = ("--base", sources / "base", "--lora", sources / "lora", "--out", merged)
    assert clrag("models", "merge", *arguments) == (0, f"{merged}\n", "")
    assert clrag("models", "convert", merged, "--out", whole) == (0, f"{whole}\n", "")
    status, out, _ = clrag("models", "quantize", whole, small, "--type", "Q4_K", "--json")
    report = json.loads(out)
    assert (status, report["file"], report["type"]) == (0, str(small), "Q4_K_M")
    backend = LlamaCppBackend(small)
    try:
        text = "鑫图书馆几点开门"
        assert backend.count_tokens(text) == len(vocabulary.processor.encode(text))
        chunks = list(backend.generate(text, GenerationParams(max_tokens=3, temperature=0.0)))
        assert chunks[-1].finish_reason in ("stop", "length")
    finally:
        backend.close()


def test_check_says_what_a_file_is_and_ends_with_1_where_it_cannot_run(clrag, sources, tmp_path):
    merged = tmp_path / "merged"
    clrag("models", "merge", "--base", sources / "base", "--lora", sources / "lora", "--out", merged)
    clrag("models", "convert", merged, "--out", tmp_path / "a.gguf")
    status, out, _ = clrag("models", "check", tmp_path / "a.gguf")
    assert status == 0
    assert re.search(r"^trained window: 512$", out, re.MULTILINE)
    assert re.search(r"^fits: yes$", out, re.MULTILINE)
    report = json.loads(clrag("models", "check", tmp_path / "a.gguf", "--kv-type", "q8_0", "--json")[1])
    assert (report["kv_type"], report["layers"], report["problems"]) == ("q8_0", 1, [])
    (tmp_path / "cut.gguf").write_bytes((tmp_path / "a.gguf").read_bytes()[:-1000])
    status, out, _ = clrag("models", "check", tmp_path / "cut.gguf")
    assert status == 1
    assert "problem: " in out


def test_doctor_shows_the_machine_and_a_model(clrag, sources):
    status, out, _ = clrag("doctor")
    assert status == 0
    assert re.search(r"^cores: \d+$", out, re.MULTILINE)
    assert f"torch: {torch.__version__}" in out
    report = json.loads(clrag("doctor", sources / "base", "--json")[1])
    assert report["machine"]["cores"] >= 1
    assert report["model"]["architecture"] == "llama"
    assert "trained window: 512" in clrag("doctor", sources / "base")[1]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("models", "check", "x.gguf", "--kv-type", "q3"), 2, "kv_type='q3'"),
        (("models", "check", "没有.gguf"), 1, "没有.gguf"),
        (("models", "convert", "x", "--out", "y.gguf", "--dtype", "f8"), 2, "dtype='f8'"),
        (("models", "convert", "没有", "--out", "y.gguf"), 1, "没有"),
        (("models", "quantize", "x.gguf", "y.gguf", "--type", "Q9"), 2, "type='Q9'"),
        (("models", "merge", "--base", "没有", "--lora", "x", "--out", "y"), 1, "没有"),
        (("models", "merge", "--base", "x", "--out", "y"), 2, "--lora"),
    ],
)
def test_what_cannot_work_names_the_flag_or_the_file(clrag, tmp_path, monkeypatch, arguments, status, message):
    monkeypatch.chdir(tmp_path)
    found, _, err = clrag(*arguments)
    assert found == status
    assert message in err
    assert list(tmp_path.iterdir()) in ([], [tmp_path / "home"])
