"""The doctor is right about made-up Hugging Face folders, whole and damaged."""

import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from chinese_llm_rag.doctor import inspect_model
from chinese_llm_rag.errors import ModelLoadError

GIB = 1 << 30
MIB = 1 << 20
PLENTY = 64 * GIB


def hf_folder(path: Path, config: Mapping[str, Any], *, dtype: str = "F16", item_bytes: int = 2) -> Path:
    """A model folder with one safetensors file whose data is a hole: one tensor of 1024 by 1024."""
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps(config))
    n_bytes = 1024 * 1024 * item_bytes
    header = json.dumps({"w": {"dtype": dtype, "shape": [1024, 1024], "data_offsets": [0, n_bytes]}}).encode()
    file = path / "model.safetensors"
    file.write_bytes(struct.pack("<Q", len(header)) + header)
    with file.open("r+b") as opened:
        opened.truncate(8 + len(header) + n_bytes)
    return path


SEVEN_B = {
    "model_type": "llama",
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "intermediate_size": 11_008,
    "vocab_size": 55_296,
    "max_position_embeddings": 4096,
}


def test_an_old_configuration(tmp_path: Path) -> None:
    config = SEVEN_B | {
        "max_position_embeddings": 16_384,
        "rope_scaling": {"type": "linear", "factor": 4.0},
        "torch_dtype": "float16",
        "auto_map": {"AutoModelForCausalLM": "modeling.X"},
    }
    report = inspect_model(hf_folder(tmp_path / "chinese-llama-2-7b-16k", config), memory_bytes=PLENTY)
    assert (report.format, report.family_model, report.quantization) == (
        "huggingface",
        "chinese-llama-2-7b-16k",
        "F16",
    )
    assert report.rope == "linear x4 over 4096"
    assert (report.weight_bytes, report.kv_bytes) == (2 * MIB, 8 * GIB)
    assert report.problems == report.notes == ()


def test_a_new_configuration(tmp_path: Path) -> None:
    rope = {"rope_type": "yarn", "rope_theta": 1e4, "factor": 16.0, "original_max_position_embeddings": 4096}
    config = SEVEN_B | {"max_position_embeddings": 65_536, "rope_parameters": rope, "dtype": "bfloat16"}
    report = inspect_model(hf_folder(tmp_path / "chinese-alpaca-2-7b-64k", config, dtype="BF16"), memory_bytes=PLENTY)
    assert (report.quantization, report.rope, report.context_window) == ("BF16", "yarn x16 over 4096", 65_536)
    assert report.problems == ()


def test_a_folder_in_float32_keeps_twice_as_much(tmp_path: Path) -> None:
    folder = hf_folder(tmp_path / "chinese-alpaca-2-7b", SEVEN_B, dtype="F32", item_bytes=4)
    report = inspect_model(folder, memory_bytes=PLENTY)
    assert (report.weight_bytes, report.kv_bytes) == (4 * MIB, 4 * GIB)
    assert "float32" in report.notes[0]


def test_an_awq_folder(tmp_path: Path) -> None:
    config = SEVEN_B | {"quantization_config": {"quant_method": "awq", "bits": 4}}
    report = inspect_model(hf_folder(tmp_path / "chinese-alpaca-2-7b-awq", config, dtype="I32", item_bytes=4))
    assert report.quantization == "I32 (awq)"
    assert report.family_model == "chinese-alpaca-2-7b"


def lora(path: Path, base: str) -> Path:
    path.mkdir()
    settings = {"base_model_name_or_path": base, "r": 64, "modules_to_save": ["embed_tokens", "lm_head"]}
    (path / "adapter_config.json").write_text(json.dumps(settings))
    (path / "adapter_model.bin").write_bytes(bytes(1000))
    return path


def test_a_lora_folder_is_its_base_and_itself(tmp_path: Path) -> None:
    config = SEVEN_B | {"vocab_size": 32_000}
    base = hf_folder(tmp_path / "Llama-2-7b-hf", config)
    package = lora(tmp_path / "chinese-alpaca-2-lora-7b-16k", "meta-llama/Llama-2-7b-hf")  # beside it
    report = inspect_model(package, memory_bytes=PLENTY)
    assert (report.format, report.family_model) == ("lora", "chinese-alpaca-2-7b-16k")
    assert report.weight_bytes == 2 * MIB + 1000
    assert (report.vocabulary_size, report.rope, report.context_window) == (55_296, "linear x4 over 4096", 16_384)
    assert "LoRA of rank 64" in report.notes[0]
    assert inspect_model(base, memory_bytes=PLENTY).of_family is False


def test_a_lora_folder_without_its_base_says_which_it_needs(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="needs its base 'meta-llama/Llama-2-7b-hf'") as caught:
        inspect_model(lora(tmp_path / "chinese-alpaca-2-lora-7b", "meta-llama/Llama-2-7b-hf"))
    assert "put it beside the package" in str(caught.value.hint)


def _nothing(folder: Path) -> None:
    (folder / "config.json").unlink()


def _no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def _missing_shard(folder: Path) -> None:
    shards = {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}
    (folder / "model.safetensors").rename(folder / "model-1-of-2.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))


def _cut_weights(folder: Path) -> None:
    file = folder / "model.safetensors"
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size - 1)


def _foreign_weights(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"version https://git-lfs")


def _broken_json(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def _list_json(folder: Path) -> None:
    (folder / "config.json").write_text("[]")


def _no_sizes(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps(SEVEN_B | {"num_hidden_layers": "many"}))


@pytest.mark.parametrize(
    ("damage", "shown"),
    [
        (_nothing, r"has no config\.json"),
        (_no_weights, "has no weight files"),
        (_missing_shard, r"lacks 1 of 2 weight files: model-2-of-2\.safetensors"),
        (_cut_weights, "is incomplete"),
        (_foreign_weights, "is not a safetensors file"),
        (_broken_json, "cannot be read as JSON"),
        (_list_json, "content is 'list'"),
        (_no_sizes, "num_hidden_layers is 'many'"),
    ],
)
def test_a_damaged_folder_is_refused_with_its_fault(damage: Callable[[Path], None], shown: str, tmp_path: Path) -> None:
    folder = hf_folder(tmp_path / "model", SEVEN_B)
    damage(folder)
    with pytest.raises(ModelLoadError, match=shown) as caught:
        inspect_model(folder)
    assert caught.value.hint
