"""Keep an answer to a JSON schema, by llama.cpp's grammars."""

import contextlib
import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.json_grammar import schema_grammar

_TOKEN_DATA = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


class LlamaGrammar:
    """A grammar in progress; one object an answer.

    Raises:
        ConfigError: the schema is not JSON, or cannot be kept to.
    """

    def __init__(self, api: Any, model: Any, schema: str) -> None:  # noqa: ANN401  # llama_cpp and a llama_model pointer
        self._api = api
        self._sampler: Any = api.llama_sampler_init_grammar(
            api.llama_model_get_vocab(model), schema_grammar(schema).encode(), b"root"
        )
        if not self._sampler:
            raise ConfigError(
                say("json_schema: llama.cpp takes no grammar that large", "json_schema：llama.cpp 不接受如此大的文法"),
                setting="json_schema",
            )

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
