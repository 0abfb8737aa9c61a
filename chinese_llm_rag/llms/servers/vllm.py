"""vLLM's OpenAI-compatible server.

Names are those of its documentation ("OpenAI-Compatible Server", extra parameters) and of its protocol classes
CompletionRequest, TokenizeCompletionRequest, TokenizeChatRequest and ModelCard.
"""

from collections.abc import Sequence

from chinese_llm_rag.llms.backend import Ability, GenerationParams
from chinese_llm_rag.llms.conversation import Turn
from chinese_llm_rag.llms.servers.dialect import ServerDialect, messages, prefix_before
from chinese_llm_rag.llms.servers.http import JsonObject
from chinese_llm_rag.llms.servers.schema import parse_schema


class VllmServer(ServerDialect):
    """It takes token ids, and its tokenizer makes control tokens of any text that spells them."""

    abilities: frozenset[Ability] = frozenset({"logprobs", "json_schema"})
    takes_token_ids = True
    counts_end_token = True

    def context_window(self) -> int | None:
        """What --max-model-len says, or the model's own window; an adapter has that of its base model."""
        window = self._card.get("max_model_len")
        return window if isinstance(window, int) else None

    def begin(self) -> list[int]:
        """BOS, if the tokenizer adds one."""
        return prefix_before(self._tokenize("a", begin=True), self._tokenize("a", begin=False))

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, without BOS. Control tokens that it spells become control tokens."""
        return self._tokenize(text, begin=False) if text else []

    def encode_turns(self, turns: Sequence[Turn]) -> list[int]:
        """Token ids of what its template makes of the turns."""
        answer = self._connection.post("/tokenize", {"model": self._model, "messages": messages(turns)})
        return self._integers(answer, "tokens")

    def options(self, params: GenerationParams, context_window: int) -> JsonObject:
        """All filters set, since the model's generation_config.json is vLLM's default."""
        schema = parse_schema(params.json_schema) if params.json_schema is not None else None
        named = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}
        return {
            **super().options(params, context_window),
            "top_k": params.top_k or -1,  # versions before 0.9 have no 0
            "min_p": 0.0,
            "repetition_penalty": params.repetition_penalty,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "response_format": named if schema is not None else None,
            "stream_options": {"include_usage": True, "continuous_usage_stats": True},
        }

    def _tokenize(self, text: str, *, begin: bool) -> list[int]:
        question = {"model": self._model, "prompt": text, "add_special_tokens": begin}
        return self._integers(self._connection.post("/tokenize", question), "tokens")
