"""Commands that keep a knowledge base in order."""

from typing import Annotated

import typer

from chinese_llm_rag import console
from chinese_llm_rag.cli.app import kb_app
from chinese_llm_rag.cli.options import (
    EXAMPLE,
    ChunkSize,
    EmbeddingKind,
    EmbeddingModel,
    Home,
    Json,
    Kb,
    Overlap,
    ParentSize,
    option,
    settings_of,
)
from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say

Splitter = Annotated[
    bool,
    option("Cut anew: with the sizes given, or the usual ones.", "按给定的大小（或默认大小）重新切分。", "--splitter"),
]


@kb_app.command(
    help=say("Check stored texts, vectors and words against each other.", "互相核对存储的文本、向量和词语索引。"),
    epilog=f"{EXAMPLE}: clrag kb verify",
)
def verify(context: typer.Context, home: Home = None, kb: Kb = None, *, json: Json = False) -> None:
    from chinese_llm_rag.wiring import open_knowledge_base  # noqa: PLC0415

    with open_knowledge_base(settings_of(context, home=home, kb=kb)) as base:
        findings = base.verify()
    if json:
        console.out_json([finding.to_dict() for finding in findings])
    else:
        console.print_findings(findings)
    if findings:
        console.note(say("hint: mend it with: clrag kb repair", "hint: 可用 clrag kb repair 修复"))
        raise typer.Exit(1)


@kb_app.command(
    help=say("Mend what verify finds, without reading or embedding again.", "修复 verify 发现的问题，不重新读取文件。"),
    epilog=f"{EXAMPLE}: clrag kb repair",
)
def repair(context: typer.Context, home: Home = None, kb: Kb = None, *, json: Json = False) -> None:
    from chinese_llm_rag.wiring import open_knowledge_base  # noqa: PLC0415

    with open_knowledge_base(settings_of(context, home=home, kb=kb)) as base:
        report = base.repair()
    if json:
        console.out_json(report.to_dict())
        return
    console.print_findings(report.findings)
    if report.findings:
        console.out(say("mended", "已修复"))
    for path in report.to_read_again:
        console.note(say(f"ingest again: {path}", f"请重新导入：{path}"))


@kb_app.command(
    help=say("Give back the space of what was removed.", "释放已删除内容占用的空间。"),
    epilog=f"{EXAMPLE}: clrag kb compact",
)
def compact(context: typer.Context, home: Home = None, kb: Kb = None, *, json: Json = False) -> None:
    from chinese_llm_rag.wiring import open_knowledge_base  # noqa: PLC0415

    with open_knowledge_base(settings_of(context, home=home, kb=kb)) as base:
        won = base.compact()
    if json:
        console.out_json({"bytes_won": won})
    else:
        console.out(say(f"{won / 1e6:.1f} MB won", f"释放了 {won / 1e6:.1f} MB"))


@kb_app.command(
    help=say(
        "Change the embedding model or the splitter; the old index serves until the new one is whole.",
        "更换嵌入模型或切分方式；新索引建好之前继续使用旧索引。",
    ),
    epilog=f"{EXAMPLE}: clrag kb reindex --embeddings sentence-transformers --embedding-model ~/bge-small-zh",
)
def reindex(
    context: typer.Context,
    *,
    embeddings: EmbeddingKind = None,
    embedding_model: EmbeddingModel = None,
    splitter: Splitter = False,
    chunk_size: ChunkSize = None,
    chunk_overlap: Overlap = None,
    parent_size: ParentSize = None,
    home: Home = None,
    kb: Kb = None,
    json: Json = False,
) -> None:
    from chinese_llm_rag.wiring import reindex as reindex_base  # noqa: PLC0415

    sizes = {"chunk_size": chunk_size, "chunk_overlap": chunk_overlap, "parent_size": parent_size}
    splitter = splitter or any(value is not None for value in sizes.values())
    if not splitter and embeddings is None and embedding_model is None:
        raise ConfigError(
            say("neither --embeddings nor --splitter was given", "没有给出 --embeddings 或 --splitter"),
            setting="embeddings",
            origin="flag --embeddings",
            hint=say("say what to change", "请指定要更换的内容"),
        )
    settings = settings_of(context, home=home, kb=kb, embeddings=embeddings, embedding_model=embedding_model, **sizes)
    with console.ingest_progress() as progress:
        try:
            done = reindex_base(
                settings,
                embeddings=embeddings is not None or embedding_model is not None,
                splitter=splitter,
                on_progress=progress,
            )
        except KeyboardInterrupt:
            console.note(say("interrupted; run the same command again to go on", "已中断；再次运行同一命令即可继续"))
            raise
    if json:
        console.out_json({"changed": done})
    elif done:
        console.out(say("the new index is in force", "新索引已启用"))
    else:
        console.out(say("the base is built so already", "知识库已是这样建立的，无需更改"))
