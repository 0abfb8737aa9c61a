"""text-generation-webui (oobabooga), started with --api.

Names are those of its API page ("OpenAI compatible API", and the /docs it serves): GenerationOptions for sampling,
/v1/internal/model/info, /v1/internal/encode and /v1/internal/chat-prompt. It cuts a prompt that is too long at the
front without a word, and does not tell its window.
"""

from collections.abc import Sequence
from functools import cached_property

from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.backend import GenerationParams
from chinese_llm_rag.llms.conversation import Turn
from chinese_llm_rag.llms.servers.dialect import ServerDialect, messages
from chinese_llm_rag.llms.servers.http import Connection, JsonObject

INFO = "/v1/internal/model/info"


class WebuiServer(ServerDialect):
    """It takes text only, adds BOS by itself, and makes control tokens of any text that spells them."""

    def begin(self) -> list[int]:
        """BOS, if the loaded model has one."""
        return self._begin

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, without BOS. Control tokens that it spells become control tokens."""
        ids, n = self._encode(text), len(self._begin)
        return ids[n:] if ids[:n] == self._begin else ids

    def encode_turns(self, turns: Sequence[Turn]) -> list[int]:
        """Token ids of what the chosen instruction template makes of the turns."""
        answer = self._connection.post("/v1/internal/chat-prompt", {"messages": messages(turns), "mode": "instruct"})
        return self._encode(self._string(answer, "prompt"))

    def options(self, params: GenerationParams, context_window: int) -> JsonObject:
        """All filters set, since the sliders of its page are its defaults."""
        return {
            **super().options(params, context_window),
            "mode": "instruct",
            "top_k": params.top_k,
            "min_p": 0.0,
            "typical_p": 1.0,
            "repetition_penalty": params.repetition_penalty,
            "repetition_penalty_range": context_window,  # 0 is "all" to one of its loaders and "none" to another
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "temperature_last": False,
            "truncation_length": context_window,
        }

    @cached_property
    def _begin(self) -> list[int]:
        return self._encode("")

    def _encode(self, text: str) -> list[int]:
        return self._integers(self._connection.post("/v1/internal/encode", {"text": text}), "tokens")


def loaded_model(connection: Connection) -> str:
    """The model that is in memory; /v1/models may list all that are on the disk.

    Raises:
        ModelLoadError: none is.
    """
    name = connection.get(INFO).get("model_name")
    if not isinstance(name, str) or name in ("", "None"):
        raise ModelLoadError(
            say(f"no model is loaded in {connection.url}", f"{connection.url} 还没有载入模型"),
            hint=say(
                "load one on its Model page, or start it with --model", "请在其 Model 页面载入模型，或用 --model 启动"
            ),
        )
    return name
