"""Memory by hand: layers · (key width + value width) · tokens · bytes an item."""

import pytest

from chinese_llm_rag.errors import ConfigError, ModelLoadError
from chinese_llm_rag.llms.memory_need import (
    KvLayer,
    KvType,
    ModelShape,
    buffer_bytes,
    kv_bytes,
    largest_window,
    memory_need,
    require_fit,
)

MIB, GIB = 1 << 20, 1 << 30


def shape(
    layers: tuple[KvLayer, ...], *, width: int = 4096, heads: int = 32, weights: int = 0, sliding: int = 0
) -> ModelShape:
    return ModelShape(
        width=width,
        heads=heads,
        kv_heads=heads,
        head_dim=width // heads,
        feed_forward=11_008,
        vocabulary_size=55_296,
        weight_bytes=weights,
        kv_layers=layers,
        sliding_window=sliding,
    )


SEVEN_B = shape((KvLayer(4096, 4096),) * 32, weights=4 * GIB)
THIRTEEN_B = shape((KvLayer(5120, 5120),) * 40, width=5120, heads=40)


@pytest.mark.parametrize(
    ("model", "window", "kv_type", "expected"),
    [
        # 7B: 32 · 8192 · 2 bytes = 0.5 MiB a token
        (SEVEN_B, 4096, "f16", 2 * GIB),
        (SEVEN_B, 16_384, "f16", 8 * GIB),
        (SEVEN_B, 65_536, "f16", 32 * GIB),
        # q8_0 has 34 bytes for 32 items: 8 GiB · 34/64; q4_0 18 bytes: 8 GiB · 18/64
        (SEVEN_B, 16_384, "q8_0", 4.25 * GIB),
        (SEVEN_B, 16_384, "q4_0", 2.25 * GIB),
        # 13B: 40 · 10240 · 2 bytes = 0.78125 MiB a token
        (THIRTEEN_B, 4096, "f16", 3.125 * GIB),
        # rounded up to 256 tokens
        (SEVEN_B, 1, "f16", 128 * MIB),
        (SEVEN_B, 257, "f16", 256 * MIB),
    ],
)
def test_the_kv_cache_of_the_family(model: ModelShape, window: int, kv_type: KvType, expected: float) -> None:
    assert kv_bytes(model, window, kv_type) == expected


def test_grouped_heads_keep_only_what_they_share() -> None:
    # Qwen2 7B: 28 layers, 4 KV heads of 128: 28 · 1024 · 2 = 57,344 bytes a token
    grouped = shape((KvLayer(512, 512),) * 28, width=3584, heads=28)
    assert kv_bytes(grouped, 32_768) == 57_344 * 32_768


def test_sliding_layers_keep_their_window_and_a_part_of_a_batch() -> None:
    # Gemma 3 270M: 3 full and 15 sliding layers, keys and values 256 wide, so 1024 bytes a token and layer.
    # Sliding: 512 + 512 tokens. 3 · 4096 KiB = 12 MiB; 15 · 1024 KiB = 15 MiB.
    gemma = shape(
        (*(KvLayer(256, 256, sliding=True),) * 15, *(KvLayer(256, 256),) * 3), width=640, heads=4, sliding=512
    )
    assert kv_bytes(gemma, 4096) == 27 * MIB
    # n_batch 256: 512 + 256 = 768 tokens, 15 · 0.75 MiB
    assert kv_bytes(gemma, 4096, n_batch=256) == 12 * MIB + 11.25 * MIB
    # everything kept: 18 · 4 MiB
    assert kv_bytes(gemma, 4096, full_sliding=True) == 72 * MIB
    # a window below the sliding one: all layers the same
    assert kv_bytes(gemma, 512) == 18 * 512 * 1024


def test_the_buffer_holds_the_larger_of_logits_and_layer() -> None:
    # logits: 512 · 4 · (55296 + 2·4096) = 124 MiB
    # layer: 512 · 4 · (2·11008 + 6·4096) = 91 MiB, and the mask 512 · 4096 · 4 = 8 MiB
    assert buffer_bytes(SEVEN_B, 4096) == 64 * MIB + 124 * MIB
    # without flash attention: 91 MiB + 8 MiB + 32 heads · 8 MiB
    assert buffer_bytes(SEVEN_B, 4096, flash_attention=False) == 64 * MIB + 91 * MIB + 33 * 8 * MIB


def test_layers_on_a_gpu_take_no_main_memory() -> None:
    half = memory_need(SEVEN_B, 4096, n_gpu_layers=16)
    assert (half.weights, half.kv) == (2 * GIB, GIB)
    for all_layers in (-1, 32, 99):
        need = memory_need(SEVEN_B, 4096, n_gpu_layers=all_layers)
        assert (need.weights, need.kv) == (0, 0)
        assert need.total == need.buffers > 0


def test_the_largest_window_is_the_last_that_fits() -> None:
    # 4 GiB weights + 188 MiB buffers leave 8 GiB - 188 MiB - 4 GiB = 3908 MiB: 7816 tokens, 30 · 256 = 7680
    assert largest_window(SEVEN_B, 8 * GIB, most=65_536) == 7680
    assert memory_need(SEVEN_B, 7680).total <= 8 * GIB < memory_need(SEVEN_B, 7681).total
    assert largest_window(SEVEN_B, 8 * GIB, most=4096) == 4096
    assert largest_window(SEVEN_B, 4 * GIB, most=65_536) == 0


def test_a_model_that_fits_is_let_through() -> None:
    assert require_fit(SEVEN_B, 4096, available=7 * GIB, name="m").kv == 2 * GIB
    assert require_fit(SEVEN_B, 65_536, available=None, name="m").kv == 32 * GIB


def test_what_does_not_fit_is_refused_with_the_figures_and_what_would_fit() -> None:
    with pytest.raises(ModelLoadError) as caught:
        require_fit(SEVEN_B, 16_384, available=8 * GIB, name="seven.gguf")
    # 4 + 8 + 0.18 GiB
    assert "not enough memory for 'seven.gguf' at context_window=16384: 12.18 GiB needed" in str(caught.value)
    assert "weights 4.00 GiB, f16 KV cache 8.00 GiB" in str(caught.value)
    # 4 + 4.25 + 0.18 > 8, 4 + 2.25 + 0.18 < 8
    assert caught.value.hint == "the largest window that fits is 7680, or kv_type='q4_0' at this one"


def test_without_any_window_that_fits_the_hint_is_another_file() -> None:
    with pytest.raises(ModelLoadError) as caught:
        require_fit(SEVEN_B, 4096, available=GIB, name="m")
    assert "no window fits" in str(caught.value.hint)


def test_an_unknown_kv_type_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="kv_type='q2_k': expected f16"):
        kv_bytes(SEVEN_B, 4096, "q2_k")  # type: ignore[arg-type]
