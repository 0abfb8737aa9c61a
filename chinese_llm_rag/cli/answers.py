"""Commands that ask a model."""

from typing import TYPE_CHECKING, Annotated

import typer

from chinese_llm_rag import console
from chinese_llm_rag.cli.app import app
from chinese_llm_rag.cli.filters import note_no_match, with_filter_options
from chinese_llm_rag.cli.inputs import given_text
from chinese_llm_rag.cli.options import (
    EXAMPLE,
    Home,
    Json,
    Kb,
    option,
    settings_of,
    with_answer_options,
    with_model_options,
)
from chinese_llm_rag.language import say

if TYPE_CHECKING:
    from chinese_llm_rag.knowledge_base import PassageFilter

ShowPrompt = Annotated[
    bool,
    option("Print the prompt and its tokens, and ask nothing.", "只显示提示及其 token 数，不提问。", "--show-prompt"),
]


@app.command(
    help=say("Answer a question from the documents.", "根据文档回答问题。"),
    epilog=f"{EXAMPLE}: clrag ask 保修期是多久？",
)
@with_model_options
@with_answer_options
@with_filter_options
def ask(
    context: typer.Context,
    question: Annotated[str, typer.Argument(help=say("The question; - reads stdin.", "问题；- 表示从标准输入读取。"))],
    *,
    show_prompt: ShowPrompt = False,
    answer_options: dict[str, object],
    model_options: dict[str, object],
    passage_filter: "PassageFilter | None",
    home: Home = None,
    kb: Kb = None,
    json: Json = False,
) -> None:
    from chinese_llm_rag.wiring import answering  # noqa: PLC0415

    text = given_text(question, "QUESTION")
    settings = settings_of(context, home=home, kb=kb, **answer_options, **model_options)
    with answering(settings, passage_filter, lambda base: note_no_match(base, passage_filter)) as qa:
        if show_prompt:
            console.print_prompts(qa.prompts(text), json=json)
        elif json:
            console.out_json(qa.invoke(text).to_dict())
        else:
            console.print_answer(qa.stream(text))
