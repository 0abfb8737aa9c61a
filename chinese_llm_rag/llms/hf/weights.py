"""Load a causal language model with transformers: offline, without code from the folder, and without a word."""

import hashlib
import importlib.util
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from chinese_llm_rag._optional import optional_import
from chinese_llm_rag.errors import ConfigError, ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.hf.folder import weight_files
from chinese_llm_rag.llms.hf.lora import add_adapters, other_base_hint
from chinese_llm_rag.llms.hf.model import LoadedWeights
from chinese_llm_rag.llms.in_process.runtime import Runtime

Dtype = Literal["auto", "float32", "bfloat16", "float16"]
Attention = Literal["sdpa", "eager", "flash_attention_2"]
Quantization = Literal["int8", "int4", "nf4"]

# Packages that transformers loads stored quantized weights with, by the method in config.json.
_LOADERS = {
    "awq": "gptqmodel",
    "gptq": "gptqmodel",
    "bitsandbytes": "bitsandbytes",
    "torchao": "torchao",
    "compressed-tensors": "compressed_tensors",
    "hqq": "hqq",
    "quanto": "optimum.quanto",
}
# Layers whose cache holds each token's keys and values, so that it can be cut after any token.
_LAYERS_OF_TOKENS = {"full_attention", "sliding_attention", "chunked_attention"}
_SAMPLES, _SAMPLE_BYTES = 16, 65_536


@dataclass(frozen=True, slots=True)
class WeightOptions:
    """How weights are loaded; see TransformersBackend for the meaning of each.

    Raises:
        ConfigError: a word that is none of those known.
    """

    dtype: Dtype = "auto"
    device_map: str | dict[str, int | str] | None = None
    attn_implementation: Attention | None = None
    quantization: Quantization | None = None
    lora: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        _check_word("dtype", self.dtype, get_args(Dtype))
        _check_word("attn_implementation", self.attn_implementation, (None, *get_args(Attention)))
        _check_word("quantization", self.quantization, (None, *get_args(Quantization)))


def _check_word(setting: str, value: object, known: Sequence[object]) -> None:
    if value not in known:
        expected = " | ".join(map(repr, known))
        raise ConfigError(
            say(f"{setting}={value!r}: expected {expected}", f"{setting}={value!r} 无效，应为 {expected}"),
            setting=setting,
        )


def load_weights(folder: Path, options: WeightOptions, n_threads: int, runtime: Runtime) -> LoadedWeights:
    """The model in a checked folder.

    Raises:
        ConfigError: an option that this machine cannot do.
        MissingDependencyError: a package is not installed.
        ModelLoadError: the weights are incomplete or damaged, or the model is not one transformers knows.
    """
    with quiet():
        torch = optional_import("torch", extra="hf")
        transformers = optional_import("transformers", extra="hf")
    torch.set_num_threads(n_threads)
    on_gpu = options.device_map not in (None, "cpu") and torch.cuda.is_available()
    arguments = _arguments(torch, transformers, options, on_gpu=on_gpu)
    with quiet(transformers), runtime.errors_as(ModelLoadError, str(folder), hint=_load_hint()):
        config = transformers.AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        _refuse_merged_memory(folder, config)
        network, report = transformers.AutoModelForCausalLM.from_pretrained(
            str(folder),
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            **arguments,
        )
    _refuse_gaps(folder, report)
    if options.lora:
        with quiet(transformers), runtime.errors_as(ModelLoadError, _names(options.lora), hint=other_base_hint()):
            network = add_adapters(network, options.lora)
    return LoadedWeights(torch, transformers, network.eval(), weights_identity(folder, options))


def _arguments(torch: Any, transformers: Any, options: WeightOptions, *, on_gpu: bool) -> dict[str, Any]:  # noqa: ANN401
    arguments: dict[str, Any] = {
        "dtype": "auto" if options.dtype == "auto" else getattr(torch, options.dtype),
    }
    if options.device_map is not None:
        optional_import("accelerate", extra="hf")
        arguments["device_map"] = options.device_map
    if options.attn_implementation is not None:
        if options.attn_implementation == "flash_attention_2" and not (on_gpu and _installed("flash_attn")):
            raise _impossible("attn_implementation", "flash_attention_2", say("a GPU and the package", "GPU 和软件包"))
        arguments["attn_implementation"] = options.attn_implementation
    if options.quantization is not None:
        with quiet():
            arguments["quantization_config"] = _quantization(torch, transformers, options.quantization, on_gpu=on_gpu)
    return arguments


def _quantization(torch: Any, transformers: Any, kind: Quantization, *, on_gpu: bool) -> Any:  # noqa: ANN401
    optional_import("accelerate", extra="hf")
    if kind == "nf4":
        optional_import("bitsandbytes", extra="quantized")
        return transformers.BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16
        )
    if kind == "int4" and not on_gpu:
        raise _impossible(
            "quantization", "int4", say("a GPU; on a CPU use nf4 or int8", "GPU；在 CPU 上请用 nf4 或 int8")
        )
    torchao = optional_import("torchao.quantization", extra="quantized")
    config = torchao.Int8WeightOnlyConfig() if kind == "int8" else torchao.Int4WeightOnlyConfig()
    return transformers.TorchAoConfig(config)


