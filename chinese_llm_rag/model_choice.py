"""Settings -> a loaded model: which runtime, which file or folder, and what it is told.

A runtime is one branch here and one file in llms.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say
from chinese_llm_rag.models import PACKAGED, packaged_model
from chinese_llm_rag.settings import Settings

if TYPE_CHECKING:
    from chinese_llm_rag.llms.backend import Backend
    from chinese_llm_rag.llms.rope import RopeSpec

RuntimeName = Literal["llamacpp", "xllamacpp", "transformers", "server"]
_GGUF_RUNTIMES = ("llamacpp", "xllamacpp")
# What a runtime has no use for: set by the user, it is an error rather than ignored.
_FOREIGN: dict[RuntimeName, tuple[str, ...]] = {
    "llamacpp": ("dtype", "device_map", "attn_implementation", "quantization", "server_url", "server_tokenizer"),
    "xllamacpp": ("dtype", "device_map", "attn_implementation", "quantization", "server_url", "server_tokenizer"),
    "transformers": ("model_path", "server_url", "server_tokenizer", "n_gpu_layers", "kv_type"),
    "server": (
        *("model_path", "rope", "override_rope", "kv_type", "lora", "draft_model", "n_gpu_layers"),
        *("dtype", "device_map", "attn_implementation", "quantization"),
    ),
}

# What temperature, repetition_penalty and max_tokens are where the user set none.
_SAMPLING: dict[Literal["chat", "base"], dict[str, Any]] = {
    "chat": {"temperature": 0.2, "repetition_penalty": 1.1, "max_tokens": 400},
    "base": {"temperature": 0.0, "repetition_penalty": 1.0, "max_tokens": 64},
}


def sampling_of(settings: Settings, kind: Literal["chat", "base"]) -> dict[str, Any]:
    """How a model is sampled: what the user set, and what suits its kind where nothing is set."""
    recommended = _SAMPLING[kind]
    own = {name: value for name in recommended if (value := getattr(settings, name)) is not None}
    return {**recommended, "top_k": settings.top_k, "top_p": settings.top_p, "seed": settings.seed, **own}


def build_backend(settings: Settings) -> "Backend":
    """The model of the settings, loaded, or the server that has it.

    Raises:
        ConfigError: no such model is known, or a setting means nothing to the runtime.
        MissingDependencyError: the runtime is not installed.
        ModelLoadError: the model is missing, damaged, or does not fit the memory.
    """
    runtime, place = choose(settings)
    _check_foreign(settings, runtime)
    if runtime == "server":
        return _server(settings)
    options: dict[str, Any] = {
        "context_window": _window(settings),
        "n_threads": settings.n_threads,
        "n_batch": settings.n_batch,
        "rope": parse_rope(settings.rope) if settings.rope is not None else None,
        "override_rope": settings.override_rope,
        "lora": [str(path.expanduser()) for path in settings.lora],
        "draft_model": settings.draft_model.expanduser() if settings.draft_model else None,
        "prompt_lookup": settings.prompt_lookup and settings.draft_model is None,
        "prefix_bytes": settings.prefix_bytes,
    }
    if runtime == "transformers":
        return _transformers(settings, place, options)
    options |= {"n_gpu_layers": settings.n_gpu_layers, "kv_type": settings.kv_type}
    if runtime == "xllamacpp":
        from chinese_llm_rag.llms.xllamacpp import XllamacppBackend  # noqa: PLC0415

        return XllamacppBackend(place, **options)
    from chinese_llm_rag.llms.llamacpp import LlamaCppBackend  # noqa: PLC0415

    return LlamaCppBackend(place, **options)


def has_model(settings: Settings) -> bool:
    """Whether the settings name a model, or the packaged one that stands in for it is installed."""
    named = settings.model or settings.model_path or settings.server_url or settings.runtime == "server"
    packaged = PACKAGED[0]
    unpacked = settings.models_folder / packaged.file_name
    return bool(named) or unpacked.is_file() or find_spec(packaged.module) is not None


def choose(settings: Settings) -> tuple[RuntimeName, Path | str]:
    """The runtime of the settings, and the file, folder, hub name or address that it is to load.

    A packaged model is unpacked into the home when first used.
    """
    if settings.server_url is not None and settings.runtime in ("auto", "server"):
        return "server", settings.server_url
    if settings.runtime == "server":
        raise ConfigError(
            say("runtime='server' needs server_url", "runtime='server' 需要 server_url"),
            setting="server_url",
            hint=say("give its address (--server-url)", "请给出服务器地址（--server-url）"),
        )
    place = _place(settings)
    is_gguf = isinstance(place, Path) and not place.is_dir()
    runtime: RuntimeName = settings.runtime if settings.runtime != "auto" else _natural(is_gguf=is_gguf)
    if (runtime in _GGUF_RUNTIMES) != is_gguf:
        wanted = say("a GGUF file", "GGUF 文件") if runtime in _GGUF_RUNTIMES else say("a folder", "文件夹")
        raise ConfigError(
            say(
                f"runtime={runtime!r} needs {wanted}, and the model is {str(place)!r}",
                f"runtime={runtime!r} 需要{wanted}，而模型是 {str(place)!r}",
            ),
            setting="runtime",
            hint=say("leave runtime out to have the right one", "不设置 runtime 即会自动选择"),
        )
    return runtime, place


def _natural(*, is_gguf: bool) -> RuntimeName:
    return "llamacpp" if is_gguf else "transformers"


def _place(settings: Settings) -> Path | str:
    if settings.model_path is not None:
        return settings.model_path.expanduser()
    name = settings.model if settings.model is not None else PACKAGED[0].name
    if packaged_model(name) is not None:
        from chinese_llm_rag.llms.packaged import packaged_model_path  # noqa: PLC0415

        return packaged_model_path(name, settings.models_folder)
    from chinese_llm_rag.model_tools.installed import installed_model  # noqa: PLC0415

    fetched = installed_model(name, settings.models_folder)
    if fetched is not None:
        return fetched
    path = Path(name).expanduser()
    if path.is_dir():
        return path
    if path.is_file():
        raise ConfigError(
            say(f"model={name!r} is a file", f"model={name!r} 是一个文件"),
            setting="model",
            hint=say("give a GGUF file as model_path (--model-path)", "GGUF 文件请用 model_path（--model-path）指定"),
        )
    if name.count("/") == 1:  # a hub name, which may be in the local cache
        return name
    raise ConfigError(
        say(
            f"model={name!r} is neither a packaged nor a fetched model, nor a folder",
            f"model={name!r} 既不是内置或已下载的模型，也不是文件夹",
        ),
        setting="model",
        hint=say(
            "`clrag models list` shows the names, `clrag models fetch NAME` gets one",
            "`clrag models list` 列出名称，`clrag models fetch NAME` 下载模型",
        ),
    )


def _window(settings: Settings) -> int | None:
    """The window to load: the user's, a packaged model's default one, else (None) what the model was trained for."""
    if settings.context_window is not None or settings.model_path is not None:
        return settings.context_window
    packaged = packaged_model(settings.model if settings.model is not None else PACKAGED[0].name)
    return packaged.default_window if packaged else None


def _transformers(settings: Settings, place: Path | str, options: dict[str, Any]) -> "Backend":
    from chinese_llm_rag.llms.huggingface import TransformersBackend  # noqa: PLC0415

    return TransformersBackend(
        place,
        dtype=settings.dtype,
        device_map=settings.device_map,
        attn_implementation=settings.attn_implementation,
        quantization=settings.quantization,
        **options,
    )


def _server(settings: Settings) -> "Backend":
    from chinese_llm_rag.llms.server import ServerBackend  # noqa: PLC0415

    assert settings.server_url is not None
    return ServerBackend(
        settings.server_url,
        settings.model,
        api_key=settings.server_key.get_secret_value() if settings.server_key else None,
        context_window=settings.context_window,
        mode=settings.server_mode,
        tokenizer=settings.server_tokenizer,
    )


def _check_foreign(settings: Settings, runtime: RuntimeName) -> None:
    for name in _FOREIGN[runtime]:
        value = getattr(settings, name)
        if value != type(settings).model_fields[name].default:
            raise ConfigError(
                say(f"{name}={value!s}: {runtime} has no such setting", f"{name}={value!s}：{runtime} 没有这项设置"),
                setting=name,
                hint=say("leave it out, or choose another runtime", "请去掉它，或换用其他 runtime"),
            )


def parse_rope(text: str) -> "RopeSpec":
    """The RoPE that a short text asks for: "linear:4", "yarn:16", "ntk:2" (alpha), "adaptive_ntk", "none".

    Raises:
        ConfigError: another form, or a number out of range.
    """
    from chinese_llm_rag.llms.rope import RopeSpec  # noqa: PLC0415  # brings numpy

    method, _, number = text.partition(":")
    try:
        value = float(number) if number else None
        if method in ("linear", "yarn") and value is not None:
            return RopeSpec(method, factor=value)  # type: ignore[arg-type]  # one of two literals
        if method == "ntk" and value is not None:
            return RopeSpec("ntk", alpha=value)
        if method == "adaptive_ntk":
            return RopeSpec("adaptive_ntk", coefficient=1.0 if value is None else value)
        if method == "none" and value is None:
            return RopeSpec()
    except ConfigError:
        raise
    except ValueError:
        pass
    expected = "linear:FACTOR, yarn:FACTOR, ntk:ALPHA, adaptive_ntk, none"
    raise ConfigError(
        say(f"rope={text!r}: expected one of {expected}", f"rope={text!r} 无效，应为以下之一：{expected}"),
        setting="rope",
    )
