"""Answers in a given form: LangChain's with_structured_output by way of a JSON schema that the runtime keeps to."""

import json
from operator import itemgetter
from typing import Any

from langchain_core.exceptions import OutputParserException
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.output_parsers import BaseCumulativeTransformOutputParser, BaseOutputParser, PydanticOutputParser
from langchain_core.outputs import Generation
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_json_schema
from langchain_core.utils.json import parse_partial_json
from langchain_core.utils.pydantic import is_basemodel_subclass
from typing_extensions import override

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say

# Functions are not called; whoever asks for that gets the same objects by the schema.
METHODS = ("json_schema", "json_mode", "function_calling")


def structured(
    model: BaseChatModel, schema: dict[str, Any] | type, *, include_raw: bool, method: str
) -> Runnable[LanguageModelInput, Any]:
    """What answers with an object of the schema; see ChatChineseAlpaca.with_structured_output."""
    if method not in METHODS:
        expected = " | ".join(METHODS)
        raise ConfigError(
            say(f"method={method!r}: expected {expected}", f"method={method!r} 无效，应为 {expected}"),
            setting="method",
        )
    json_schema = convert_to_json_schema(schema)
    kept = {"type": "object"} if method == "json_mode" else json_schema
    bound = model.bind(
        json_schema=json.dumps(kept, ensure_ascii=False),
        ls_structured_output_format={"kwargs": {"method": method}, "schema": json_schema},
    )
    parser = _parser(schema, kept)
    if not include_raw:
        return bound | parser
    parsed = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
    failed = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=bound) | parsed.with_fallbacks([failed], exception_key="parsing_error")


def _parser(schema: dict[str, Any] | type, json_schema: dict[str, Any]) -> BaseOutputParser[Any]:
    if isinstance(schema, type) and is_basemodel_subclass(schema):
        return PydanticOutputParser(pydantic_object=schema)
    return _WholeJson(json_schema=json_schema)


class _WholeJson(BaseCumulativeTransformOutputParser[Any]):
    """JSON as it is, checked. LangChain's parser mends an answer that was cut short, and so loses what was missing."""

    json_schema: dict[str, Any]

    @override
    def parse(self, text: str) -> Any:
        import jsonschema  # noqa: PLC0415  # slow to load, and only needed here

        try:
            answer = json.loads(text)
            jsonschema.validate(answer, self.json_schema)
        except ValueError as error:
            raise OutputParserException(
                say(
                    f"the answer is not whole JSON, perhaps cut short by max_tokens: {error}",
                    f"回答不是完整的 JSON，可能被 max_tokens 截断：{error}",
                ),
                llm_output=text,
            ) from error
        except jsonschema.ValidationError as error:
            raise OutputParserException(
                say(
                    f"the answer breaks the schema: {error.message}",
                    f"回答不符合 schema：{error.message}",
                ),
                llm_output=text,
            ) from error
        return answer

    @override
    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        if not partial:
            return self.parse(result[0].text)
        try:  # a stream shows what is there so far
            return parse_partial_json(result[0].text)
        except ValueError:
            return None

    @override
    def _diff(self, prev: Any, next: Any) -> Any:  # LangChain's name
        return next
