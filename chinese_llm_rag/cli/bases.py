"""Commands on whole knowledge bases: which there are, deleting one, carrying one to another machine."""

from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from chinese_llm_rag import console
from chinese_llm_rag.cli.app import kb_app
from chinese_llm_rag.cli.model_pages import byte_progress
from chinese_llm_rag.cli.options import EXAMPLE, Home, Json, Kb, load, option, settings_of
from chinese_llm_rag.language import say

Sources = Annotated[bool, option("The files that the base was made of go along.", "一并导出原始文件。", "--sources")]
Models = Annotated[
    bool,
    option(
        "The models of the settings go along: a bundle for a machine without a network.",
        "一并导出所用的模型，供没有网络的机器使用。",
        "--models",
    ),
]
Force = Annotated[bool, option("Replace a file of this name.", "覆盖同名文件。", "--force")]
Yes = Annotated[bool, option("Do not ask.", "不再询问。", "--yes")]


@kb_app.command(
    "list", help=say("The knowledge bases of this home.", "列出所有知识库。"), epilog=f"{EXAMPLE}: clrag kb list"
)
def list_bases(context: typer.Context, home: Home = None, *, json: Json = False) -> None:
    from chinese_llm_rag.wiring import statuses  # noqa: PLC0415

    found = statuses(settings_of(context, home=home))
    if json:
        console.out_json([{"name": name, **status.to_dict()} for name, status in found.items()])
        return
    for name, status in found.items():
        files = say(
            f"{status.n_files} files, {status.n_chunks} chunks", f"{status.n_files} 个文件，{status.n_chunks} 个片段"
        )
        console.out(f"{name}  {files}  {status.size_bytes / 1e6:.1f} MB")
    if not found:
        console.note(say("none yet; make one with: clrag ingest PATH", "还没有知识库；可用 clrag ingest 路径 建立"))


@kb_app.command(
    help=say("Delete a knowledge base, not the files it was made of.", "删除知识库（不删除原始文件）。"),
    epilog=f"{EXAMPLE}: clrag kb delete 旧资料 --yes",
)
def delete(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help=say("Its name.", "知识库名称。"), metavar="NAME")],
    *,
    yes: Yes = False,
    home: Home = None,
) -> None:
    from chinese_llm_rag.knowledge_base.named import delete_base  # noqa: PLC0415

    folder = settings_of(context, home=home, kb=name).kb_folder
    if not yes:
        typer.confirm(say(f"delete the knowledge base {name!r}?", f"删除知识库 {name!r}？"), abort=True, err=True)
    delete_base(folder)
    console.out(say(f"deleted {name}", f"已删除 {name}"))


@kb_app.command(
    help=say("Write the knowledge base into one file.", "将知识库导出为一个文件。"),
    epilog=f"{EXAMPLE}: clrag kb export 资料.clrag --sources --models",
)
def export(
    context: typer.Context,
    archive: Annotated[Path, typer.Argument(help=say("The file to write.", "要写入的文件。"), metavar="ARCHIVE")],
    *,
    sources: Sources = False,
    models: Models = False,
    force: Force = False,
    home: Home = None,
    kb: Kb = None,
    json: Json = False,
) -> None:
    from chinese_llm_rag.wiring import export_knowledge_base  # noqa: PLC0415

    settings = settings_of(context, home=home, kb=kb)
    with byte_progress() as progress:
        report = export_knowledge_base(
            settings, archive, sources=sources, models=models, overwrite=force, on_progress=progress
        )
    if json:
        console.out_json(report.to_dict())
        return
    console.out(
        say(
            f"{report.path}: {report.n_files} files, {report.n_chunks} chunks, {report.n_sources} source files, "
            f"{len(report.models)} models, {report.size_bytes / 1e6:.1f} MB",
            f"{report.path}：{report.n_files} 个文件，{report.n_chunks} 个片段，{report.n_sources} 个原始文件，"
            f"{len(report.models)} 个模型，{report.size_bytes / 1e6:.1f} MB",
        )
    )
    for missing in report.missing_sources:
        reason = say("it is gone", "已不存在") if missing.reason == "gone" else say("it has changed", "内容已变化")
        console.note(say(f"not carried along: {missing.file} ({reason})", f"未能一并导出：{missing.file}（{reason}）"))


@kb_app.command(
    "import",
    help=say("Make a knowledge base of such a file.", "从导出的文件建立知识库。"),
    epilog=f"{EXAMPLE}: clrag kb import 资料.clrag --kb 资料",
)
def import_archive(
    context: typer.Context,
    archive: Annotated[Path, typer.Argument(help=say("The file.", "导出的文件。"), metavar="ARCHIVE")],
    *,
    home: Home = None,
    kb: Kb = None,
    json: Json = False,
) -> None:
    from chinese_llm_rag.wiring import import_knowledge_base  # noqa: PLC0415

    loaded = load(context, home=home, kb=kb)
    with byte_progress() as progress:
        report = import_knowledge_base(loaded.settings, archive, on_progress=progress)
    if json:
        console.out_json(report.to_dict())
        return
    console.out(
        say(
            f"{loaded.settings.kb}: {report.n_files} files, {report.n_chunks} chunks",
            f"{loaded.settings.kb}：{report.n_files} 个文件，{report.n_chunks} 个片段",
        )
    )
    chosen = {name: value for name, value in report.settings.items() if name != "embedding_model"}
    if chosen:
        file = loaded.settings.home / "config.toml"
        console.note(say(f"to use its models, put into {file}:", f"要使用其中的模型，请在 {file} 中写入："))
        for name, value in chosen.items():
            console.out(f"{name} = {dumps(value, ensure_ascii=False)}")
