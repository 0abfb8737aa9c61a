"""The command that summarizes files."""

from pathlib import Path
from typing import Annotated

import typer

from chinese_llm_rag import console
from chinese_llm_rag.cli.app import app
from chinese_llm_rag.cli.options import (
    EXAMPLE,
    Encoding,
    Home,
    Json,
    NoOcr,
    Password,
    option,
    settings_of,
    with_model_options,
)
from chinese_llm_rag.cli.summary_pages import print_summary, step_progress
from chinese_llm_rag.language import say

Length = Annotated[int, option("About how many characters.", "摘要的大致字数。", "--length")]
Bullets = Annotated[bool, option("Bullet points.", "以要点列出。", "--bullets")]
Focus = Annotated[str, option("What it is to be about most.", "着重说明的内容。", "--focus")]
Strategy = Annotated[
    str, option("auto, stuff, map-reduce or refine.", "auto、stuff、map-reduce 或 refine。", "--strategy")
]
Extractive = Annotated[
    bool,
    option("Quote the most telling sentences, without a model.", "不用语言模型，摘录重要的原句。", "--extractive"),
]


@app.command(
    help=say("Summarize files, with what each sentence rests on.", "概括文件内容，并注明每句话的依据。"),
    epilog=f"{EXAMPLE}: clrag summarize 年报.pdf --length 300 --bullets",
)
@with_model_options
def summarize(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help=say("Files and folders.", "文件和文件夹。"), metavar="FILE")],
    *,
    length: Length = 400,
    bullets: Bullets = False,
    focus: Focus = "",
    strategy: Strategy = "auto",
    extractive: Extractive = False,
    encoding: Encoding = None,
    password: Password = None,
    no_ocr: NoOcr = False,
    model_options: dict[str, object],
    home: Home = None,
    json: Json = False,
) -> None:
    from chinese_llm_rag.chains.summarize import Wanted  # noqa: PLC0415
    from chinese_llm_rag.document_loaders.page_texts import LoadOptions  # noqa: PLC0415
    from chinese_llm_rag.summarizing import build_summarizer, load_documents  # noqa: PLC0415

    wanted = Wanted(length, "bullets" if bullets else "paragraph", focus)
    settings = settings_of(context, home=home, **model_options)
    documents, problems = load_documents(paths, LoadOptions(encoding, tuple(password or ()), not no_ocr))
    for problem in problems:
        console.note(say(f"note: {problem}", f"注意：{problem}"))
    with step_progress() as progress:
        chain = build_summarizer(
            settings,
            wanted=wanted,
            strategy=strategy,  # type: ignore[arg-type]  # the chain says which there are
            extractive=extractive,
            on_progress=progress,
        )
        if json:
            console.out_json(chain.invoke(documents).to_dict())
        else:
            print_summary(chain.stream(documents))
