"""JSON schemas, which servers take as objects."""

import json

from chinese_llm_rag.errors import ConfigError, GenerationError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.servers.http import JsonObject


def parse_schema(schema: str) -> JsonObject:
    """The schema as an object.

    Raises:
        ConfigError: the text is not a JSON object.
    """
    try:
        parsed = json.loads(schema)
    except json.JSONDecodeError as error:
        raise _bad(schema, str(error)) from error
    if not isinstance(parsed, dict):
        raise _bad(schema, say("expected a JSON object", "应为 JSON 对象"))
    return parsed


def check_is_json(url: str, text: str) -> None:
    """An answer that was to keep to a schema is JSON at least; a server that ignores the wish is noticed.

    Raises:
        GenerationError: it is not.
    """
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        raise GenerationError(
            say(
                f"the server at {url} did not keep to the JSON schema: {text[:80]!r}",
                f"{url} 的服务器没有遵守 JSON schema：{text[:80]!r}",
            ),
            hint=say(
                "its grammar engine does not take this schema: see its log, or use a simpler schema",
                "其语法引擎不支持该 schema：请查看服务器日志，或使用更简单的 schema",
            ),
        ) from error


def _bad(schema: str, reason: str) -> ConfigError:
    return ConfigError(f"json_schema={schema!r}: {reason}", setting="json_schema")
