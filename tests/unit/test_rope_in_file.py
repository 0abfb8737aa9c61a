"""What GGUF metadata and Hugging Face configurations say about positions."""

from typing import Any

import pytest

from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.llms.rope import RopeSpec
from chinese_llm_rag.llms.rope_in_file import rope_of_config, rope_of_gguf

LLAMA = {"general.architecture": "llama", "llama.context_length": 4096, "llama.rope.freq_base": 10_000.0}
FAMILY = {"model_type": "llama", "vocab_size": 55_296}


def gguf(**scaling: Any) -> dict[str, Any]:
    return LLAMA | {f"llama.rope.scaling.{key}": value for key, value in scaling.items()}


def test_a_gguf_without_scaling_has_its_base_and_window() -> None:
    metadata = {"general.architecture": "qwen2", "qwen2.context_length": 32_768, "qwen2.rope.freq_base": 1e6}
    assert rope_of_gguf(metadata) == RopeSpec(base=1e6, original_window=32_768)


def test_a_gguf_without_a_base_has_ten_thousand() -> None:
    assert rope_of_gguf({"general.architecture": "llama", "llama.context_length": 4096}) == RopeSpec()


@pytest.mark.parametrize("scaling", [{"type": "linear", "factor": 4.0}, {"factor": 4.0}])
def test_a_linear_gguf_was_trained_for_its_whole_window(scaling: dict[str, Any]) -> None:
    spec = rope_of_gguf(gguf(**scaling) | {"llama.context_length": 16_384})
    assert spec == RopeSpec("linear", 4.0, original_window=4096)
    assert spec.trained_window == 16_384


def test_the_key_of_old_files_is_understood() -> None:
    assert rope_of_gguf(LLAMA | {"llama.context_length": 16_384, "llama.rope.scale_linear": 4.0}).factor == 4.0


def test_a_linear_file_of_the_family_that_states_the_original_window_is_still_a_16k_model() -> None:
    assert rope_of_gguf(gguf(type="linear", factor=4.0), vocabulary_size=55_296).trained_window == 16_384


def test_a_yarn_gguf_has_its_original_window_and_betas() -> None:
    spec = rope_of_gguf(gguf(type="yarn", factor=16.0, original_context_length=4096, yarn_beta_fast=16.0))
    assert spec == RopeSpec("yarn", 16.0, beta_fast=16.0)
    assert spec.trained_window == 65_536


def test_an_attention_factor_in_a_gguf_multiplies_the_papers() -> None:
    spec = rope_of_gguf(gguf(type="yarn", factor=16.0, original_context_length=4096, attn_factor=0.5))
    # 0.5 · (0.1·ln 16 + 1)
    assert spec.attention_factor == pytest.approx(0.638629436, abs=1e-9)


@pytest.mark.parametrize("kind", ["longrope", "something new"])
def test_a_scheme_without_a_formula_here_is_other(kind: str) -> None:
    assert rope_of_gguf(gguf(type=kind, factor=4.0)).method == "other"


def test_frequency_factors_in_the_file_are_other() -> None:
    assert rope_of_gguf(LLAMA, has_factors=True).method == "other"


@pytest.mark.parametrize(
    ("key", "value"),
    [("factor", "four"), ("factor", -4.0), ("factor", float("nan")), ("factor", True), ("factor", 0.5)],
)
def test_a_damaged_value_in_a_gguf_is_named(key: str, value: object) -> None:
    with pytest.raises(ModelLoadError, match="factor"):
        rope_of_gguf(gguf(type="linear", **{key: value}))


@pytest.mark.parametrize(
    ("config", "spec"),
    [
        ({"max_position_embeddings": 4096}, RopeSpec()),
        ({"max_position_embeddings": 4096, "rope_scaling": None}, RopeSpec()),
        ({"max_position_embeddings": 8192, "rope_theta": 5e5}, RopeSpec(base=5e5, original_window=8192)),
        ({"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}}, RopeSpec(base=1e6)),
        (
            {"max_position_embeddings": 16_384, "rope_scaling": {"type": "linear", "factor": 4.0}},
            RopeSpec("linear", 4.0),
        ),
        # of others, a factor over a window of 4096: 1024 tokens were never trained, so 4096 is the original
        (
            {"max_position_embeddings": 4096, "rope_scaling": {"type": "linear", "factor": 4.0}},
            RopeSpec("linear", 4.0),
        ),
        (
            FAMILY
            | {
                "max_position_embeddings": 65_536,
                "rope_scaling": {
                    "type": "yarn",
                    "factor": 16.0,
                    "finetuned": True,
                    "original_max_position_embeddings": 4096,
                },
            },
            RopeSpec("yarn", 16.0),
        ),
        (
            FAMILY | {"max_position_embeddings": 65_536, "rope_scaling": {"type": "yarn", "factor": 16.0}},
            RopeSpec("yarn", 16.0),
        ),
        (
            {
                "max_position_embeddings": 32_768,
                "rope_theta": 1e6,
                "rope_scaling": {"type": "yarn", "factor": 4.0},
            },
            RopeSpec("yarn", 4.0, 1e6, 32_768),
        ),
        (
            {
                "original_max_position_embeddings": 4096,
                "rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4, "factor": 8.0, "beta_fast": 16},
            },
            RopeSpec("yarn", 8.0, beta_fast=16.0),
        ),
        ({"rope_scaling": {"type": "dynamic", "factor": 2.0}}, RopeSpec("adaptive_ntk")),
        ({"rope_scaling": {"type": "dynamic", "factor": 3.0}}, RopeSpec("other")),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, RopeSpec("other")),
        ({"rope_parameters": {"full_attention": {"rope_type": "default"}}}, RopeSpec("other")),
        ({"partial_rotary_factor": 0.5}, RopeSpec("other")),
        ({"rope_scaling": {"type": "yarn", "factor": 4.0, "truncate": False}}, RopeSpec("other")),
    ],
)
def test_configurations_old_and_new_give_their_rope(config: dict[str, Any], spec: RopeSpec) -> None:
    assert rope_of_config(config) == spec


def test_mscales_become_an_attention_factor() -> None:
    scaling = {"type": "yarn", "factor": 16.0, "mscale": 2.0, "mscale_all_dim": 1.0}
    spec = rope_of_config({"rope_scaling": scaling})
    # (0.2·ln 16 + 1) / (0.1·ln 16 + 1) = 1.554517744 / 1.277258872
    assert spec.attention_factor == pytest.approx(1.217073357, abs=1e-8)


@pytest.mark.parametrize(
    "config",
    [
        {"rope_scaling": "linear"},
        {"rope_scaling": {"type": "linear", "factor": "4"}},
        {"rope_scaling": {"type": "linear", "factor": 0.25}},
        {"max_position_embeddings": -1},
    ],
)
def test_a_damaged_configuration_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ModelLoadError):
        rope_of_config(config)
