"""Which model of the family a name or a path speaks of. Reads text only, never a file."""

import re

from chinese_llm_rag.models.family import FAMILY, FamilyModel

_SEPARATOR = r"[-_. ]"
_NAMED = re.compile(
    rf"(?:^|{_SEPARATOR})chinese{_SEPARATOR}(?P<kind>llama|alpaca){_SEPARATOR}?2{_SEPARATOR}"
    rf"(?P<size>1[._]3b|7b|13b)(?P<rest>(?:{_SEPARATOR}.*)?)$",
    re.DOTALL,
)
_VARIANT = re.compile(rf"^{_SEPARATOR}(?P<variant>16k|64k|rlhf)(?P<rest>(?:{_SEPARATOR}.*)?)$", re.DOTALL)
# What may follow a name without making it another model: file format, precision, quantization, shard number.
_TRIFLE = re.compile(
    rf"""^(?:{_SEPARATOR}(?:
        gguf|ggml|ggmlv3|bin|safetensors|pth|hf|awq|gptq|exl2|merged|full|model|weights|im|imatrix|ud|main|latest
        |f16|fp16|bf16|f32|fp32|float16|bfloat16|float32|int[48]|[2-8]{_SEPARATOR}?bits?
        |i?q[1-8](?:{_SEPARATOR}(?:0|1|k|xs|xxs|nl|s|m))?(?:{_SEPARATOR}(?:xs|s|m|l|xl))?
        |w[48](?:{_SEPARATOR}?g(?:32|64|128))?|g(?:32|64|128)
        |\d{{5}}{_SEPARATOR}of{_SEPARATOR}\d{{5}}
    ))*$""",
    re.VERBOSE,
)
# A folder's name does not speak for a file in it that has a name of a model, a size or an adapter of its own.
_SPEAKS = re.compile(r"llama|alpaca|lora|adapter|(?<![a-z0-9])\d+(?:\.\d+)?b(?![a-z0-9])")
_BY_NAME = {model.name: model for model in FAMILY}


def identify(text: str) -> FamilyModel | None:
    """The family's model that a general.name, hub name, file name or path means; None where it is not certain.

    The last part of a path that speaks of the family decides, so `chinese-alpaca-2-7b-16k/model.gguf` is
    the 16K model. A part that goes on with words of its own (another tuning, a window nobody published, a
    LoRA package) names no model of this table.
    """
    for part in reversed(re.split(r"[/\\]|--", text.strip().casefold())):
        if _SPEAKS.search(part):
            return _named(part)
    return None


def _named(part: str) -> FamilyModel | None:
    named = _NAMED.search(part)
    if named is None:
        return None
    name = f"chinese-{named['kind']}-2-{named['size'].replace('_', '.')}"
    rest = named["rest"]
    if variant := _VARIANT.match(rest):
        name, rest = f"{name}-{variant['variant']}", variant["rest"]
    return _BY_NAME.get(name) if _TRIFLE.match(rest) else None
