"""The FastAPI application over a controller."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from chinese_llm_rag import __version__
from chinese_llm_rag.app.controller import Controller
from chinese_llm_rag.app.server.base_routes import BaseRoutes
from chinese_llm_rag.app.server.gate import Gate, Policy
from chinese_llm_rag.app.server.metrics import Metrics
from chinese_llm_rag.app.server.openai_routes import OpenAIRoutes
from chinese_llm_rag.app.server.replies import install_error_replies

_ABOUT = (
    "Questions over your own Chinese documents, on this machine. OpenAI's clients can use it: a knowledge base is a "
    "model named kb:NAME. Errors have OpenAI's form."
)


def build_application(
    controller: Controller,
    policy: Policy = Policy(),  # noqa: B008  (frozen)
    *,
    settle_s: float = 0.0,
    load: bool = True,
) -> FastAPI:
    """The application; the controller begins and ends with it.

    Args:
        controller: what it stands over.
        policy: who may come in.
        settle_s: how long to wait before models and bases are loaded, which slows a page that is just being shown.
        load: whether the model is loaded before anybody asks.
    """
    metrics = Metrics(controller.health, lambda: Counter(job.state for job in controller.jobs()))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        beginning = asyncio.create_task(_begin(controller, settle_s, load=load))
        yield
        beginning.cancel()
        await asyncio.to_thread(controller.close)

    app = FastAPI(
        title="chinese-llm-rag",
        version=__version__,
        description=_ABOUT,
        lifespan=lifespan,
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.include_router(OpenAIRoutes(controller, metrics).router)
    app.include_router(BaseRoutes(controller, metrics).router)
    install_error_replies(app)
    app.add_middleware(Gate, policy=policy, limits=controller.limits, metrics=metrics)
    app.openapi = lambda: _openapi(app, needs_token=policy.token is not None)  # type: ignore[method-assign]
    return app


async def _begin(controller: Controller, settle_s: float, *, load: bool) -> None:
    await asyncio.sleep(settle_s)
    await controller.resume()
    if load:
        await controller.load_model()


def _openapi(app: FastAPI, *, needs_token: bool) -> dict[str, Any]:
    """The OpenAPI document, without the errors that FastAPI would give and this application does not."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        for path in document["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
        schemas = document["components"]["schemas"]
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        if needs_token:
            document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            document["security"] = [{"token": []}]
        app.openapi_schema = document
    return app.openapi_schema
