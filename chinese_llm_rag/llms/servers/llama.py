"""llama.cpp's own server (llama-server), as its README (tools/server) documents it."""

from collections.abc import Sequence
from typing import Any

from chinese_llm_rag.llms.backend import Ability, ChatTemplateSource, GenerationParams, Vocabulary
from chinese_llm_rag.llms.conversation import Turn
from chinese_llm_rag.llms.json_grammar import schema_grammar
from chinese_llm_rag.llms.servers.dialect import ServerDialect, messages, prefix_before
from chinese_llm_rag.llms.servers.http import Connection, JsonObject
from chinese_llm_rag.models import FAMILY_ARCHITECTURE, FAMILY_VOCABULARY

_SENTENCEPIECE = 1  # LLAMA_VOCAB_TYPE_SPM
# What llama-server says is the template of a model that has none.
_FALLBACK_PIECE = "<|im_start|>"


class LlamaServer(ServerDialect):
    """It takes token ids and has a tokenizer that leaves texts alone when told to.

    Of a character that takes several tokens it tells the log probability of the last token only.
    """

    abilities: frozenset[Ability] = frozenset({"logprobs", "json_schema"})
    takes_token_ids = True
    counts_end_token = True

    def __init__(self, connection: Connection, model: str, card: JsonObject) -> None:
        super().__init__(connection, model, card)
        self._props = connection.get("/props", model=model)

    def context_window(self) -> int | None:
        """Of one slot: several slots share what the server was started with."""
        window = (self._props.get("default_generation_settings") or {}).get("n_ctx")
        return window if isinstance(window, int) else None

    def vocabulary(self) -> Vocabulary:
        """Its size. The architecture is not told, but a sentencepiece vocabulary of the family's size is a Llama's."""
        meta: dict[str, Any] = self._card.get("meta") or {}
        size = int(meta.get("n_vocab") or 0)
        is_family = size == FAMILY_VOCABULARY and meta.get("vocab_type") == _SENTENCEPIECE
        return Vocabulary(FAMILY_ARCHITECTURE if is_family else "", size)

    def chat_template(self) -> ChatTemplateSource | None:
        """The template in the model's file. ChatML for a vocabulary without its tokens is the server's stopgap."""
        template = self._props.get("chat_template")
        if not template:
            return None
        if _FALLBACK_PIECE in template and len(self.encode(_FALLBACK_PIECE)) > 1:
            return None
        return ChatTemplateSource(
            template, bos_token=self._props.get("bos_token") or "", eos_token=self._props.get("eos_token") or ""
        )

    def begin(self) -> list[int]:
        """BOS, if the model's file wants one."""
        return prefix_before(self._tokenize("a", controls=False, begin=True), self.encode_plain("a"))

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, without BOS. Control tokens that it spells become control tokens."""
        return self._tokenize(text, controls=True, begin=False)

    def encode_plain(self, text: str) -> list[int]:
        """Token ids of a text, without BOS. Control tokens that it spells stay text."""
        return self._tokenize(text, controls=False, begin=False)

    def encode_turns(self, turns: Sequence[Turn]) -> list[int]:
        """Token ids of what its template makes of the turns."""
        answer = self._connection.post("/apply-template", {"model": self._model, "messages": messages(turns)})
        return self._tokenize(self._string(answer, "prompt"), controls=True, begin=True)

    def options(self, params: GenerationParams, context_window: int) -> JsonObject:
        """Only our own samplers, in our order, whatever the server's defaults are."""
        return {
            "temperature": params.temperature,
            "top_p": params.top_p,
            "top_k": params.top_k,
            "max_tokens": params.max_tokens,
            "seed": params.seed,
            "repeat_penalty": params.repetition_penalty,
            "repeat_last_n": context_window,  # all of them; newer servers refuse -1
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "mirostat": 0,
            "samplers": ["penalties", "temperature", "top_k", "top_p"],
            # Not as its field json_schema: a server built with LLGuidance lets a sentencepiece model say what the
            # schema forbids, and goes on without a schema that it does not understand.
            "grammar": schema_grammar(params.json_schema) if params.json_schema is not None else None,
            "reasoning_format": "none",  # the answer is what the model says, all of it
            "timings_per_token": True,  # these count the tokens as they come
        }

    def n_generated(self, event: JsonObject) -> int | None:
        """Tokens generated up to this event."""
        count = (event.get("timings") or {}).get("predicted_n")
        return int(count) if count is not None else super().n_generated(event)

    def _tokenize(self, text: str, *, controls: bool, begin: bool) -> list[int]:
        question = {"model": self._model, "content": text, "add_special": begin, "parse_special": controls}
        return self._integers(self._connection.post("/tokenize", question), "tokens")
