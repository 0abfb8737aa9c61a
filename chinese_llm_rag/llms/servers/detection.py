"""Which kind of server it is, and which of its models."""

from collections.abc import Sequence
from typing import Literal

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.servers.dialect import ServerDialect
from chinese_llm_rag.llms.servers.errors import ServerRefusedError, raise_foreign_answer
from chinese_llm_rag.llms.servers.http import Connection, JsonObject
from chinese_llm_rag.llms.servers.llama import LlamaServer
from chinese_llm_rag.llms.servers.vllm import VllmServer
from chinese_llm_rag.llms.servers.webui import INFO, WebuiServer, loaded_model

ServerKind = Literal["llama-server", "vllm", "text-generation-webui", "openai"]
_NOT_FOUND = 404
_CLASSES: dict[ServerKind, type[ServerDialect]] = {
    "llama-server": LlamaServer,
    "vllm": VllmServer,
    "text-generation-webui": WebuiServer,
    "openai": ServerDialect,
}
# What /v1/models says under "owned_by".
_OWNERS: dict[str, ServerKind] = {"llamacpp": "llama-server", "vllm": "vllm"}


def open_dialect(connection: Connection, model: str | None, kind: ServerKind | None) -> tuple[str, ServerDialect]:
    """The model's name on the server, and how to talk to it.

    Args:
        connection: the server.
        model: None is its only one.
        kind: None is what the server says of itself; "openai" is any other server with that interface.

    Raises:
        ConfigError: several models, or not the one that was asked for.
        GenerationError: no server, or no such interface.
    """
    cards = _cards(connection)
    kind = kind if kind is not None else _kind(connection, cards)
    served = [loaded_model(connection)] if kind == "text-generation-webui" else [card["id"] for card in cards]
    name = _choose(connection.url, model, served, cards)
    return name, _CLASSES[kind](connection, name, _card(name, cards))


def _cards(connection: Connection) -> list[JsonObject]:
    try:
        answer = connection.get("/v1/models")
    except ServerRefusedError as error:
        if error.status == _NOT_FOUND:  # an interface without a list
            return []
        raise
    cards = answer.get("data")
    if not isinstance(cards, list) or not all(isinstance(c, dict) and isinstance(c.get("id"), str) for c in cards):
        raise_foreign_answer(connection.url, answer)
    return cards


def _kind(connection: Connection, cards: Sequence[JsonObject]) -> ServerKind:
    owner = next((_OWNERS[card["owned_by"]] for card in cards if card.get("owned_by") in _OWNERS), None)
    if owner is not None:
        return owner
    try:
        info = connection.get(INFO)
    except ServerRefusedError:
        return "openai"
    return "text-generation-webui" if "model_name" in info else "openai"


def _choose(url: str, model: str | None, served: Sequence[str], cards: Sequence[JsonObject]) -> str:
    if model is None and len(served) == 1:
        return served[0]
    known = {*served, *(alias for card in cards for alias in card.get("aliases") or ())}
    if model is not None and (model in known or not served):
        return model
    listed = ", ".join(map(repr, served)) or say("none", "无")
    wanted = say("no model was given", "没有给出模型") if model is None else f"model={model!r}"
    raise ConfigError(
        say(f"{wanted}: the server at {url} has {listed}", f"{wanted}：{url} 的服务器提供 {listed}"),
        setting="model",
        hint=say("give one of them as model", "请把其中一个作为 model"),
    )


def _card(name: str, cards: Sequence[JsonObject]) -> JsonObject:
    """The model's entry; an adapter's lacks what its base model's has."""
    card = next((c for c in cards if name == c["id"] or name in (c.get("aliases") or ())), {})
    parent = next((c for c in cards if c["id"] == card.get("parent")), {})
    return {**parent, **{key: value for key, value in card.items() if value is not None}}
