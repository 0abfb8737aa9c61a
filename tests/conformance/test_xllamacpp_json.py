"""Answers under a JSON schema, from random weights that would say anything: each is valid."""

import json

import jsonschema
import pytest

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.llms.backend import GenerationParams
from chinese_llm_rag.llms.xllamacpp import XllamacppBackend

NODE = {
    "type": "object",
    "properties": {
        "v": {"type": "integer", "minimum": 0},
        "next": {"anyOf": [{"$ref": "#/$defs/N"}, {"type": "null"}]},
    },
    "required": ["v", "next"],
    "additionalProperties": False,
}
SCHEMAS = [
    {"enum": ["九点", "十点", 3, None]},
    {"const": 'a "b" \\ 引号'},
    {"type": ["string", "null"], "maxLength": 3},
    {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 3},
    {"type": "array", "items": {"enum": [1, 2]}, "maxItems": 2},
    {"type": "array", "prefixItems": [{"const": 1}, {"const": "x"}], "items": False},
    {
        "type": "object",
        "properties": {"答": {"type": "string", "maxLength": 5}, "n": {"type": "integer", "minimum": 3, "maximum": 99}},
        "required": ["答", "n"],
    },
    {"type": "object", "properties": {"a": {"type": "boolean"}, "b": {"type": "null"}, "c": {"enum": [1, 2]}}},
    {"type": "object", "properties": {"a": {"type": "null"}, "b": {"const": 7}, "c": {"enum": [1]}}, "required": ["b"]},
    {"$defs": {"N": NODE}, "$ref": "#/$defs/N"},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: json.dumps(schema, ensure_ascii=False)[-45:])
def test_every_finished_answer_is_valid(random_xllamacpp: XllamacppBackend, schema) -> None:
    answers = set()
    for seed in range(6):
        params = GenerationParams(
            temperature=1.5, top_k=0, top_p=1.0, max_tokens=300, seed=seed, json_schema=json.dumps(schema)
        )
        pieces = list(random_xllamacpp.generate("你好", params))
        if pieces[-1].finish_reason == "stop":
            answers.add("".join(piece.text for piece in pieces))
    assert answers
    for answer in answers:
        jsonschema.validate(json.loads(answer), schema)


def test_a_schema_that_cannot_be_kept_to_is_an_error_before_anything_is_computed(random_xllamacpp) -> None:
    stream = random_xllamacpp.generate("你好", GenerationParams(json_schema='{"type": "string", "pattern": "a+"}'))
    next(stream)
    with pytest.raises(ConfigError, match="it has pattern"):
        next(stream)
