"""Our RoPE tables are those of transformers, for every spec that its configuration can state."""

import numpy as np
import pytest
import torch
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from chinese_llm_rag.llms.rope import RopeSpec, inverse_frequencies, request_rope, transformers_rope
from chinese_llm_rag.llms.rope_in_file import rope_of_config

SPECS = [
    RopeSpec(),
    RopeSpec(base=1e6, original_window=32_768),
    RopeSpec("linear", 4.0),
    RopeSpec("yarn", 16.0),
    RopeSpec("yarn", 4.0, 1e6, 32_768),
    RopeSpec("yarn", 8.0, attention_factor=1.05, beta_fast=16.0, beta_slow=2.0),
    RopeSpec("ntk", alpha=3.0),
    RopeSpec("ntk", 4.0, alpha=1.5),
]


def config(spec: RopeSpec, head_dim: int) -> LlamaConfig:
    return LlamaConfig(
        hidden_size=4 * head_dim,
        num_attention_heads=4,
        max_position_embeddings=spec.trained_window,
        rope_parameters=transformers_rope(spec, head_dim),
    )


@pytest.mark.parametrize("head_dim", [16, 128])
@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_the_rotary_embedding_of_a_model_has_our_table(spec: RopeSpec, head_dim: int) -> None:
    embedding = LlamaRotaryEmbedding(config(spec, head_dim))
    angles, attention = inverse_frequencies(spec, head_dim)
    np.testing.assert_allclose(embedding.inv_freq.double().numpy(), angles, rtol=2e-6)
    assert embedding.attention_scaling == pytest.approx(attention, rel=1e-9)


@pytest.mark.parametrize("spec", [s for s in SPECS if s.method in ("linear", "yarn")], ids=str)
def test_the_registrys_own_functions_give_our_table(spec: RopeSpec) -> None:
    theirs, factor = ROPE_INIT_FUNCTIONS[spec.method](config(spec, 128), torch.device("cpu"))
    angles, attention = inverse_frequencies(spec, 128)
    np.testing.assert_allclose(theirs.double().numpy(), angles, rtol=2e-6)
    assert factor == pytest.approx(attention, rel=1e-9)


@pytest.mark.parametrize("n_tokens", [5120, 8192, 18_432])
def test_the_familys_adaptive_form_is_the_registrys_dynamic_one_with_factor_2(n_tokens: int) -> None:
    parameters = {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}
    stated = LlamaConfig(
        hidden_size=512, num_attention_heads=4, max_position_embeddings=4096, rope_parameters=parameters
    )
    theirs, _ = ROPE_INIT_FUNCTIONS["dynamic"](stated, torch.device("cpu"), seq_len=n_tokens)
    angles, _ = inverse_frequencies(request_rope(RopeSpec("adaptive_ntk"), n_tokens), 128)
    np.testing.assert_allclose(theirs.double().numpy(), angles, rtol=2e-6)


@pytest.mark.parametrize("spec", [s for s in SPECS if s.method != "ntk"], ids=str)
def test_a_saved_configuration_is_read_back_as_what_it_was_made_from(spec: RopeSpec) -> None:
    assert rope_of_config(config(spec, 128).to_dict()) == spec