def check_stored_quantization(folder: Path, config: Mapping[str, Any], requested: Quantization | None) -> None:
    """Return when weights that are stored quantized can be loaded here.

    Raises:
        ConfigError: they are to be quantized once more.
        ModelLoadError: the package that loads them is not installed.
    """
    stored = config.get("quantization_config")
    if not isinstance(stored, Mapping):
        return
    method = str(stored.get("quant_method", "?")).lower()
    if requested is not None:
        raise ConfigError(
            say(
                f"quantization={requested!r}: the weights in {str(folder)!r} are quantized already ({method})",
                f"quantization={requested!r}：{str(folder)!r} 中的权重已量化（{method}）",
            ),
            setting="quantization",
        )
    package = _LOADERS.get(method)
    if package is not None and not _installed(package):
        raise ModelLoadError(
            say(
                f"the weights in {str(folder)!r} are quantized by {method}, which needs the package {package!r}",
                f"{str(folder)!r} 中的权重由 {method} 量化，需要软件包 {package!r}",
            ),
            hint=say(
                f"install it (pip install {package}), or use the model's GGUF or unquantized weights",
                f"请安装它（pip install {package}），或使用该模型的 GGUF 或未量化权重",
            ),
        )


def _impossible(setting: str, value: str, needs: str) -> ConfigError:
    return ConfigError(
        say(
            f"{setting}={value!r} does not work on this machine: it needs {needs}",
            f"{setting}={value!r} 在本机不可用：它需要 {needs}",
        ),
        setting=setting,
    )


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package.partition(".")[0]) is not None


def _refuse_merged_memory(folder: Path, config: Any) -> None:  # noqa: ANN401
    """Layers that merge what they read into a state can take back no token, nor read a prompt in parts."""
    kinds = set(getattr(config.get_text_config(decoder=True), "layer_types", None) or ())
    if not kinds <= _LAYERS_OF_TOKENS:
        others = ", ".join(sorted(kinds - _LAYERS_OF_TOKENS))
        raise ModelLoadError(
            say(
                f"{str(folder)!r} is a {config.model_type!r} model, whose layers are not all attention ({others})",
                f"{str(folder)!r} 是 {config.model_type!r} 模型，含有非注意力层（{others}）",
            ),
            hint=say("convert it to GGUF and use from_gguf", "请转换为 GGUF 并使用 from_gguf"),
        )


def _refuse_gaps(folder: Path, report: dict[str, Any]) -> None:
    """Transformers draws missing weights at random and goes on."""
    missing = sorted(report["missing_keys"])
    if missing:
        raise ModelLoadError(
            say(
                f"{str(folder)!r} lacks {len(missing)} of the model's tensors: {', '.join(missing[:3])}",
                f"{str(folder)!r} 缺少模型的 {len(missing)} 个张量：{', '.join(missing[:3])}",
            ),
            hint=say(
                "the folder is incomplete, or its config.json is of another model: copy it again",
                "文件夹不完整，或 config.json 属于另一模型：请重新复制",
            ),
        )


@contextmanager
def quiet(transformers: Any = None) -> Iterator[None]:  # noqa: ANN401
    """No warning, log line or progress bar of the libraries while the block runs."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    reporting = transformers.utils.logging if transformers is not None else None
    had_bars = reporting is not None and reporting.is_progress_bar_enabled()
    if reporting is not None:
        reporting.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
        if had_bars and reporting is not None:
            reporting.enable_progress_bar()


def weights_identity(folder: Path, options: WeightOptions) -> str:
    """A hash that tells weights apart without reading gigabytes: sizes and samples of the files, and how loaded."""
    digest = hashlib.sha256(f"{options.dtype} {options.quantization}".encode())
    adapters = [file for lora in options.lora for file in sorted(lora.glob("adapter_*"))]
    for file in [folder / "config.json", *weight_files(folder), *adapters]:
        size = file.stat().st_size
        digest.update(f"{size};".encode())
        with file.open("rb") as opened:
            for place in range(_SAMPLES):
                opened.seek(place * max(0, size - _SAMPLE_BYTES) // (_SAMPLES - 1))
                digest.update(opened.read(_SAMPLE_BYTES))
    return digest.hexdigest()[:32]


def _names(folders: Sequence[Path]) -> str:
    return ", ".join(map(str, folders))


def _load_hint() -> str:
    return say(
        "check that the folder is complete and that its model_type is one transformers knows; code in it is never run",
        "请检查文件夹是否完整、model_type 是否为 transformers 所支持；其中的代码不会被执行",
    )
