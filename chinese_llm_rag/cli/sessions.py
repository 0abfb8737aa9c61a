"""Commands on conversations that were kept."""

from pathlib import Path
from typing import Annotated

import typer

from chinese_llm_rag import console
from chinese_llm_rag.cli.app import sessions_app
from chinese_llm_rag.cli.options import EXAMPLE, Home, Json, option, settings_of
from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say

Name = Annotated[str, typer.Argument(help=say("Name of the conversation.", "会话名称。"), metavar="NAME")]
Form = Annotated[str, option("markdown or json.", "markdown 或 json。", "--format")]
Output = Annotated[
    Path | None, option("File to write; else it is printed.", "写入的文件；不给则直接输出。", "--output", "-o")
]


@sessions_app.command(
    "list",
    help=say("List the conversations that were kept.", "列出已保存的会话。"),
    epilog=f"{EXAMPLE}: clrag sessions list",
)
def list_sessions(context: typer.Context, *, home: Home = None, json: Json = False) -> None:
    from chinese_llm_rag.wiring import open_sessions  # noqa: PLC0415

    summaries = open_sessions(settings_of(context, home=home)).summaries()
    if json:
        console.out_json([summary.to_dict() for summary in summaries])
        return
    for one in summaries:
        console.out(
            say(f"{one.name}  {one.n_turns} turns, {one.changed_at}", f"{one.name}  {one.n_turns} 轮，{one.changed_at}")
        )
    if not summaries:
        console.note(say("no conversation was kept", "没有已保存的会话"))


@sessions_app.command(
    "show",
    help=say("Show a conversation.", "显示一个会话。"),
    epilog=f"{EXAMPLE}: clrag sessions show 合同",
)
def show_session(context: typer.Context, name: Name, *, home: Home = None, json: Json = False) -> None:
    from chinese_llm_rag.wiring import open_sessions  # noqa: PLC0415

    session = open_sessions(settings_of(context, home=home)).get(name)
    if json:
        console.out_json(session.to_dict())
        return
    for turn in session.turns:
        said = turn.exchange
        console.out(f"> {said.question}")
        if said.standing_alone != said.question:
            console.out(say(f"  (searched as: {said.query})", f"  （检索用的问题：{said.query}）"))
        console.out(f"{said.answer}\n")


@sessions_app.command(
    "delete",
    help=say("Delete a conversation.", "删除一个会话。"),
    epilog=f"{EXAMPLE}: clrag sessions delete 合同",
)
def delete_session(context: typer.Context, name: Name, *, home: Home = None) -> None:
    from chinese_llm_rag.wiring import open_sessions  # noqa: PLC0415

    open_sessions(settings_of(context, home=home)).delete(name)
    console.out(say(f"deleted {name}", f"已删除 {name}"))


@sessions_app.command(
    "export",
    help=say("Write a conversation as Markdown or JSON.", "将会话导出为 Markdown 或 JSON。"),
    epilog=f"{EXAMPLE}: clrag sessions export 合同 -o 合同.md",
)
def export_session(
    context: typer.Context, name: Name, *, form: Form = "markdown", output: Output = None, home: Home = None
) -> None:
    from chinese_llm_rag.chains.conversation import session_markdown  # noqa: PLC0415
    from chinese_llm_rag.wiring import open_sessions  # noqa: PLC0415

    if form not in ("markdown", "json"):
        expected = say(f"{form!r}, expected markdown or json", f"{form!r} 无效，应为 markdown 或 json")
        raise typer.BadParameter(expected, param_hint="--format")
    session = open_sessions(settings_of(context, home=home)).get(name)
    text = session_markdown(session) if form == "markdown" else console.json_text(session.to_dict())
    if output is None:
        console.out(text, end="")
        return
    try:
        output.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise ConfigError(
            say(f"cannot write {str(output)!r}: {error.strerror}", f"无法写入 {str(output)!r}：{error.strerror}"),
            setting="output",
            hint=say("name a file in a folder that exists", "请指定已存在的文件夹中的文件"),
        ) from error
