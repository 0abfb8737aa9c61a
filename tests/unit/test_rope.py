"""RoPE tables against the published formulas, worked out by hand, and what must hold for any length.

Numbers without a formula beside them were worked out with pencil logarithms: ln 2 = 0.69314718,
ln 10 = 2.30258509, ln 2π = 1.83787707.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.llms.rope import (
    RopeSpec,
    adaptive_alpha,
    inverse_frequencies,
    llama_rope,
    ntk_base,
    request_alpha,
    request_length,
    request_rope,
    transformers_rope,
    yarn_attention_factor,
    yarn_range,
)

D = 128  # the head dimension of all models of the family
PLAIN = RopeSpec()
LINEAR = RopeSpec("linear", 4.0)
YARN = RopeSpec("yarn", 16.0)


def test_plain_frequencies_are_powers_of_the_base() -> None:
    angles, attention = inverse_frequencies(PLAIN, D)
    assert attention == 1.0
    assert angles.shape == (64,)
    # 10000^(-2i/128): i = 0, 16, 32, 48 give 1, 10^-1, 10^-2, 10^-3
    np.testing.assert_allclose(angles[[0, 16, 32, 48]], [1.0, 0.1, 0.01, 0.001], rtol=1e-12)


def test_interpolation_divides_every_frequency_by_the_factor() -> None:
    angles, attention = inverse_frequencies(LINEAR, D)
    assert attention == 1.0
    np.testing.assert_allclose(angles[[0, 16, 32, 48]], [0.25, 0.025, 0.0025, 0.00025], rtol=1e-12)


def test_the_fixed_ntk_base_is_the_published_formula() -> None:
    # d = 4: d/(d-2) = 2, so base 100 and alpha 3 give 100·9
    assert ntk_base(100.0, 3.0, 4) == pytest.approx(900.0, rel=1e-12)
    # d = 128: 128/126 = 1.01587302; ln 2 · 1.01587302 = 0.70414952; e^0.70414952 = 2.02212595
    assert ntk_base(10_000.0, 2.0, D) == pytest.approx(20_221.26, rel=1e-6)


def test_ntk_leaves_the_fastest_pair_and_stretches_the_slowest_by_alpha() -> None:
    plain, _ = inverse_frequencies(PLAIN, D)
    stretched, _ = inverse_frequencies(RopeSpec("ntk", alpha=3.0), D)
    assert stretched[0] == plain[0]
    # the last exponent is (d-2)/d, so alpha^(d/(d-2)·(d-2)/d) = alpha
    assert plain[-1] / stretched[-1] == pytest.approx(3.0, rel=1e-12)


@pytest.mark.parametrize(
    ("n_tokens", "window", "coefficient", "alpha"),
    [
        (1, 4096, 1.0, 1.0),
        (4096, 4096, 1.0, 1.0),  # 4096/2048 - 1
        (5120, 4096, 1.0, 1.5),  # 5120/2048 - 1
        (6144, 4096, 1.0, 2.0),
        (8192, 4096, 1.0, 3.0),
        (8192, 4096, 1.2, 3.6),
        (12_288, 4096, 1.0, 5.0),
        (18_432, 4096, 1.0, 8.0),
        (4097, 4096, 1.0, 1.00048828125),  # 1 + 1/2048
        (16_384, 16_384, 1.0, 1.0),
        (20_480, 16_384, 1.0, 1.5),  # 20480/8192 - 1
        (24_576, 16_384, 1.0, 2.0),
        (32_768, 16_384, 1.0, 3.0),
    ],
)
def test_the_adaptive_alpha_is_the_familys_formula(
    n_tokens: int, window: int, coefficient: float, alpha: float
) -> None:
    assert adaptive_alpha(n_tokens, window, coefficient) == pytest.approx(alpha, abs=1e-12)


def test_the_adaptive_table_of_a_4k_model_at_8192_tokens() -> None:
    # alpha 3; ln 3 = 1.09861229; · 128/126 = 1.11605058; base' = 10000·e^1.11605058 = 30527.75
    # pair i: base'^(-2i/128); ln base' = 9.21034037 + 1.11605058 = 10.32639095
    # i = 16: e^(-2.58159774) = 0.07565304; i = 32: e^(-5.16319548) = 0.00572338; i = 63: e^(-10.16504109)
    angles, _ = inverse_frequencies(request_rope(RopeSpec("adaptive_ntk"), 8192), D)
    np.testing.assert_allclose(angles[[0, 16, 32]], [1.0, 0.07565304, 0.00572338], rtol=1e-5)
    # the slowest: 10000^(-126/128) / 3 = 1.1547820e-4 / 3
    assert angles[63] == pytest.approx(1.1547820e-4 / 3, rel=1e-6)


def test_on_a_16k_model_adaptive_ntk_comes_on_top_of_interpolation() -> None:
    spec = RopeSpec("adaptive_ntk", 4.0)
    assert spec.trained_window == 16_384
    fixed = request_rope(spec, 24_576)
    assert (fixed.method, fixed.alpha, fixed.factor) == ("ntk", 2.0, 4.0)
    angles, _ = inverse_frequencies(fixed, D)
    assert angles[0] == 0.25
    assert angles[63] == pytest.approx(1.1547820e-4 / 2 / 4, rel=1e-6)


def test_yarns_ramp_and_attention_factor_for_the_64k_model() -> None:
    # pair that turns r times: 128·ln(4096/(2πr)) / (2·ln 10000), 2·ln 10000 = 18.42068074
    # r = 32: ln(4096/201.0619) = 12·ln 2 - ln 2π - 5·ln 2 = 4.85203026 - 1.83787707 = 3.01415319 -> 20.944, down: 20
    # r = 1: 8.31776617 - 1.83787707 = 6.47988910 -> 45.027, up: 46
    assert yarn_range(YARN, D) == (20, 46)
    # 0.1·ln 16 + 1 = 0.1·2.77258872 + 1
    assert yarn_attention_factor(16.0) == pytest.approx(1.277258872, abs=1e-9)


def test_yarn_keeps_fast_pairs_interpolates_slow_ones_and_mixes_between() -> None:
    plain, _ = inverse_frequencies(PLAIN, D)
    angles, attention = inverse_frequencies(YARN, D)
    assert attention == pytest.approx(1.277258872, abs=1e-9)
    np.testing.assert_allclose(angles[:21], plain[:21], rtol=1e-12)
    np.testing.assert_allclose(angles[46:], plain[46:] / 16, rtol=1e-12)
    # pair 33: ramp (33-20)/(46-20) = 0.5: half of it plain, half divided by 16
    assert angles[33] == pytest.approx(plain[33] * (0.5 + 0.5 / 16), rel=1e-12)
    # pair 32 is 0.01 plain; ramp 12/26: 0.01·(14/26 + 12/26/16)
    assert angles[32] == pytest.approx(0.01 * (14 / 26 + 12 / 26 / 16), rel=1e-12)


def test_an_attention_factor_of_the_model_is_kept() -> None:
    assert inverse_frequencies(RopeSpec("yarn", 16.0, attention_factor=1.1), D)[1] == 1.1


lengths = st.integers(min_value=1, max_value=200_000)
windows = st.sampled_from([1, 2, 3, 5, 2048, 4096, 16_384])


@given(lengths, lengths, windows)
def test_alpha_never_falls_with_length(a: int, b: int, window: int) -> None:
    short, long = sorted((a, b))
    spec = RopeSpec("adaptive_ntk", original_window=window)
    assert request_alpha(spec, short) <= request_alpha(spec, long)
    assert request_alpha(spec, short) >= 1.0


@given(lengths, windows)
def test_a_bucket_holds_the_request_and_wastes_less_than_a_quarter_window(n_tokens: int, window: int) -> None:
    length = request_length(n_tokens, window)
    assert length >= n_tokens
    assert n_tokens <= window or length - n_tokens < max(1, window / 4)
    assert request_length(length, window) == length


@given(lengths, windows, lengths)
def test_a_bucket_does_not_pass_the_context_window(n_tokens: int, window: int, context_window: int) -> None:
    length = request_length(n_tokens, window, context_window)
    assert n_tokens <= length <= max(n_tokens, context_window, window)


@given(st.floats(1.0, 20.0), st.floats(1.0, 20.0), st.sampled_from([4, 64, 80, 128]))
def test_the_base_grows_with_alpha(a: float, b: float, head_dim: int) -> None:
    small, large = sorted((a, b))
    assert 10_000.0 <= ntk_base(10_000.0, small, head_dim) <= ntk_base(10_000.0, large, head_dim)


@given(st.sampled_from(["none", "linear", "ntk", "yarn"]), st.floats(1.0, 32.0), st.sampled_from([16, 64, 128]))
def test_frequencies_fall_and_never_exceed_the_plain_ones(method: str, factor: float, head_dim: int) -> None:
    spec = {
        "none": PLAIN,
        "linear": RopeSpec("linear", factor),
        "ntk": RopeSpec("ntk", alpha=factor),
        "yarn": RopeSpec("yarn", factor),
    }[method]
    plain, _ = inverse_frequencies(PLAIN, head_dim)
    angles, _ = inverse_frequencies(spec, head_dim)
    assert (np.diff(angles) < 0).all()
    assert (angles <= plain * (1 + 1e-12)).all()
    assert (angles >= plain / factor * (1 - 1e-9)).all()


def test_requests_in_one_bucket_share_their_spec_and_others_do_not() -> None:
    spec = RopeSpec("adaptive_ntk")
    assert request_rope(spec, 100) == request_rope(spec, 4096)  # all of them alpha 1
    assert request_rope(spec, 4097) == request_rope(spec, 5120)
    assert request_rope(spec, 5120) != request_rope(spec, 5121)
    assert request_rope(spec, 5121, context_window=5500).alpha == pytest.approx(5500 / 2048 - 1)


@pytest.mark.parametrize("spec", [PLAIN, LINEAR, YARN, RopeSpec("ntk", alpha=2.0), RopeSpec("other")])
def test_a_spec_that_does_not_adapt_is_the_same_for_every_request(spec: RopeSpec) -> None:
    assert request_rope(spec, 50_000) is spec


def test_llama_cpp_gets_every_parameter() -> None:
    assert llama_rope(YARN, D) == {
        "rope_scaling_type": "yarn",
        "rope_freq_base": 10_000.0,
        "rope_freq_scale": 0.0625,
        "yarn_orig_ctx": 4096,
        "yarn_ext_factor": 1.0,
        "yarn_attn_factor": 1.0,
        "yarn_beta_fast": 32.0,
        "yarn_beta_slow": 1.0,
    }
    linear = llama_rope(LINEAR, D)
    assert (linear["rope_scaling_type"], linear["rope_freq_scale"], linear["yarn_ext_factor"]) == ("linear", 0.25, 0.0)
    plain = llama_rope(PLAIN, D)
    assert (plain["rope_scaling_type"], plain["rope_freq_scale"]) == ("none", 1.0)
    both = llama_rope(RopeSpec("ntk", 4.0, alpha=2.0), D)
    assert (both["rope_scaling_type"], both["rope_freq_scale"]) == ("linear", 0.25)
    assert both["rope_freq_base"] == pytest.approx(20_221.26, rel=1e-6)


def test_llama_cpp_is_not_asked_for_an_attention_factor_it_would_ignore() -> None:
    with pytest.raises(ConfigError, match=r"attention_factor=1\.0: llama\.cpp always has 1\.2773"):
        llama_rope(RopeSpec("yarn", 16.0, attention_factor=1.0), D)
    assert llama_rope(RopeSpec("yarn", 16.0, attention_factor=1.27726), D)["rope_scaling_type"] == "yarn"


def test_transformers_gets_its_own_words() -> None:
    assert transformers_rope(PLAIN, D) == {"rope_type": "default", "rope_theta": 10_000.0}
    assert transformers_rope(LINEAR, D) == {"rope_type": "linear", "rope_theta": 10_000.0, "factor": 4.0}
    assert transformers_rope(YARN, D) == {
        "rope_type": "yarn",
        "rope_theta": 10_000.0,
        "factor": 16.0,
        "original_max_position_embeddings": 4096,
        "beta_fast": 32.0,
        "beta_slow": 1.0,
    }
    fixed = transformers_rope(RopeSpec("ntk", alpha=2.0), D)
    assert fixed["rope_type"] == "default"
    assert fixed["rope_theta"] == pytest.approx(20_221.26, rel=1e-6)


@pytest.mark.parametrize("spec", [RopeSpec("adaptive_ntk"), RopeSpec("other")])
def test_no_runtime_is_given_a_spec_without_a_table(spec: RopeSpec) -> None:
    for translate in (inverse_frequencies, llama_rope, transformers_rope):
        with pytest.raises(ConfigError, match=f"rope {spec.method}"):
            translate(spec, D)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"method": "longrope"}, "method='longrope'"),
        ({"method": "linear", "factor": 0.25}, r"factor=0\.25"),
        ({"method": "linear", "factor": float("nan")}, "factor=nan"),
        ({"method": "none", "factor": 4.0}, r"factor=4\.0"),
        ({"base": 1.0}, r"base=1\.0"),
        ({"original_window": 0}, "original_window=0"),
        ({"method": "ntk", "alpha": 0.5}, r"alpha=0\.5"),
        ({"method": "linear", "alpha": 2.0}, r"alpha=2\.0"),
        ({"method": "adaptive_ntk", "coefficient": 0.0}, r"coefficient=0\.0"),
        ({"method": "yarn", "attention_factor": 0.0}, r"attention_factor=0\.0"),
        ({"method": "yarn", "beta_fast": 1.0, "beta_slow": 32.0}, "beta_fast, beta_slow"),
    ],
)
def test_a_spec_that_cannot_work_is_refused_by_name(arguments: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        RopeSpec(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("head_dim", [0, 2, 7])
def test_a_head_dimension_without_pairs_is_refused(head_dim: int) -> None:
    with pytest.raises(ConfigError, match=f"head_dim={head_dim}"):
        inverse_frequencies(PLAIN, head_dim)
