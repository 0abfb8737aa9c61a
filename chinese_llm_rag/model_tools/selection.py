"""Which files of a repository make up what was asked for. Goes by the hub's listing, not by expected names."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from chinese_llm_rag.errors import ConfigError, ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.model_tools.hubs import RemoteFile
from chinese_llm_rag.models.quantized import SHORT_NAMES

_QUANTIZATION = re.compile(
    r"(?:^|[-_.])(?P<type>i?q\d_(?:k|\d|xs|xxs|nl|s|m)(?:_(?:xs|s|m|l))?|bf16|fp?16|fp?32)(?P<im>[-_.]im(?:atrix)?)?"
    r"(?:[-_.]\d{5}-of-\d{5})?\.gguf$",
    re.IGNORECASE,
)
_TOKENIZER = ("tokenizer.model", "tokenizer.json", "vocab.json", "merges.txt")
_PAPERS = ("license", "notice", "readme", "use_policy")


def normal_type(quantization: str) -> str:
    """One name for each quantization: Q4_K and q4_k_m are Q4_K_M, fp16 is F16; -IM marks the imatrix file."""
    name, dash, im = quantization.upper().replace("_IM", "-IM").partition("-IM")
    name = {"FP16": "F16", "FP32": "F32"}.get(name, name)
    return SHORT_NAMES.get(name, name) + (dash + im)[:3]


def quantization_of(path: str) -> str | None:
    """The quantization that a GGUF file's name states, in its normal form."""
    found = _QUANTIZATION.search(PurePosixPath(path).name)
    if found is None:
        return None
    return normal_type(found["type"] + ("-IM" if found["im"] else ""))


def choose_gguf(files: Sequence[RemoteFile], quantization: str, repository: str) -> list[RemoteFile]:
    """The file (or all shards) of one quantization.

    Raises:
        ConfigError: the repository has none, or several; the hint lists what it has.
    """
    by_type: dict[str, list[RemoteFile]] = {}
    for file in files:
        if (kind := quantization_of(file.path)) is not None:
            by_type.setdefault(kind, []).append(file)
    chosen = by_type.get(normal_type(quantization), [])
    shards = [file for file in chosen if re.search(r"-\d{5}-of-\d{5}\.gguf$", file.path)]
    if len(chosen) == (_shard_count(shards) if shards else 1):
        return chosen
    listed = ", ".join(sorted(by_type)) or "-"
    if chosen:
        names = ", ".join(file.path for file in chosen)
        message = say(
            f"{repository!r} has several files of {quantization!r}, or not all its parts: {names}",
            f"{repository!r} 有多个 {quantization!r} 文件，或分片不全：{names}",
        )
    else:
        message = say(f"{repository!r} has no {quantization!r}", f"{repository!r} 没有 {quantization!r}")
    raise ConfigError(
        message,
        setting="quant",
        origin="flag --quant",
        hint=say(f"it has {listed}", f"可选：{listed}"),
    )


def choose_weights(files: Sequence[RemoteFile], repository: str) -> list[RemoteFile]:
    """Full weights with configuration and tokenizer: safetensors where there are some, else pytorch .bin files."""
    top = [file for file in files if "/" not in file.path]
    weights = [file for file in top if file.path.endswith(".safetensors")]
    index = "model.safetensors.index.json"
    if not weights:
        weights = [file for file in top if re.fullmatch(r"pytorch_model.*\.bin", file.path)]
        index = "pytorch_model.bin.index.json"
    return _with_papers(top, weights, repository, index, "config.json")


def choose_adapter(files: Sequence[RemoteFile], repository: str) -> list[RemoteFile]:
    """A peft adapter with its configuration and tokenizer."""
    top = [file for file in files if "/" not in file.path]
    weights = [file for file in top if file.path == "adapter_model.safetensors"]
    weights = weights or [file for file in top if file.path == "adapter_model.bin"]
    return _with_papers(top, weights, repository, "adapter_config.json", "adapter_config.json")


def _with_papers(
    top: Sequence[RemoteFile], weights: list[RemoteFile], repository: str, index: str, needed: str
) -> list[RemoteFile]:
    names = {file.path for file in top}
    if not weights or needed not in names:
        lacking = needed if weights else "weights"
        raise ModelLoadError(
            say(f"{repository!r} has no {lacking}", f"{repository!r} 中没有 {lacking}"),
            hint=say("try another --source", "请换用其他 --source"),
        )
    # Code that comes with a model is left out: nothing here runs it.
    papers = [
        file
        for file in top
        if file.path in _TOKENIZER
        or file.path == index
        or (file.path.endswith(".json") and not file.path.endswith(".index.json"))
        or file.path.lower().startswith(_PAPERS)
    ]
    return sorted({file.path: file for file in (*papers, *weights)}.values(), key=lambda file: file.path)


def _shard_count(shards: Sequence[RemoteFile]) -> int:
    counts = {int(file.path[-10:-5]) for file in shards}
    return counts.pop() if len(counts) == 1 else -1
