"""What a Hugging Face model folder says about itself, read without torch and without its weights.

Knows config.json and its companions, old and new, and the headers of safetensors files. A LoRA folder is described
by the base it needs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.hf.stored_weights import count_weights, damaged, fetch_again, read_json, weight_files
from chinese_llm_rag.llms.memory_need import KvLayer, ModelShape
from chinese_llm_rag.llms.rope import RopeSpec
from chinese_llm_rag.llms.rope_choice import Kin, kin_of
from chinese_llm_rag.llms.rope_in_file import rope_of_config

CONFIG = "config.json"
ADAPTER_CONFIG = "adapter_config.json"


@dataclass(frozen=True)
class HfFolder:
    """A full model.

    Attributes:
        config: config.json as it is.
        shape: sizes; its weight_bytes are those of the weight files.
        rope: what the configuration states.
        dtype: of most weight bytes, in safetensors' words; of the configuration where the files do not say.
        quantization: the method's name ("awq", "gptq", "bitsandbytes"), or "" for plain weights.
        weight_files: in the order of their names.
        has_chat_template: whether the tokenizer brings one.
    """

    path: Path
    config: Mapping[str, Any] = field(repr=False)
    shape: ModelShape
    rope: RopeSpec
    dtype: str
    quantization: str
    weight_files: tuple[Path, ...] = field(repr=False)
    has_chat_template: bool

    @property
    def architecture(self) -> str:
        """The model_type, for example "llama"."""
        return str(self.config.get("model_type", ""))


@dataclass(frozen=True, slots=True)
class LoraFolder:
    """A LoRA package: `base` as it names it, `rank`, and whether it brings embeddings or an output layer too."""

    path: Path
    base: str
    rank: int
    full_modules: tuple[str, ...]
    weight_bytes: int

    @property
    def base_folder(self) -> Path | None:
        """The base, where it is a folder on this machine."""
        for folder in (Path(self.base), self.path.parent / Path(self.base).name):
            if self.base and (folder / CONFIG).is_file():
                return folder
        return None

    def require_base(self) -> Path:
        """The base's folder.

        Raises:
            ModelLoadError: there is none on this machine.
        """
        folder = self.base_folder
        if folder is None:
            raise ModelLoadError(
                say(
                    f"the LoRA package {str(self.path)!r} needs its base {self.base!r}, which is no model folder here",
                    f"LoRA 包 {str(self.path)!r} 需要基座模型 {self.base!r}，而本机没有该文件夹",
                ),
                hint=say(
                    "fetch the base and put it beside the package, or give its path",
                    "请下载基座模型并放在该包旁边，或给出其路径",
                ),
            )
        return folder


def is_lora_folder(path: Path) -> bool:
    """Whether a folder holds an adapter and no full model."""
    return (path / ADAPTER_CONFIG).is_file() and not (path / CONFIG).is_file()


def read_lora_folder(path: Path) -> LoraFolder:
    """Describe a LoRA package.

    Raises:
        ModelLoadError: its configuration is missing or damaged, or it has no weights.
    """
    config = read_json(path / ADAPTER_CONFIG)
    files = [file for name in ("adapter_model.safetensors", "adapter_model.bin") if (file := path / name).is_file()]
    if not files:
        raise ModelLoadError(
            say(f"{str(path)!r} has no adapter_model file", f"{str(path)!r} 中没有 adapter_model 文件"),
            hint=fetch_again(),
        )
    modules = config.get("modules_to_save") or ()
    return LoraFolder(
        path,
        base=str(config.get("base_model_name_or_path") or ""),
        rank=int(config.get("r", 0)),
        full_modules=tuple(str(name) for name in modules),
        weight_bytes=files[0].stat().st_size,
    )


def read_hf_folder(path: Path) -> HfFolder:
    """Describe a full model's folder.

    Raises:
        ModelLoadError: no such folder, no config.json, a damaged file, missing or cut-off weights.
    """
    if not path.is_dir():
        raise ModelLoadError(
            say(f"no model folder at {str(path)!r}", f"找不到模型文件夹 {str(path)!r}"),
            hint=say("check the path", "请检查路径"),
        )
    if not (path / CONFIG).is_file():
        raise ModelLoadError(
            say(
                f"{str(path)!r} has no {CONFIG}, so it is no model folder",
                f"{str(path)!r} 中没有 {CONFIG}，不是模型文件夹",
            ),
            hint=say(
                "name the folder that holds config.json and the weights, or a GGUF file",
                "请指定含有 config.json 与权重的文件夹，或 GGUF 文件",
            ),
        )
    config = read_json(path / CONFIG)
    text = config.get("text_config")
    inner = {**config, **text} if isinstance(text, Mapping) else config
    files = weight_files(path)
    weight_bytes, dtypes = count_weights(files)
    stated = str(inner.get("dtype") or inner.get("torch_dtype") or "")
    quantization = config.get("quantization_config")
    method = str(quantization.get("quant_method", "unknown")) if isinstance(quantization, Mapping) else ""
    return HfFolder(
        path,
        config=config,
        shape=_shape(path, inner, weight_bytes),
        rope=rope_of_config(inner),
        dtype=dtypes.most_common(1)[0][0] if dtypes else stated,
        quantization=method,
        weight_files=files,
        has_chat_template=_has_chat_template(path),
    )


def kin_of_folder(folder: HfFolder) -> Kin:
    """Whether the folder is one of the family, by its path's name or the one its configuration remembers."""
    return kin_of(
        (str(folder.path.absolute()), str(folder.config.get("_name_or_path", ""))),
        architecture=folder.architecture,
        vocabulary_size=folder.shape.vocabulary_size,
        stated_window=int(folder.config.get("max_position_embeddings", 0)) or None,
    )


def _shape(path: Path, config: Mapping[str, Any], weight_bytes: int) -> ModelShape:
    def size(key: str, default: int | None = None) -> int:
        value = config.get(key)
        value = default if value is None else value
        if type(value) is not int or not 0 < value < 1 << 24:
            raise damaged(path / CONFIG, key, value)
        return value

    width, layers, heads = size("hidden_size"), size("num_hidden_layers"), size("num_attention_heads")
    kv_heads = size("num_key_value_heads", heads)
    head_dim = size("head_dim", width // heads)
    slides = _sliding_layers(config, layers)
    return ModelShape(
        width=width,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        feed_forward=size("intermediate_size", 4 * width),
        vocabulary_size=size("vocab_size"),
        weight_bytes=weight_bytes,
        kv_layers=tuple(KvLayer(kv_heads * head_dim, kv_heads * head_dim, sliding) for sliding in slides),
        sliding_window=size("sliding_window") if any(slides) else 0,
    )


def _sliding_layers(config: Mapping[str, Any], layers: int) -> tuple[bool, ...]:
    """Which layers look back `sliding_window` tokens only."""
    if not config.get("sliding_window") or config.get("use_sliding_window") is False:
        return (False,) * layers
    types = config.get("layer_types")
    if isinstance(types, list) and len(types) == layers:
        return tuple(kind == "sliding_attention" for kind in types)
    period = config.get("sliding_window_pattern")
    if type(period) is int and period > 0:
        return tuple(layer % period < period - 1 for layer in range(layers))
    return (config.get("model_type") == "mistral",) * layers


def _has_chat_template(path: Path) -> bool:
    if (path / "chat_template.jinja").is_file():
        return True
    config = path / "tokenizer_config.json"
    return config.is_file() and bool(read_json(config).get("chat_template"))
