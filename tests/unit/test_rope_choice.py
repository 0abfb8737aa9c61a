"""File, family and wish brought together, and the windows that are possible."""

from dataclasses import replace

import pytest

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.llms.rope import RopeSpec
from chinese_llm_rag.llms.rope_choice import Kin, kin_of, rope_for_window, settle_rope, window_limits
from chinese_llm_rag.models import Rope

PLAIN = RopeSpec()
LINEAR = RopeSpec("linear", 4.0)
YARN = RopeSpec("yarn", 16.0)
QWEN = RopeSpec(base=1e6, original_window=32_768)
FAMILY_PLAIN, FAMILY_16K, FAMILY_64K = Rope(), Rope("linear", 4.0), Rope("yarn", 16.0)


@pytest.mark.parametrize("in_file", [PLAIN, LINEAR, YARN, QWEN, RopeSpec("other")])
def test_the_file_is_followed_when_nobody_else_speaks(in_file: RopeSpec) -> None:
    assert settle_rope(in_file, None, None) is in_file


@pytest.mark.parametrize(("published", "spec"), [(FAMILY_16K, LINEAR), (FAMILY_64K, YARN)])
def test_a_silent_file_gets_what_its_family_needs(published: Rope, spec: RopeSpec) -> None:
    assert settle_rope(PLAIN, None, published) == spec
    # a converter that lost the factor but kept the window
    assert settle_rope(replace(PLAIN, original_window=spec.trained_window), None, published) == spec


@pytest.mark.parametrize(("published", "spec"), [(FAMILY_16K, LINEAR), (FAMILY_64K, YARN), (FAMILY_PLAIN, PLAIN)])
def test_a_right_file_of_the_family_needs_no_arguments(published: Rope, spec: RopeSpec) -> None:
    assert settle_rope(spec, None, published) is spec
    assert settle_rope(spec, spec, published) is spec


@pytest.mark.parametrize(
    ("in_file", "published", "shown"),
    [
        (RopeSpec("linear", 8.0), FAMILY_16K, r"linear x8 over 4096.*linear x4 over 4096"),
        (LINEAR, FAMILY_64K, r"linear x4 over 4096.*yarn x16 over 4096"),
        (LINEAR, FAMILY_PLAIN, r"linear x4 over 4096.*none"),
        (replace(PLAIN, original_window=16_384), FAMILY_PLAIN, r"none over 16384.*none"),
        (replace(PLAIN, base=1e6), FAMILY_16K, r"base 1e\+06.*linear x4"),
        (RopeSpec("yarn", 16.0, original_window=8192), FAMILY_64K, r"over 8192.*over 4096"),
    ],
)
def test_a_file_against_its_family_is_an_error_that_shows_both(in_file: RopeSpec, published: Rope, shown: str) -> None:
    with pytest.raises(ConfigError, match=shown) as caught:
        settle_rope(in_file, None, published)
    assert caught.value.setting == "rope"
    assert settle_rope(in_file, None, published, override=True) is in_file


@pytest.mark.parametrize(
    ("in_file", "requested", "shown"),
    [
        (LINEAR, PLAIN, "asked for none, but the file says linear x4"),
        (LINEAR, RopeSpec("linear", 2.0), "asked for linear x2 over 4096, but the file says linear x4"),
        (LINEAR, YARN, "asked for yarn x16 over 4096, but the file says linear x4"),
        (YARN, RopeSpec("ntk", alpha=2.0), "asked for ntk alpha 2, but the file says yarn x16"),
        (YARN, replace(YARN, beta_fast=16.0), "asked for yarn"),
        (QWEN, RopeSpec(base=5e5), "base 500000.*base 1e"),
        (RopeSpec("other"), RopeSpec("linear", 2.0), "file says other"),
    ],
)
def test_a_wish_against_the_file_is_an_error_that_shows_both(
    in_file: RopeSpec, requested: RopeSpec, shown: str
) -> None:
    with pytest.raises(ConfigError, match=shown):
        settle_rope(in_file, requested, None)


def test_a_wish_against_what_the_family_filled_in_says_where_that_is_from() -> None:
    with pytest.raises(
        ConfigError, match="asked for none over 8192, but the family's model of this name has linear x4"
    ):
        settle_rope(PLAIN, replace(PLAIN, original_window=8192), FAMILY_16K)


