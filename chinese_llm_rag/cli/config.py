"""Commands on the settings."""

import typer

from chinese_llm_rag import console
from chinese_llm_rag.cli.app import config_app
from chinese_llm_rag.cli.options import EXAMPLE, Home, Json, Kb, load, settings_of
from chinese_llm_rag.language import say


@config_app.command(
    "show",
    help=say("Every setting, its value and its origin.", "列出每项设置的值和来源。"),
    epilog=f"{EXAMPLE}: clrag config show",
)
def config_show(context: typer.Context, home: Home = None, kb: Kb = None, *, json: Json = False) -> None:
    loaded = load(context, home=home, kb=kb)
    values = loaded.settings.model_dump(mode="json")
    if json:
        console.out_json({name: {"value": value, "origin": loaded.origins[name]} for name, value in values.items()})
    else:
        console.print_pairs(
            (name, f"{'-' if value is None else value}  ({loaded.origins[name]})") for name, value in values.items()
        )


@config_app.command(
    "path", help=say("Where the settings file belongs.", "设置文件的位置。"), epilog=f"{EXAMPLE}: clrag config path"
)
def config_path(context: typer.Context, home: Home = None) -> None:
    from chinese_llm_rag.settings import FILE_NAME  # noqa: PLC0415

    console.out(str(settings_of(context, home=home).home / FILE_NAME))
