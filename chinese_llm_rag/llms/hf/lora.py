"""LoRA adapters over a transformers model, unmerged, by peft.

The family's packages bring whole embeddings and lm-head for 55,296 pieces over a base of 32,000, so the base is
widened first.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chinese_llm_rag._optional import optional_import
from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.models import lora_package

_EMBEDDINGS = ("embed_tokens", "wte", "word_embeddings")


def add_adapters(network: Any, folders: Sequence[Path]) -> Any:  # noqa: ANN401
    """The model with the adapters active, all at once and each at its own scale.

    Raises:
        MissingDependencyError: peft is not installed.
        ModelLoadError: an adapter is for another base.
    """
    peft = optional_import("peft", extra="hf")
    wrapped: Any = None
    names = [f"lora{place}" for place in range(len(folders))]
    for name, folder in zip(names, folders, strict=True):
        config = peft.PeftConfig.from_pretrained(str(folder))
        config.inference_mode = True
        if wrapped is None:
            _widen(network, adapter_shapes(folder), folder)
            wrapped = peft.PeftModel(network, config, adapter_name=name)
        result = _loaded(wrapped, folder, name)
        if result.unexpected_keys or result.missing_keys:
            raise _other_base(folder, next(iter([*result.unexpected_keys, *result.missing_keys])))
    wrapped.base_model.set_adapter(names if len(names) > 1 else names[0])
    return wrapped.get_base_model().eval()


def _loaded(wrapped: Any, folder: Path, name: str) -> Any:  # noqa: ANN401
    """What peft reports of an adapter's keys."""
    try:
        return wrapped.load_adapter(str(folder), adapter_name=name, torch_device="cpu", local_files_only=True)
    except RuntimeError as error:
        mismatch = next((line.strip() for line in str(error).splitlines() if "size mismatch" in line), None)
        if mismatch is None:
            raise
        raise _other_base(folder, mismatch) from error


def adapter_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor of an adapter, without reading it where that is possible."""
    file = folder / "adapter_model.safetensors"
    if file.is_file():
        with optional_import("safetensors", extra="hf").safe_open(str(file), framework="numpy") as opened:
            return {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
    torch = optional_import("torch", extra="hf")
    tensors = torch.load(str(folder / "adapter_model.bin"), map_location="meta", weights_only=True)
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def grown_vocabulary(folders: Sequence[Path]) -> int:
    """Rows of the embeddings that the first adapter brings; 0 where it brings none."""
    return max((_rows(adapter_shapes(folder)) for folder in folders[:1]), default=0)


def merged_names(folders: Sequence[Path]) -> list[str]:
    """Names of the family's models that bases become with these adapters, by the adapters' own names."""
    parts = [part for folder in folders for part in str(folder).replace("--", "/").split("/")]
    return [package.model for part in parts if (package := lora_package(part)) is not None]


def _rows(shapes: Mapping[str, tuple[int, ...]]) -> int:
    return max(
        (
            shape[0]
            for name, shape in shapes.items()
            if "lora_" not in name and any(word in name for word in _EMBEDDINGS)
        ),
        default=0,
    )


def _widen(network: Any, shapes: Mapping[str, tuple[int, ...]], folder: Path) -> None:  # noqa: ANN401
    rows, own = _rows(shapes), network.get_input_embeddings().weight.shape[0]
    if rows and rows < own:
        raise _other_base(folder, say(f"{rows} embeddings against {own}", f"词表 {rows} 行，基座 {own} 行"))
    if rows > own:
        network.resize_token_embeddings(rows, mean_resizing=False)


def _other_base(folder: Path, reason: str) -> ModelLoadError:
    return ModelLoadError(
        say(
            f"the LoRA adapter in {str(folder)!r} is for another base: {reason}",
            f"{str(folder)!r} 中的 LoRA 适配器属于另一个基座：{reason}",
        ),
        hint=other_base_hint(),
    )


def other_base_hint() -> str:
    """What to do about an adapter that does not fit."""
    return say(
        "its adapter_config.json names the base; `models show` tells which base each LoRA of the family needs",
        "adapter_config.json 写明了基座；`models show` 会说明该家族每个 LoRA 需要的基座",
    )
