"""What any server with the OpenAI interface understands, and what a kind of server may add to it.

A kind of server is one class in a file of its own. ServerDialect is the common ground: it tells nothing of its
window, has no tokenizer and no abilities.
"""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from chinese_llm_rag.llms.backend import Ability, ChatTemplateSource, GenerationParams, Vocabulary
from chinese_llm_rag.llms.conversation import Turn
from chinese_llm_rag.llms.servers.errors import raise_foreign_answer
from chinese_llm_rag.llms.servers.http import Connection, JsonObject


class ServerDialect:
    """Any server with the OpenAI interface.

    Args:
        connection: the server.
        model: its name for the model.
        card: its entry for the model in /v1/models.

    Attributes:
        abilities: what GenerationParams may ask for.
        takes_token_ids: whether a prompt can be token ids.
        counts_end_token: whether the token that ends a text is among those it counts as generated.
    """

    abilities: frozenset[Ability] = frozenset()
    takes_token_ids = False
    counts_end_token = False

    def __init__(self, connection: Connection, model: str, card: JsonObject) -> None:
        self._connection = connection
        self._model = model
        self._card = card

    def context_window(self) -> int | None:
        """Tokens that prompt and answer together may have on this server, or None when it does not tell."""
        return None

    def vocabulary(self) -> Vocabulary:
        """Architecture and size of the vocabulary; "" and 0 where the server does not tell."""
        return Vocabulary("", 0)

    def chat_template(self) -> ChatTemplateSource | None:
        """The model's own template, where the server shows it."""
        return None

    def options(self, params: GenerationParams, context_window: int) -> JsonObject:  # noqa: ARG002  # for servers that must be told
        """The fields of a request that say how to sample. None as a value leaves the field out.

        OpenAI's interface has no top_k and no repetition_penalty. They are sent all the same unless they are off: a
        strict server refuses them aloud, which is better than sampling otherwise than was asked for.
        """
        return {
            "temperature": params.temperature,
            "top_p": params.top_p,
            "top_k": params.top_k or None,
            "repetition_penalty": params.repetition_penalty if params.repetition_penalty != 1 else None,
            "max_tokens": params.max_tokens,
            "seed": params.seed,
        }

    def n_generated(self, event: JsonObject) -> int | None:
        """Tokens generated up to this event, or None where it does not say."""
        count = (event.get("usage") or {}).get("completion_tokens")
        return int(count) if count is not None else None

    def _integers(self, answer: JsonObject, name: str) -> list[int]:
        """A list of integers in an answer of the server."""
        values: Any = answer.get(name)
        if not isinstance(values, list) or not all(isinstance(value, int) for value in values):
            raise_foreign_answer(self._connection.url, answer)
        return values

    def _string(self, answer: JsonObject, name: str) -> str:
        """A string in an answer of the server."""
        value: Any = answer.get(name)
        if not isinstance(value, str):
            raise_foreign_answer(self._connection.url, answer)
        return value


@runtime_checkable
class EncodesText(Protocol):
    """A dialect of a server that shows its tokenizer."""

    def begin(self) -> list[int]:
        """What the server puts before every prompt: BOS, or nothing."""
        ...

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, without BOS. Control tokens that it spells become control tokens."""
        ...

    def encode_turns(self, turns: Sequence[Turn]) -> list[int]:
        """Token ids of the prompt that the server makes of a conversation, BOS included."""
        ...


@runtime_checkable
class EncodesPlainText(Protocol):
    """A dialect of a server whose tokenizer can be told that a text is only text."""

    def encode_plain(self, text: str) -> list[int]:
        """Token ids of a text, without BOS. Control tokens that it spells stay text."""
        ...


def messages(turns: Sequence[Turn]) -> list[JsonObject]:
    """A conversation as the OpenAI interface writes it."""
    return [{"role": turn.role, "content": turn.text} for turn in turns]


def prefix_before(whole: Sequence[int], part: Sequence[int]) -> list[int]:
    """What stands in the whole before the part; nothing if the part is not in it."""
    starts = range(len(whole) - len(part) + 1)
    return next((list(whole[:at]) for at in starts if list(whole[at : at + len(part)]) == list(part)), [])
