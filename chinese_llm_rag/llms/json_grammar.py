"""A JSON schema as a grammar in llama.cpp's own notation (GBNF), so that every answer under it is valid.

One converter for every runtime of llama.cpp. Those that come with the packages are not used: llama-cpp-python's drops
bounds of numbers without a word; LLGuidance in xllamacpp takes a sentencepiece vocabulary's tokens without their
leading spaces, so it allows what the schema forbids, and goes on unconstrained where it does not understand one. The
grammar may allow less than the schema (one order of properties, no
properties that it does not name, no free whitespace), never more; what cannot be kept to so is an error.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say

_PRIMITIVES = {
    "string": r'"\"" char* "\""',
    # Ranges rather than exceptions: bytes that are no UTF-8 decode to code points that do not exist.
    "char": r'[ !#-\[\]-~\u00A0-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF] | "\\" (["\\bfnrt/] | "u" [0-9a-fA-F]{4})',
    "integer": '"-"? ("0" | [1-9] [0-9]{0,15})',
    "number": 'integer ("." [0-9]{1,16})? ([eE] [-+]? [0-9]{1,2})?',
    "boolean": '"true" | "false"',
    "null": '"null"',
    "value": "string | number | boolean | null | map | list",
    "map": r'"{" (string ":" ws value ("," ws string ":" ws value)*)? "}"',
    "list": '"[" (value ("," ws value)*)? "]"',
    "ws": '" "?',
}
_TYPES = {"string", "integer", "number", "boolean", "null", "object", "array"}
_JSON_TYPES: dict[type, set[str]] = {
    str: {"string"},
    bool: {"boolean"},
    int: {"integer", "number"},
    float: {"number"},
    type(None): {"null"},
    dict: {"object"},
    list: {"array"},
}
# Keywords that ask nothing of an answer. "format" is one by the standard's default.
_REMARKS = {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "discriminator"}
_REMARKS |= {"$schema", "$id", "$comment", "$defs", "definitions", "format"}
_KEPT = {
    "string": {"minLength", "maxLength"},
    "integer": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"},
    "object": {"properties", "required", "additionalProperties"},
    "array": {"items", "prefixItems", "minItems", "maxItems"},
}
_LONGEST = 1000  # repetitions; llama.cpp refuses grammars with many more
_MOST_NUMBERS = 2000  # that a range of integers may have


def schema_grammar(schema: str) -> str:
    """The grammar of a schema, given as JSON text.

    Raises:
        ConfigError: it is no JSON schema, or has a keyword that cannot be kept to.
    """
    try:
        return _Grammar(json.loads(schema)).text()
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        shown = schema if len(schema) <= 200 else f"{schema[:200]}..."
        reason = str(error) or type(error).__name__
        raise ConfigError(
            say(f"json_schema={shown!r} cannot be kept to: {reason}", f"无法遵循 json_schema={shown!r}：{reason}"),
            setting="json_schema",
        ) from error


class _Grammar:
    """Rules that are found while a schema is walked through."""

    def __init__(self, schema: Any) -> None:  # noqa: ANN401  # JSON
        self._schema = schema
        self._rules: dict[str, str] = {}
        self._referred: dict[str, str] = {}

    def text(self) -> str:
        self._rules["root"] = self._of(self._schema)
        rules = self._rules | _PRIMITIVES
        return "".join(f"{name} ::= {body}\n" for name, body in rules.items())

    def _of(self, schema: Any) -> str:  # noqa: ANN401  # JSON
        """An expression for what the schema allows."""
        if schema is True:
            return "value"
        if not isinstance(schema, Mapping):
            raise TypeError(say(f"{schema!r} allows nothing", f"{schema!r} 不允许任何内容"))
        asked = {key: value for key, value in schema.items() if key not in _REMARKS}
        if not asked:
            return "value"
        for keyword, expression in (
            ("$ref", self._reference),
            ("enum", _literals),
            ("const", lambda value: _literals([value])),
            ("anyOf", self._alternatives),
            ("oneOf", self._alternatives),
            ("allOf", self._all),
        ):
            if keyword in asked:
                value = asked.pop(keyword)
                if keyword in ("enum", "const") and "type" in asked:
                    _check_types(asked.pop("type"), value if keyword == "enum" else [value])
                _refuse(asked)
                return expression(value)
        types = asked.pop("type", None) or _types_of(asked)
        names = [types] if isinstance(types, str) else list(types)
        return _any_of(self._typed(name, asked, names) for name in names)

    def _typed(self, name: str, asked: Mapping[str, Any], names: list[str]) -> str:
        if name not in _TYPES:
            raise ValueError(say(f"unknown type {name!r}", f"未知类型 {name!r}"))
        _refuse({key for key in asked if not any(key in _KEPT.get(other, ()) for other in names)})
        own = {key: value for key, value in asked.items() if key in _KEPT.get(name, ())}
        if name == "string":
            return _string(own)
        if name == "integer":
            return _integer(own)
        if name == "object":
            return self._object(own)
        return self._array(own) if name == "array" else name

    def _object(self, asked: Mapping[str, Any]) -> str:
        properties: Mapping[str, Any] = asked.get("properties", {})
        required = set(asked.get("required", ()))
        if unnamed := required - set(properties):
            raise ValueError(
                say(f"required without a schema: {sorted(unnamed)}", f"必需属性缺少定义：{sorted(unnamed)}")
            )
        if not properties:
            return self._map(asked.get("additionalProperties", True))
        # From the last property to the first: what may follow when a property was already written, or none was.
        after, begin = "", ""
        for key in reversed(list(properties)):
            pair = f'{_literals([key])} ":" ws {self._rule(self._of(properties[key]))}'
            if key in required:
                after, begin = self._rule(f'"," ws {pair} {after}'), self._rule(f"{pair} {after}")
            else:
                first = f"{pair} {after}"
                begin = self._rule(f"{first} | {begin}") if begin else f"({first})?"
                after = self._rule(f'("," ws {pair})? {after}')
        return f'"{{" {begin} "}}"'

    def _map(self, values: Any) -> str:  # noqa: ANN401  # JSON
        if values is False:
            return '"{}"'
        pair = f'string ":" ws {self._rule(self._of(values))}'
        return f'"{{" ({pair} ("," ws {pair})*)? "}}"'

    def _array(self, asked: Mapping[str, Any]) -> str:
        fixed = [self._rule(self._of(item)) for item in asked.get("prefixItems", ())]
        least = max(0, int(asked.get("minItems", 0)) - len(fixed))
        most = min(_LONGEST, int(asked.get("maxItems", _LONGEST)) - len(fixed))
        if asked.get("items", True) is False:
            most = 0
        if most < least or most < 0:
            raise ValueError(say("minItems and maxItems leave no length", "minItems 与 maxItems 没有可用的长度"))
        item = self._rule(self._of(asked.get("items", True))) if most else ""
        rest = f'("," ws {item}){{{least},{most}}}' if most else ""
        if fixed:
            return '"[" ' + ' "," ws '.join(fixed) + f' {rest} "]"'
        if not most:
            return '"[]"'
        some = f'{item} ("," ws {item}){{{max(0, least - 1)},{most - 1}}}'
        return f'"[" {some} "]"' if least else f'"[" ({some})? "]"'

    def _alternatives(self, schemas: list[Any]) -> str:
        return _any_of(self._of(schema) for schema in schemas)

    def _all(self, schemas: list[Any]) -> str:
        if len(schemas) != 1:
            raise ValueError(say("allOf of several schemas", "allOf 含有多个 schema"))
        return self._of(schemas[0])

    def _reference(self, pointer: str) -> str:
        if pointer not in self._referred:
            if not pointer.startswith("#"):
                raise ValueError(say(f"{pointer!r} is outside the schema", f"{pointer!r} 不在 schema 之内"))
            found = self._schema
            for step in pointer.removeprefix("#").split("/")[1:]:
                found = found[step.replace("~1", "/").replace("~0", "~")]
            name = self._referred[pointer] = f"ref-{len(self._referred)}"
            self._rules[name] = self._of(found)
        return self._referred[pointer]

    def _rule(self, expression: str) -> str:
        """A name for the expression, so that it can stand beside others."""
        if expression in self._rules or expression in _PRIMITIVES:
            return expression
        for name, known in self._rules.items():
            if known == expression:
                return name
        name = f"part-{len(self._rules)}"
        self._rules[name] = expression
        return name


def _refuse(keywords: Iterable[str]) -> None:
    if left := sorted(keywords):
        raise ValueError(say(f"it has {', '.join(left)}", f"含有 {'、'.join(left)}"))


def _check_types(types: str | list[str], values: Iterable[Any]) -> None:
    """Beside fixed values, a type says nothing new, unless it contradicts them."""
    names = {types} if isinstance(types, str) else set(types)
    for value in values:
        if not names & _JSON_TYPES[type(value)]:
            raise ValueError(say(f"type and value {value!r} contradict each other", f"type 与取值 {value!r} 矛盾"))


def _types_of(asked: Mapping[str, Any]) -> list[str]:
    """The types that a schema without a type means by its keywords."""
    meant = [name for name, keywords in _KEPT.items() if keywords & set(asked)]
    if not meant:
        _refuse(asked)
    return meant


def _any_of(expressions: Iterable[str]) -> str:
    return "(" + " | ".join(dict.fromkeys(expressions)) + ")"


def _literals(values: Iterable[Any]) -> str:
    return _any_of(_quoted(json.dumps(value, ensure_ascii=False)) for value in values)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _string(asked: Mapping[str, Any]) -> str:
    if not asked:
        return "string"
    least, most = int(asked.get("minLength", 0)), min(_LONGEST, int(asked.get("maxLength", _LONGEST)))
    if not 0 <= least <= most:
        raise ValueError(say("minLength and maxLength leave no length", "minLength 与 maxLength 没有可用的长度"))
    return rf'"\"" char{{{least},{most}}} "\""'


def _integer(asked: Mapping[str, Any]) -> str:
    """Ranges are listed; of a half-open one, the numbers nearest to its bound."""
    if not asked:
        return "integer"
    lows = [asked.get("minimum"), asked.get("exclusiveMinimum", 0) + 1 if "exclusiveMinimum" in asked else None]
    highs = [asked.get("maximum"), asked.get("exclusiveMaximum", 0) - 1 if "exclusiveMaximum" in asked else None]
    low = max((bound for bound in lows if bound is not None), default=None)
    high = min((bound for bound in highs if bound is not None), default=None)
    if low in (0, 1) and high is None:
        return '("0" | [1-9] [0-9]{0,15})' if low == 0 else "([1-9] [0-9]{0,15})"
    if low is None or high is None or low != int(low) or high != int(high) or not 0 <= high - low < _MOST_NUMBERS:
        raise ValueError(say(f"the range {low}..{high} of integers", f"整数范围 {low}..{high}"))
    return _literals(range(int(low), int(high) + 1))
