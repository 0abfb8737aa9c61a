"""JSON schemas as llama.cpp grammars: what is refused, and what the rules say."""

import json

import pytest

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.llms.json_grammar import schema_grammar


def rules(schema: object) -> dict[str, str]:
    lines = schema_grammar(json.dumps(schema)).splitlines()
    return dict(line.split(" ::= ", 1) for line in lines)


@pytest.mark.parametrize(
    ("schema", "root"),
    [
        ({"enum": ["九点", 3, None]}, '("\\"九点\\"" | "3" | "null")'),
        ({"const": 'a"b\\'}, r'("\"a\\\"b\\\\\"")'),
        ({"type": ["string", "null"]}, "(string | null)"),
        ({"type": "string", "minLength": 2, "maxLength": 4}, r'("\"" char{2,4} "\"")'),
        ({"type": "integer", "minimum": 1, "exclusiveMaximum": 4}, '(("1" | "2" | "3"))'),
        ({"type": "integer", "exclusiveMinimum": 0}, "(([1-9] [0-9]{0,15}))"),
        ({}, "value"),
        (True, "value"),
        ({"title": "T", "description": "D"}, "value"),
        ({"type": "array", "items": {"type": "null"}, "minItems": 1, "maxItems": 3}, None),
        ({"type": "object", "properties": {}, "additionalProperties": False}, '("{}")'),
    ],
)
def test_the_root_rule_says_what_the_schema_says(schema: object, root: str | None) -> None:
    found = rules(schema)
    if root is None:
        assert found["root"] == '("[" ' + 'part-0 ("," ws part-0){0,2} "]")'
        assert found["part-0"] == "(null)"
    else:
        assert found["root"] == root


def test_every_rule_that_is_used_is_there() -> None:
    schema = {
        "$defs": {
            "Node": {
                "type": "object",
                "properties": {
                    "value": {"type": "integer"},
                    "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
                    "note": {"type": "string", "format": "date"},
                },
                "required": ["value", "next"],
            }
        },
        "$ref": "#/$defs/Node",
    }
    found = rules(schema)
    assert found["root"] == "ref-0"
    assert "ref-0" in " ".join(found.values())


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ("{", "Expecting"),
        ("5", "5 allows nothing"),
        ("false", "allows nothing"),
        ('{"type": "strin"}', "unknown type 'strin'"),
        ('{"type": "string", "pattern": "a+"}', "it has pattern"),
        ('{"type": "integer", "multipleOf": 3}', "it has multipleOf"),
        ('{"type": "number", "minimum": 0}', "it has minimum"),
        ('{"type": "integer", "minimum": -5}', "the range -5..None"),
        ('{"type": "integer", "minimum": 5, "maximum": 1}', "the range 5..1"),
        ('{"type": "integer", "minimum": 0.5, "maximum": 3}', "the range 0.5..3"),
        ('{"type": "object", "minProperties": 1}', "it has minProperties"),
        ('{"type": "object", "required": ["a"]}', "required without a schema"),
        ('{"type": "array", "uniqueItems": true}', "it has uniqueItems"),
        ('{"type": "array", "minItems": 3, "maxItems": 2}', "leave no length"),
        ('{"type": "string", "minLength": 3, "maxLength": 2}', "leave no length"),
        ('{"not": {"type": "null"}}', "it has not"),
        ('{"allOf": [{}, {}]}', "allOf of several"),
        ('{"$ref": "#/$defs/Nowhere"}', "defs"),
        ('{"$ref": "http://elsewhere/schema"}', "outside the schema"),
        ('{"$ref": "#", "type": "null"}', "it has type"),
        ('{"enum": ["a"], "minLength": 3}', "it has minLength"),
        ('{"enum": ["a"], "type": "integer"}', "contradict"),
        ("[" * 100_000, "maximum recursion"),
    ],
)
def test_what_cannot_be_kept_to_is_refused_with_the_reason(schema: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        schema_grammar(schema)
    assert caught.value.setting == "json_schema"


def test_a_long_schema_is_shortened_in_the_message() -> None:
    with pytest.raises(ConfigError) as caught:
        schema_grammar(json.dumps({"type": "x" * 5000}))
    assert len(str(caught.value).split(" cannot be kept to: ")[0]) < 300
