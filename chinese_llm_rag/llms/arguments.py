"""Checks of arguments that runtimes share, made before anything is loaded."""

from typing import get_args

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.memory_need import KvType


def check_counts(**counts: tuple[int | None, int]) -> None:
    """Each value, None counting as left out, is at least the number beside it.

    Raises:
        ConfigError: one is not.
    """
    for setting, (value, least) in counts.items():
        if value is not None and value < least:
            raise ConfigError(
                say(f"{setting}={value!r}: expected {least} or more", f"{setting}={value!r} 无效，应不小于 {least}"),
                setting=setting,
            )


def check_choices(kv_type: str, draft_model: object, *, flash_attention: bool, prompt_lookup: bool) -> None:
    """The choices of a GGUF runtime go together.

    Raises:
        ConfigError: they do not.
    """
    if kv_type not in get_args(KvType):
        expected = " | ".join(get_args(KvType))
        raise ConfigError(
            say(f"kv_type={kv_type!r}: expected {expected}", f"kv_type={kv_type!r} 无效，应为 {expected}"),
            setting="kv_type",
        )
    if kv_type != "f16" and not flash_attention:
        raise ConfigError(
            say(f"kv_type={kv_type!r} needs flash_attention", f"kv_type={kv_type!r} 需要 flash_attention"),
            setting="flash_attention",
        )
    if draft_model is not None and prompt_lookup:
        raise ConfigError(
            say("draft_model and prompt_lookup exclude each other", "draft_model 与 prompt_lookup 不能同时使用"),
            setting="prompt_lookup",
        )
