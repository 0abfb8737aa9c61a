"""Find a Hugging Face model on this machine, and tell it from what people give by mistake, before torch is loaded."""

from collections.abc import Iterator
from pathlib import Path

from chinese_llm_rag._optional import optional_import
from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.hf.tokenizer import read_json
from chinese_llm_rag.offline import forbid_calling_home

_LFS_POINTER = b"version https://git-lfs"
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")


def find_folder(model: str | Path, revision: str | None = None) -> Path:
    """The folder a model lies in: itself, or where the hub's cache has the name. Nothing is downloaded.

    Raises:
        MissingDependencyError: huggingface_hub is not installed.
        ModelLoadError: it is neither.
    """
    folder = Path(model)
    if folder.is_dir():
        return folder
    forbid_calling_home()
    hub = optional_import("huggingface_hub", extra="hf")
    try:
        return Path(hub.snapshot_download(str(model), revision=revision, local_files_only=True))
    except (OSError, ValueError) as error:  # not in the cache; not a hub name
        wanted = f"{str(model)!r}" + (f" (revision {revision!r})" if revision else "")
        raise ModelLoadError(
            say(
                f"the model {wanted} is neither a folder nor in the local cache",
                f"模型 {wanted} 既不是文件夹，也不在本地缓存中",
            ),
            hint=say(
                "get it with `chinese-llm-rag models fetch`, and give the folder's path",
                "请用 `chinese-llm-rag models fetch` 获取它，并给出文件夹路径",
            ),
        ) from error


def check_model_folder(folder: Path) -> None:
    """Return when the folder holds a configuration and whole weights.

    Raises:
        ModelLoadError: it does not; the message says what it holds instead.
    """
    if not (folder / "config.json").is_file():
        raise _without_config(folder)
    weights = weight_files(folder)
    if not weights:
        raise _refused(
            say(f"{str(folder)!r} has no weights", f"{str(folder)!r} 中没有权重文件"),
            say("it needs *.safetensors (or pytorch_model*.bin) files", "应有 *.safetensors（或 pytorch_model*.bin）"),
        )
    missing = sorted({name for name in _shards(folder) if not (folder / name).is_file()})
    if missing:
        raise _refused(
            say(
                f"{str(folder)!r} lacks {len(missing)} of its weight files: {', '.join(missing[:3])}",
                f"{str(folder)!r} 缺少 {len(missing)} 个权重文件：{', '.join(missing[:3])}",
            ),
            say("copy or fetch the missing files", "请复制或下载缺少的文件"),
        )
    for file in weights:
        with file.open("rb") as opened:
            if opened.read(len(_LFS_POINTER)) == _LFS_POINTER:
                raise _refused(
                    say(f"{str(file)!r} is a Git LFS pointer, not weights", f"{str(file)!r} 是 Git LFS 指针，不是权重"),
                    say("fetch the file itself, with git lfs pull", "请用 git lfs pull 下载文件本身"),
                )


def check_lora_folder(folder: Path) -> None:
    """Return when the folder holds a LoRA adapter.

    Raises:
        ModelLoadError: it does not.
    """
    if (folder / "adapter_config.json").is_file() and any(folder.glob("adapter_model.*")):
        return
    if (folder / "config.json").is_file():
        raise _refused(
            say(f"lora={str(folder)!r} is a whole model, not a LoRA adapter", f"lora={str(folder)!r} 是完整模型"),
            say("give it as the model", "请把它作为 model 传入"),
        )
    raise _refused(
        say(
            f"lora={str(folder)!r} is not a LoRA adapter: it lacks adapter_config.json or adapter_model.*",
            f"lora={str(folder)!r} 不是 LoRA 适配器：缺少 adapter_config.json 或 adapter_model.*",
        ),
        say("copy the adapter's folder again, with all its files", "请重新复制适配器文件夹及其全部文件"),
    )


def weight_files(folder: Path) -> list[Path]:
    """The files the weights lie in: safetensors where there are any, as transformers chooses."""
    for pattern in _WEIGHTS:
        files = [file for file in sorted(folder.glob(pattern)) if not file.name.startswith("adapter_model")]
        if files:
            return files
    return []


def _shards(folder: Path) -> Iterator[str]:
    """Names of weight files that the index of the weights in use lists."""
    if (folder / "model.safetensors").is_file():
        return
    for name in ("model.safetensors.index.json", "pytorch_model.bin.index.json"):
        if (folder / name).is_file():
            yield from read_json(folder / name).get("weight_map", {}).values()
            return


def _without_config(folder: Path) -> ModelLoadError:
    adapter = folder / "adapter_config.json"
    if adapter.is_file():
        base = read_json(adapter).get("base_model_name_or_path") or "?"
        return _refused(
            say(
                f"{str(folder)!r} is a LoRA without its base: it is only the difference to {base!r}",
                f"{str(folder)!r} 是 LoRA，缺少基座模型：它只是相对 {base!r} 的增量",
            ),
            say(
                "give the base as the model and this folder as lora=[...], or merge them with `models merge`",
                "请把基座作为 model、本文件夹作为 lora=[...] 传入，或用 `models merge` 合并",
            ),
        )
    if any(folder.glob("*.gguf")):
        return _refused(
            say(f"{str(folder)!r} holds GGUF files, not a Hugging Face model", f"{str(folder)!r} 中是 GGUF 文件"),
            say("use from_gguf with one of the files", "请对其中一个文件使用 from_gguf"),
        )
    if (folder / "params.json").is_file():
        return _refused(
            say(f"{str(folder)!r} is in Meta's own format", f"{str(folder)!r} 是 Meta 原始格式"),
            say("convert it to Hugging Face format first", "请先转换为 Hugging Face 格式"),
        )
    return _refused(
        say(f"{str(folder)!r} has no config.json", f"{str(folder)!r} 中没有 config.json"),
        say(
            "give a folder with config.json, weights and tokenizer",
            "请给出包含 config.json、权重和分词器的文件夹",
        ),
    )


def _refused(message: str, hint: str) -> ModelLoadError:
    return ModelLoadError(message, hint=hint)


def read_config(folder: Path) -> dict[str, object]:
    """The content of config.json.

    Raises:
        ModelLoadError: it is damaged, or is no causal language model's.
    """
    config = read_json(folder / "config.json")
    if "model_type" not in config:
        raise _refused(
            say(
                f"{str(folder / 'config.json')!r} does not say which model it is of (model_type)",
                f"{str(folder / 'config.json')!r} 没有说明模型类型（model_type）",
            ),
            say("copy the model's folder again", "请重新复制模型文件夹"),
        )
    return config
