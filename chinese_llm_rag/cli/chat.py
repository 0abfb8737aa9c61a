"""The command that holds a conversation."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from chinese_llm_rag import console
from chinese_llm_rag.cli.app import app
from chinese_llm_rag.cli.filters import note_no_match, with_filter_options
from chinese_llm_rag.cli.inputs import next_line
from chinese_llm_rag.cli.options import (
    EXAMPLE,
    Home,
    Kb,
    option,
    settings_of,
    with_answer_options,
    with_model_options,
)
from chinese_llm_rag.errors import RagError
from chinese_llm_rag.language import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.runnables import Runnable

    from chinese_llm_rag.chains.conversation import Exchange, Reply
    from chinese_llm_rag.knowledge_base import KnowledgeBase, PassageFilter

_ENDS = (None, "/exit", "/quit")

Session = Annotated[
    str | None,
    option("Keep the conversation by this name, or go on with it.", "以此名称保存会话，或继续该会话。", "--session"),
]
ModelRewrites = Annotated[
    bool,
    option(
        "Let the model, not rules, complete questions that lean on earlier ones.",
        "由模型（而非规则）补全依赖上文的问题。",
        "--model-rewrites",
    ),
]


@app.command(
    help=say("Ask one question after another; a question may lean on earlier ones.", "连续提问，问题可以承接上文。"),
    epilog=f"{EXAMPLE}: clrag chat --session 合同  ({say('/exit or end of input ends it', '/exit 或输入结束即退出')})",
)
@with_model_options
@with_answer_options
@with_filter_options
def chat(
    context: typer.Context,
    *,
    session: Session = None,
    model_rewrites: ModelRewrites = False,
    answer_options: dict[str, object],
    model_options: dict[str, object],
    passage_filter: "PassageFilter | None",
    home: Home = None,
    kb: Kb = None,
) -> None:
    from chinese_llm_rag.wiring import conversing, open_sessions  # noqa: PLC0415

    settings = settings_of(context, home=home, kb=kb, **answer_options, **model_options)
    if session is not None and (before := open_sessions(settings).exchanges(session)):
        last = before[-1].question
        console.note(say(f"going on with {session}, last asked: {last}", f"继续会话 {session}，上次的问题：{last}"))

    def on_open(base: "KnowledgeBase") -> None:
        note_no_match(base, passage_filter)

    with conversing(settings, passage_filter, on_open, model_rewrites=model_rewrites) as chain:
        _converse(chain, session)


def _converse(chain: "Runnable[Any, Reply]", session: str | None) -> None:
    """Answer line after line until the end of input."""
    history: list[Exchange] = []
    while (text := next_line(say("question> ", "问题> "))) not in _ENDS:
        if not text:
            continue
        asking = {"question": text, "history": history} if session is None else {"question": text, "session": session}
        try:
            history.append(_answered(chain.stream(asking)))
        except RagError as error:
            console.print_error(error)


def _answered(pieces: "Iterator[Reply]") -> "Exchange":
    """Print a reply as it streams; what was said in it."""
    from chinese_llm_rag.chains.conversation import Exchange  # noqa: PLC0415

    first = next(pieces)
    if first.rewritten_by is not None:
        console.note(say(f"searched as: {first.query}", f"检索用的问题：{first.query}"))
    answer = console.print_answer(piece.answer for piece in pieces)
    return Exchange(first.question, answer.text, first.query)
