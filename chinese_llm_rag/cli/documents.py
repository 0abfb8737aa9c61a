"""Commands on the documents of a knowledge base."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chinese_llm_rag import console
from chinese_llm_rag.cli.app import app
from chinese_llm_rag.cli.filters import note_no_match, with_filter_options
from chinese_llm_rag.cli.inputs import given_text
from chinese_llm_rag.cli.options import (
    EXAMPLE,
    ChunkSize,
    EmbeddingKind,
    EmbeddingModel,
    Encoding,
    Home,
    Json,
    K,
    Kb,
    Mode,
    NoOcr,
    Overlap,
    ParentSize,
    Password,
    Prune,
    Reranker,
    Synonyms,
    option,
    settings_of,
)
from chinese_llm_rag.language import say

if TYPE_CHECKING:
    from chinese_llm_rag.knowledge_base import PassageFilter

Reread = Annotated[
    bool,
    option(
        "Read unchanged files again, for example after OCR was installed.",
        "重新读取未变化的文件，例如在安装 OCR 之后。",
        "--reread",
    ),
]

Tags = Annotated[
    list[str] | None, option("Tag for these files; may be repeated.", "给这些文件加标签，可重复给出。", "--tag")
]


@app.command(
    help=say("Take in files and folders.", "导入文件和文件夹。"), epilog=f"{EXAMPLE}: clrag ingest ~/文档 合同.pdf"
)
def ingest(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help=say("Files and folders.", "文件和文件夹。"), metavar="PATH")],
    *,
    home: Home = None,
    kb: Kb = None,
    chunk_size: ChunkSize = None,
    chunk_overlap: Overlap = None,
    parent_size: ParentSize = None,
    embeddings: EmbeddingKind = None,
    embedding_model: EmbeddingModel = None,
    encoding: Encoding = None,
    password: Password = None,
    no_ocr: NoOcr = False,
    prune: Prune = False,
    reread: Reread = False,
    tag: Tags = None,
    json: Json = False,
) -> None:
    from chinese_llm_rag.document_loaders.page_texts import LoadOptions  # noqa: PLC0415
    from chinese_llm_rag.wiring import open_knowledge_base  # noqa: PLC0415

    settings = settings_of(
        context,
        home=home,
        kb=kb,
        chunk_size=chunk_size,
        chunk_overlap=chunk_overlap,
        parent_size=parent_size,
        embeddings=embeddings,
        embedding_model=embedding_model,
    )
    options = LoadOptions(encoding, tuple(password or ()), not no_ocr)
    with open_knowledge_base(settings, search=True, create=True) as base, console.ingest_progress() as progress:
        try:
            report = base.ingest(
                paths, options=options, prune=prune, reread=reread, tags=tag or (), on_progress=progress
            )
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
    "list", help=say("The files of the knowledge base.", "列出知识库中的文件。"), epilog=f"{EXAMPLE}: clrag list"
)
def list_files(context: typer.Context, home: Home = None, kb: Kb = None, *, json: Json = False) -> None:
    from chinese_llm_rag.wiring import open_knowledge_base  # noqa: PLC0415

    with open_knowledge_base(settings_of(context, home=home, kb=kb)) as base:
        records = base.files()
    if json:
        console.out_json([record.to_dict() for record in records])
    else:
        console.print_files(records)


@app.command(
    help=say("Remove files, or all files of a folder.", "删除文件，或某个文件夹下的所有文件。"),
    epilog=f"{EXAMPLE}: clrag remove 合同.pdf",
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

    with open_knowledge_base(settings_of(context, home=home, kb=kb)) as base:
        removed = base.remove(paths)
    if json:
        console.out_json({"removed": removed})
    else:
        for name in removed:
            console.out(say(f"removed {name}", f"已删除 {name}"))


@app.command(
    help=say("Find passages, best first.", "检索段落，按相关程度排列。"),
    epilog=f"{EXAMPLE}: clrag search -k 5 违约责任",
)
@with_filter_options
def search(
    context: typer.Context,
    query: Annotated[
        str, typer.Argument(help=say("What to look for; - reads stdin.", "检索词；- 表示从标准输入读取。"))
    ],
    *,
    k: K = None,
    mode: Mode = None,
    synonyms: Synonyms = None,
    reranker: Reranker = None,
    passage_filter: "PassageFilter | None",
    home: Home = None,
    kb: Kb = None,
    json: Json = False,
) -> None:
    from chinese_llm_rag.wiring import open_knowledge_base, search_passages  # noqa: PLC0415

    text = given_text(query, "QUERY")
    settings = settings_of(context, home=home, kb=kb, k=k, search_mode=mode, synonyms=synonyms, reranker=reranker)
    with open_knowledge_base(settings, search=True) as base:
        note_no_match(base, passage_filter)
        passages = search_passages(settings, base, text, passage_filter)
        furniture = [] if passage_filter else base.furniture(text)
    if json:
        console.out_json([passage.to_dict() for passage in passages])
    else:
        console.print_passages(passages)
        console.note_furniture(furniture)


@app.command(help=say("What the knowledge base holds.", "查看知识库概况。"), epilog=f"{EXAMPLE}: clrag status --json")
def status(context: typer.Context, home: Home = None, kb: Kb = None, *, json: Json = False) -> None:
    from chinese_llm_rag.wiring import open_knowledge_base  # noqa: PLC0415

    with open_knowledge_base(settings_of(context, home=home, kb=kb)) as base:
        values = base.status().to_dict()
    if json:
        console.out_json(values)
    else:
        console.print_pairs(values.items())
