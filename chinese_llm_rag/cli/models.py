"""Commands on models."""

from chinese_llm_rag import console
from chinese_llm_rag.cli.app import models_app
from chinese_llm_rag.cli.options import EXAMPLE, Json
from chinese_llm_rag.language import say


@models_app.command(
    "list",
    help=say("The models of the family, and packaged ones.", "列出模型家族和软件包自带的模型。"),
    epilog=f"{EXAMPLE}: clrag models list --json",
)
def models_list(*, json: Json = False) -> None:
    from chinese_llm_rag.models import describe_models  # noqa: PLC0415

    rows = describe_models()
    if json:
        console.out_json(rows)
    else:
        for row in rows:
            console.out("  ".join(f"{value}" for value in row.values() if value is not None))
