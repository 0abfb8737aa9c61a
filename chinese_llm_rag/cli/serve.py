"""The command that serves programs, over HTTP."""

from typing import Annotated

import typer

from chinese_llm_rag import console
from chinese_llm_rag._optional import require_installed
from chinese_llm_rag.cli.app import app
from chinese_llm_rag.cli.options import EXAMPLE, Home, Kb, option, settings_of, with_model_options
from chinese_llm_rag.language import say

Host = Annotated[
    str | None,
    option(
        "Address to listen on; others than this machine's own need a token.", "监听地址；非本机地址需要令牌。", "--host"
    ),
]
Port = Annotated[
    int | None, option("Port to listen on; 0 is any free one.", "监听端口；0 表示任意空闲端口。", "--port")
]


@app.command(
    help=say(
        "Serve models and knowledge bases to OpenAI clients, on this machine.",
        "在本机提供与 OpenAI 兼容的接口，知识库可作为模型使用。",
    ),
    epilog=f"{EXAMPLE}: clrag serve --port 8000",
)
@with_model_options
def serve(
    context: typer.Context,
    *,
    host: Host = None,
    port: Port = None,
    model_options: dict[str, object],
    home: Home = None,
    kb: Kb = None,
) -> None:
    settings = settings_of(context, home=home, kb=kb, serve_host=host, serve_port=port, **model_options)
    for package in ("fastapi", "uvicorn", "prometheus_client"):
        require_installed(package, extra="serve")
    from chinese_llm_rag.app.controller import Controller  # noqa: PLC0415
    from chinese_llm_rag.app.limits import Limits  # noqa: PLC0415
    from chinese_llm_rag.app.listening import address_of, bind  # noqa: PLC0415
    from chinese_llm_rag.app.server.application import build_application  # noqa: PLC0415
    from chinese_llm_rag.app.server.running import policy_for, run  # noqa: PLC0415

    token = settings.serve_token.get_secret_value() if settings.serve_token else None
    policy = policy_for(settings.serve_host, token)
    listener = bind(settings.serve_host, settings.serve_port)
    address = address_of(listener)
    controller = Controller(settings, Limits.of(settings))
    console.note(say(f"the model is {controller.model_name!r}", f"模型为 {controller.model_name!r}"))
    run(
        build_application(controller, policy),
        controller,
        listener,
        on_ready=lambda: console.out(say(f"serving at {address}/v1", f"服务地址 {address}/v1")),
    )
