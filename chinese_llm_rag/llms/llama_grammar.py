"""Keep an answer to a JSON schema, by llama.cpp's grammars."""

import contextlib
import ctypes
import json
from typing import Any

import numpy as np
import numpy.typing as npt

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say

_CONVERTER_ERRORS = (ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError)
_TOKEN_DATA = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


class LlamaGrammar:
    """A grammar in progress; one object an answer.

    Raises:
        ConfigError: the schema is not JSON, or of a kind that llama.cpp has no grammar for.
    """

    def __init__(self, api: Any, model: Any, schema: str) -> None:  # noqa: ANN401  # llama_cpp and a llama_model pointer
        self._api = api
        self._sampler: Any = api.llama_sampler_init_grammar(
            api.llama_model_get_vocab(model), grammar_text(schema).encode(), b"root"
        )
        if not self._sampler:
            raise _unfit(schema, say("no grammar could be made of it", "无法据此生成文法"))

    def allowed(self, tokens: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """For each of the tokens, whether it may come next."""
        data = np.zeros(len(tokens), dtype=_TOKEN_DATA)
        data["id"] = tokens
        pointer = data.ctypes.data_as(ctypes.POINTER(self._api.llama_token_data))
        candidates = self._api.llama_token_data_array(data=pointer, size=len(tokens), selected=-1, sorted=False)
        self._api.llama_sampler_apply(self._sampler, ctypes.byref(candidates))
        return data["logit"] > -np.inf

    def accept(self, token: int) -> None:
        """The token came."""
        self._api.llama_sampler_accept(self._sampler, token)

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError, TypeError):  # half-made, or the interpreter is going down
            if self._sampler:
                self._api.llama_sampler_free(self._sampler)
                self._sampler = None


def grammar_text(schema: str) -> str:
    """The grammar (GBNF) of a JSON schema, by the converter that comes with llama-cpp-python.

    A grammar keeps to types, names, order, choices, patterns and lengths. Bounds of numbers and conditions between
    parts are not grammatical: whoever reads the answer checks those.
    """
    from llama_cpp.llama_grammar import json_schema_to_gbnf  # heavy, and there when this is called

    try:
        if remote := _remote_reference(json.loads(schema)):
            raise _unfit(schema, say(f"{remote!r} is not on this machine", f"{remote!r} 不在本机"))
        return str(json_schema_to_gbnf(schema))
    except ConfigError:
        raise
    except _CONVERTER_ERRORS as error:
        raise _unfit(schema, f"{type(error).__name__}: {error}") from error


def _remote_reference(part: object) -> str | None:
    """A reference to a schema elsewhere, which the converter would download."""
    if isinstance(part, dict):
        reference = part.get("$ref")
        if isinstance(reference, str) and not reference.startswith("#"):
            return reference
        part = list(part.values())
    if isinstance(part, list):
        return next((found for item in part if (found := _remote_reference(item))), None)
    return None


def _unfit(schema: str, reason: str) -> ConfigError:
    shown = schema if len(schema) <= 200 else f"{schema[:200]}..."
    return ConfigError(
        say(f"json_schema={shown!r} cannot be kept to: {reason}", f"无法遵循 json_schema={shown!r}：{reason}"),
        setting="json_schema",
    )
