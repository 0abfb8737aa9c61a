"""Settings changed from the page: checked as a whole, then written to the settings file, other lines as they were."""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say
from chinese_llm_rag.settings import FILE_NAME, Settings

MODEL_SETTINGS = frozenset({"model", "model_path", "context_window", "n_gpu_layers", "max_tokens", "temperature"})


def changed(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """The settings with these values; None is the default.

    Raises:
        ConfigError: a value that cannot work.
    """
    values = settings.model_dump()
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    values |= {name: defaults[name] if value is None else value for name, value in changes.items()}
    try:
        return Settings.model_validate(values)
    except ValueError as error:  # pydantic's own
        raise ConfigError(" ".join(str(error).split()), setting=min(changes, default=None)) from error


def save(home: Path, changes: Mapping[str, Any]) -> None:
    """Write values to the settings file; None takes a setting out of it.

    Raises:
        ConfigError: the file is not as a person writes it, and would not say the same afterwards.
    """
    file = home / FILE_NAME
    before = file.read_text(encoding="utf-8-sig") if file.exists() else ""
    kept = [line for line in before.splitlines() if _name(line) not in changes]
    added = [f"{name} = {_value(value)}" for name, value in changes.items() if value is not None]
    after = "\n".join([*added, *kept]) + "\n"  # first, since what follows a [table] would belong to it
    wanted = {**tomllib.loads(before), **{name: _plain(value) for name, value in changes.items()}}
    if tomllib.loads(after) != {name: value for name, value in wanted.items() if value is not None}:
        raise ConfigError(
            say(f"cannot change {str(file)!r}", f"无法修改 {str(file)!r}"),
            hint=say("change it by hand", "请手动修改"),
        )
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f"{FILE_NAME}.new")
    draft.write_text(after, encoding="utf-8")
    draft.replace(file)


def _name(line: str) -> str | None:
    match = re.match(r"\s*(\w+)\s*=", line)
    return match[1] if match else None


def _plain(value: Any) -> Any:  # noqa: ANN401  (any value of a setting)
    return str(value) if isinstance(value, Path) else value


def _value(value: Any) -> str:  # noqa: ANN401
    """A value as TOML writes it, which for texts, numbers and truth is as JSON does."""
    return json.dumps(_plain(value), ensure_ascii=False).replace("\x7f", "\\u007f")