def test_override_lets_the_wish_win() -> None:
    assert settle_rope(LINEAR, PLAIN, FAMILY_16K, override=True) == PLAIN
    assert settle_rope(LINEAR, RopeSpec("linear", 2.0), None, override=True) == RopeSpec("linear", 2.0)


def test_a_wish_has_the_models_own_base_and_window_where_it_says_nothing() -> None:
    assert settle_rope(QWEN, RopeSpec("yarn", 4.0), None) == RopeSpec("yarn", 4.0, 1e6, 32_768)


def test_ntk_on_an_interpolated_model_comes_on_top() -> None:
    assert settle_rope(LINEAR, RopeSpec("ntk", alpha=2.0), None) == RopeSpec("ntk", 4.0, alpha=2.0)
    assert settle_rope(LINEAR, RopeSpec("adaptive_ntk"), FAMILY_16K) == RopeSpec("adaptive_ntk", 4.0)


def test_models_are_known_by_name_before_all_else() -> None:
    known = kin_of(["LLaMA v2", "/m/chinese-alpaca-2-7b-16k/ggml-model-q4_k.gguf"])
    assert known.model is not None
    assert (known.model.name, known.rope, known.member) == ("chinese-alpaca-2-7b-16k", FAMILY_16K, True)


def test_a_name_does_not_make_a_model_of_another_architecture_kin() -> None:
    assert kin_of(["chinese-alpaca-2-7b"], architecture="qwen2", vocabulary_size=151_936) == Kin()
    assert kin_of(["chinese-alpaca-2-7b"], architecture="llama", vocabulary_size=32_000) == Kin()


@pytest.mark.parametrize(
    ("window", "rope"), [(4096, None), (16_384, FAMILY_16K), (65_536, FAMILY_64K), (8192, None), (None, None)]
)
def test_without_a_name_vocabulary_and_window_tell_what_is_needed(window: int | None, rope: Rope | None) -> None:
    known = kin_of(["model"], architecture="llama", vocabulary_size=55_296, stated_window=window)
    assert (known.model, known.rope, known.member) == (None, rope, True)


MEMBER = Kin(member=True)


@pytest.mark.parametrize(
    ("spec", "kin", "trained", "largest"),
    [
        (PLAIN, MEMBER, 4096, 18_432),
        (LINEAR, MEMBER, 16_384, 32_768),
        (YARN, MEMBER, 65_536, 65_536),
        (PLAIN, Kin(), 4096, 4096),
        (QWEN, Kin(), 32_768, 32_768),
    ],
)
def test_windows_end_where_the_family_or_the_training_ends(
    spec: RopeSpec, kin: Kin, trained: int, largest: int
) -> None:
    limits = window_limits(spec, kin)
    assert (limits.trained, limits.largest) == (trained, largest)
    assert rope_for_window(spec, None, kin) == (spec, trained)
    with pytest.raises(ConfigError, match=f"context_window={largest + 1}: this model can take {largest} tokens"):
        rope_for_window(spec, largest + 1, kin)


def test_above_its_trained_window_the_family_adapts() -> None:
    assert rope_for_window(PLAIN, 4096, MEMBER) == (PLAIN, 4096)
    assert rope_for_window(PLAIN, 4097, MEMBER) == (RopeSpec("adaptive_ntk"), 4097)
    assert rope_for_window(LINEAR, 32_768, MEMBER) == (RopeSpec("adaptive_ntk", 4.0), 32_768)


def test_another_model_goes_beyond_its_window_only_by_a_rope_that_was_asked_for() -> None:
    asked = settle_rope(QWEN, RopeSpec("adaptive_ntk"), None)
    assert rope_for_window(asked, 100_000, Kin(), requested=True) == (asked, 100_000)
    stretched = settle_rope(QWEN, RopeSpec("linear", 2.0), None)
    assert rope_for_window(stretched, 65_536, Kin(), requested=True) == (stretched, 65_536)
    with pytest.raises(ConfigError, match="can take 65536 tokens at most with rope linear x2 over 32768"):
        rope_for_window(stretched, 65_537, Kin(), requested=True)


def test_a_rope_that_was_asked_for_is_not_extended_behind_the_users_back() -> None:
    with pytest.raises(ConfigError, match="can take 4096 tokens at most"):
        rope_for_window(PLAIN, 8192, MEMBER, requested=True)
