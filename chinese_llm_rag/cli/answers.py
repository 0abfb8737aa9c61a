"""Commands that ask a model."""

from typing import Annotated

import typer

from chinese_llm_rag import console
from chinese_llm_rag.cli.app import app
from chinese_llm_rag.cli.inputs import given_text, next_line
from chinese_llm_rag.cli.options import (
    EXAMPLE,
    Home,
    Json,
    K,
    Kb,
    MaxTokens,
    Mode,
    Model,
    ModelPath,
    Seed,
    Temperature,
    Template,
    Window,
    settings_of,
)
from chinese_llm_rag.errors import RagError
from chinese_llm_rag.language import say


@app.command(
    help=say("Answer a question from the documents.", "根据文档回答问题。"),
    epilog=f"{EXAMPLE}: clrag ask 保修期是多久？",
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

    text = given_text(question, "QUESTION")
    settings = settings_of(
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
    epilog=f"{EXAMPLE}: clrag chat  ({say('/exit or the end of input ends it', '/exit 或输入结束时退出')})",
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

    settings = settings_of(
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
        while (text := next_line(say("question> ", "问题> "))) not in (None, "/exit"):
            try:
                if text:
                    console.print_answer(qa.stream(text))
            except RagError as error:
                console.print_error(error)
