"""The doctor is right about made-up files: header-only GGUF files over sparse data, and folders without weights."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import pytest

from chinese_llm_rag.doctor import inspect_machine, inspect_model
from chinese_llm_rag.errors import ConfigError, ModelLoadError
from chinese_llm_rag.llms.rope import RopeSpec

GIB = 1 << 30
MIB = 1 << 20
PLENTY = 64 * GIB
# Of the 7B: f16 [width, vocabulary] and one more of the same: 2 · 4096 · 55296 · 2 bytes
SEVEN_B_WEIGHTS = 905_969_664


def sparse_gguf(
    path: Path,
    arch: str = "llama",
    *,
    name: str | None = None,
    window: int = 4096,
    layers: int = 32,
    heads: int = 32,
    kv_heads: int | None = None,
    width: int = 4096,
    vocabulary: int = 55_296,
    scaling: Mapping[str, Any] | None = None,
    numbers: Mapping[str, int | float] | None = None,
    parts: int = 1,
) -> Path:
    """A GGUF file of a real model's sizes whose data is a hole in the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, arch)
    if name is not None:
        writer.add_name(name)
    writer.add_context_length(window)
    writer.add_block_count(layers)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(11_008)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads or heads)
    writer.add_vocab_size(vocabulary)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    if parts > 1:
        writer.add_uint16("split.count", parts)
    for key, value in (numbers or {}).items():
        add = writer.add_float32 if isinstance(value, float) else writer.add_uint32
        add(f"{arch}.{key}", value)
    for key, value in (scaling or {}).items():
        add = {str: writer.add_string, float: writer.add_float32, int: writer.add_uint32}[type(value)]
        add(f"{arch}.rope.scaling.{key}", value)
    n_bytes = width * vocabulary * 2
    for tensor in ("token_embd.weight", "output.weight"):
        writer.add_tensor_info(tensor, [vocabulary, width], "float16", n_bytes, gguf.GGMLQuantizationType.F16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    start = -(-path.stat().st_size // 32) * 32
    with path.open("r+b") as file:
        file.truncate(start + 2 * n_bytes)
    return path


LINEAR_4 = {"type": "linear", "factor": 4.0}
YARN_16 = {"type": "yarn", "factor": 16.0, "original_context_length": 4096}


def test_a_right_4k_model(tmp_path: Path) -> None:
    report = inspect_model(sparse_gguf(tmp_path / "chinese-alpaca-2-7b-f16.gguf"), memory_bytes=PLENTY)
    assert (report.format, report.architecture, report.quantization) == ("gguf", "llama", "F16")
    assert (report.family_model, report.of_family) == ("chinese-alpaca-2-7b", True)
    assert (report.layers, report.heads, report.kv_heads, report.width) == (32, 32, 32, 4096)
    assert (report.trained_window, report.most_window, report.context_window) == (4096, 18_432, 4096)
    assert (report.rope_in_file, report.rope) == ("none", "none")
    assert report.weight_bytes == SEVEN_B_WEIGHTS
    assert report.kv_bytes == 2 * GIB  # 0.5 MiB a token
    assert report.fits is True
    assert report.fitting_window == 18_432
    assert report.problems == ()


def test_a_right_16k_model(tmp_path: Path) -> None:
    file = sparse_gguf(tmp_path / "chinese-alpaca-2-7b-16k" / "m.gguf", window=16_384, scaling=LINEAR_4)
    report = inspect_model(file, memory_bytes=PLENTY)
    assert report.family_model == "chinese-alpaca-2-7b-16k"
    assert report.rope_in_file == report.rope == "linear x4 over 4096"
    assert (report.trained_window, report.most_window) == (16_384, 32_768)
    assert report.kv_bytes == 8 * GIB
    assert report.problems == report.notes == ()


def test_a_wrong_factor_is_shown_beside_the_right_one(tmp_path: Path) -> None:
    file = sparse_gguf(
        tmp_path / "chinese-alpaca-2-7b-16k.gguf", window=16_384, scaling={"type": "linear", "factor": 8.0}
    )
    (problem,) = inspect_model(file, memory_bytes=PLENTY).problems
    assert "the file says linear x8 over 4096, the family's model of this name has linear x4 over 4096" in problem


def test_a_16k_model_without_metadata_is_known_by_its_name(tmp_path: Path) -> None:
    file = sparse_gguf(tmp_path / "m.gguf", name="Chinese Alpaca 2 7B 16K", window=4096)
    report = inspect_model(file, memory_bytes=PLENTY)
    assert (report.rope_in_file, report.rope) == ("none", "linear x4 over 4096")
    assert report.context_window == 16_384
    assert report.problems == ()
    (note,) = report.notes
    assert "by its name the model needs linear x4 over 4096" in note


def test_without_metadata_and_name_the_window_tells(tmp_path: Path) -> None:
    report = inspect_model(sparse_gguf(tmp_path / "m.gguf", window=65_536), memory_bytes=PLENTY)
    assert (report.family_model, report.of_family) == (None, True)
    assert report.rope == "yarn x16 over 4096"
    assert "by its vocabulary and window the model needs yarn x16" in report.notes[0]


def test_without_metadata_name_and_window_the_report_says_what_cannot_be_known(tmp_path: Path) -> None:
    report = inspect_model(sparse_gguf(tmp_path / "m.gguf"), memory_bytes=PLENTY)
    assert (report.of_family, report.rope, report.trained_window) == (True, "none", 4096)
    assert "if it is a 16K or 64K one, name the file so or give its rope" in report.notes[0]


def test_a_64k_model_with_yarn(tmp_path: Path) -> None:
    file = sparse_gguf(tmp_path / "chinese-alpaca-2-7b-64k.gguf", window=65_536, scaling=YARN_16)
    report = inspect_model(file, memory_bytes=PLENTY)
    assert report.rope_in_file == report.rope == "yarn x16 over 4096"
    assert report.kv_bytes == 32 * GIB
    assert report.problems == ()


def test_a_64k_model_without_yarn_gets_it(tmp_path: Path) -> None:
    file = sparse_gguf(tmp_path / "chinese-alpaca-2-7b-64k.gguf", window=65_536)
    report = inspect_model(file, memory_bytes=PLENTY)
    assert (report.rope_in_file, report.rope) == ("none over 65536", "yarn x16 over 4096")
    assert "other programs have to be told" in report.notes[0]


def test_a_window_that_ntk_reaches_is_adaptive_and_one_above_is_a_problem(tmp_path: Path) -> None:
    file = sparse_gguf(tmp_path / "chinese-alpaca-2-7b.gguf")
    reached = inspect_model(file, context_window=18_432, memory_bytes=PLENTY)
    assert reached.rope == "adaptive_ntk coefficient 1"
    assert (reached.kv_bytes, reached.problems) == (9 * GIB, ())
    (problem,) = inspect_model(file, context_window=20_000, memory_bytes=PLENTY).problems
    assert "context_window=20000: this model can take 18432 tokens at most" in problem


def test_a_window_above_another_models_is_a_problem(tmp_path: Path) -> None:
    file = sparse_gguf(tmp_path / "other.gguf", vocabulary=32_000)
    report = inspect_model(file, context_window=4352, memory_bytes=PLENTY)
    assert report.of_family is False
    assert "can take 4096 tokens at most" in report.problems[0]


def test_a_rope_that_contradicts_the_file_is_a_problem(tmp_path: Path) -> None:
    file = sparse_gguf(tmp_path / "chinese-alpaca-2-7b-16k.gguf", window=16_384, scaling=LINEAR_4)
    report = inspect_model(file, rope=RopeSpec("yarn", 16.0), memory_bytes=PLENTY)
    assert "asked for yarn x16 over 4096, but the file says linear x4 over 4096" in report.problems[0]


@pytest.mark.parametrize(
    ("kv_type", "n_bytes"), [("f16", 8 * GIB), ("q8_0", 8 * GIB * 34 // 64), ("q4_0", 8 * GIB * 18 // 64)]
)
def test_a_quantized_kv_cache(kv_type: Any, n_bytes: int, tmp_path: Path) -> None:
    file = sparse_gguf(tmp_path / "chinese-alpaca-2-7b-16k.gguf", window=16_384, scaling=LINEAR_4)
    report = inspect_model(file, kv_type=kv_type, memory_bytes=PLENTY)
    assert report.kv_bytes == n_bytes
    assert any("flash attention" in note for note in report.notes) == (kv_type != "f16")


def test_too_little_memory_names_what_fits(tmp_path: Path) -> None:
    file = sparse_gguf(tmp_path / "chinese-alpaca-2-7b-16k.gguf", window=16_384, scaling=LINEAR_4)
    report = inspect_model(file, memory_bytes=6 * GIB)
    # 864 MiB weights, buffers 64 + 124 MiB (logits): 5092 MiB are left, 10184 tokens, 39 · 256
    assert (report.fits, report.fitting_window) == (False, 9984)
    assert "the largest window that fits is 9984, or kv_type='q8_0' at this one" in report.problems[0]
    assert report.needed_bytes == SEVEN_B_WEIGHTS + 8 * GIB + report.buffer_bytes


def test_layers_on_a_gpu_are_not_counted(tmp_path: Path) -> None:
    file = sparse_gguf(tmp_path / "chinese-alpaca-2-7b.gguf")
    report = inspect_model(file, n_gpu_layers=-1, memory_bytes=GIB)
    assert (report.weight_bytes, report.kv_bytes, report.fits) == (0, 0, True)


def test_gemma_with_sliding_layers(tmp_path: Path) -> None:
    file = sparse_gguf(
        tmp_path / "gemma.gguf",
        "gemma3",
        window=32_768,
        layers=18,
        heads=4,
        kv_heads=1,
        width=640,
        vocabulary=262_144,
        numbers={
            "attention.key_length": 256,
            "attention.value_length": 256,
            "attention.sliding_window": 512,
            "rope.freq_base": 1e6,
        },
    )
    report = inspect_model(file, context_window=4096, memory_bytes=PLENTY)
    assert (report.architecture, report.of_family, report.rope) == ("gemma3", False, "none over 32768 base 1e+06")
    assert report.kv_bytes == 72 * MIB  # everything kept: 18 layers · 4096 · 1 KiB
    # every sixth layer is full: 3 · 4 MiB + 15 · (512 + 512) KiB = 27 MiB
    assert "15 of 18 layers look back 512 tokens only" in report.notes[0]
    assert "0.03 GiB" in report.notes[0]


def test_qwen_with_grouped_heads(tmp_path: Path) -> None:
    file = sparse_gguf(
        tmp_path / "qwen2.gguf",
        "qwen2",
        window=32_768,
        layers=28,
        heads=28,
        kv_heads=4,
        width=3584,
        vocabulary=152_064,
        numbers={"rope.freq_base": 1e6},
    )
    report = inspect_model(file, memory_bytes=PLENTY)
    assert (report.heads, report.kv_heads) == (28, 4)
    assert report.kv_bytes == 1.75 * GIB  # 28 · 2 · 4 · 128 · 2 = 57344 bytes a token
    assert report.most_window == 32_768


def test_a_file_with_its_weights_cut_off(tmp_path: Path) -> None:
    file = sparse_gguf(tmp_path / "chinese-alpaca-2-7b.gguf")
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size - 1_000_000)
    report = inspect_model(file, memory_bytes=PLENTY)
    assert "chinese-alpaca-2-7b.gguf is incomplete: 1000000 of" in report.problems[0]
    assert report.weight_bytes == SEVEN_B_WEIGHTS


def test_a_split_model_is_counted_whole_and_a_missing_part_is_named(tmp_path: Path) -> None:
    first, second = (sparse_gguf(tmp_path / f"m-0000{n}-of-00002.gguf", parts=2) for n in (1, 2))
    assert inspect_model(first, memory_bytes=PLENTY).weight_bytes == 2 * SEVEN_B_WEIGHTS
    with pytest.raises(ModelLoadError, match=r"is one of 2 parts, expected a name ending in '-00001-of-00002\.gguf'"):
        inspect_model(second)
    second.unlink()
    with pytest.raises(ModelLoadError, match=r"no model file at .*m-00002-of-00002\.gguf"):
        inspect_model(first)


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (b"PK\x03\x04 not a model", "is not a GGUF file"),
        (b"", "is not a GGUF file"),
        (b"GGUF\x03\0\0\0", "ends within"),
    ],
)
def test_a_foreign_file_is_refused(content: bytes, shown: str, tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(content)
    with pytest.raises(ModelLoadError, match=shown):
        inspect_model(file)


def test_a_gguf_that_is_no_language_model_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "adapter.gguf"
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_type("adapter")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    with pytest.raises(ModelLoadError, match=r"llama\.embedding_length is None"):
        inspect_model(file)


def test_arguments_that_no_model_has_are_refused(tmp_path: Path) -> None:
    file = sparse_gguf(tmp_path / "m.gguf")
    with pytest.raises(ConfigError, match="context_window=0"):
        inspect_model(file, context_window=0)
    with pytest.raises(ConfigError, match="kv_type='q5_1'"):
        inspect_model(file, kv_type="q5_1")  # type: ignore[arg-type]
    with pytest.raises(ModelLoadError, match="no model file"):
        inspect_model(tmp_path / "nothing.gguf")


def test_a_report_is_json_and_speaks_the_users_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = sparse_gguf(tmp_path / "m.gguf", name="chinese-alpaca-2-7b-16k")
    monkeypatch.setenv("CHINESE_LLM_RAG_LANGUAGE", "zh")
    report = json.loads(json.dumps(inspect_model(file, memory_bytes=PLENTY).to_dict()))
    assert report["rope"] == "linear x4 over 4096"
    assert report["needed_bytes"] == report["weight_bytes"] + report["kv_bytes"] + report["buffer_bytes"]
    assert "其他程序则须手动指定" in report["notes"][0]


def test_the_machine_is_described_without_loading_anything() -> None:
    report = inspect_machine().to_dict()
    assert report["cores"] >= 1
    assert report["packages"]["langchain-core"].split(".")[0] == "1"
    assert set(report["packages"]) >= {"llama-cpp-python", "xllamacpp", "torch"}
    json.dumps(report)
