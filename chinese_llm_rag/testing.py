"""Stand-ins for models, for tests of what is built on this package: real interfaces, no weights.

Nothing in production uses them.
"""

import math
import threading
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
from langchain_core.embeddings import Embeddings

from chinese_llm_rag.embeddings.base import EmbeddingFingerprint
from chinese_llm_rag.errors import ContextWindowExceededError, GenerationError
from chinese_llm_rag.llms.backend import (
    ChatTemplateSource,
    Control,
    GenerationParams,
    Prompt,
    TextChunk,
    Vocabulary,
    prompt_parts,
)
from chinese_llm_rag.models import FAMILY_ARCHITECTURE, FAMILY_VOCABULARY


class ScriptedBackend:
    """A Backend that says what it is told to: one reply a call, in order.

    A token is a character, or one Control. A reply is cut at max_tokens as a model's would be.

    Args:
        replies: texts, or exceptions to raise instead of one. Any iterable, ``itertools.cycle`` included; when
            it is used up, generate() raises GenerationError.
        model_name: what to call the model.
        context_window: tokens that prompt and answer together may have.
        vocabulary: what the model claims to be; the family's, unless given.
        chat_template: a template that the model brings, if any.

    Attributes:
        history: the prompt and parameters of every generate() that began, oldest first.
    """

    def __init__(
        self,
        replies: Iterable[str | Exception] = (),
        *,
        model_name: str = "scripted",
        context_window: int = 4096,
        vocabulary: Vocabulary = Vocabulary(FAMILY_ARCHITECTURE, FAMILY_VOCABULARY),  # noqa: B008  # frozen
        chat_template: ChatTemplateSource | None = None,
    ) -> None:
        self._replies = iter(replies)
        self._turn = threading.Lock()
        self.history: list[tuple[Prompt, GenerationParams]] = []
        self.model_name = model_name
        self.context_window = context_window
        self.vocabulary = vocabulary
        self.chat_template = chat_template

    def token_ids(self, prompt: Prompt) -> list[int]:
        """A number for every token: 0 for a Control, else the character's code point."""
        return [
            code for part in prompt_parts(prompt) for code in ([0] if isinstance(part, Control) else map(ord, part))
        ]

    def count_tokens(self, prompt: Prompt) -> int:
        """Characters of the prompt, a Control being one."""
        return len(self.token_ids(prompt))

    def generate(self, prompt: Prompt, params: GenerationParams) -> Iterator[TextChunk]:
        """The next reply, a character at a time."""
        n_tokens = 1 + self.count_tokens(prompt)
        if n_tokens + params.max_tokens > self.context_window:
            raise ContextWindowExceededError(
                prompt_tokens=n_tokens, max_tokens=params.max_tokens, context_window=self.context_window
            )
        with self._turn:
            self.history.append((prompt, params))
            reply = next(self._replies, None)
        if reply is None:
            raise GenerationError("the script has no reply left")
        if isinstance(reply, Exception):
            raise reply
        yield TextChunk("", prompt_tokens=n_tokens)
        for character in reply[: params.max_tokens]:
            yield TextChunk(character, n_tokens=1)
        yield TextChunk("", finish_reason="length" if len(reply) >= params.max_tokens else "stop")


class NgramTokenModel:
    """A TokenModel whose logits depend on the last tokens alone, seeded: small, quick, and never the same twice.

    A token is a byte of text, token 0 ends the text.

    Args:
        vocabulary_size: tokens; above 256 they stand for no text.
        order: how many last tokens count.
        n_batch: of one read().
        seed: another one is another model.
        cuttable: whether keep() works at any place, or only by forgetting everything.
    """

    def __init__(
        self, vocabulary_size: int = 64, *, order: int = 2, n_batch: int = 16, seed: int = 0, cuttable: bool = True
    ) -> None:
        self._options: dict[str, Any] = {"order": order, "n_batch": n_batch, "seed": seed, "cuttable": cuttable}
        self._vocabulary_size = vocabulary_size
        self.n_batch = n_batch
        self.memory: list[int] = []
        self.n_read = 0

    @property
    def snapshot_bytes(self) -> int:
        """A thousand bytes a token."""
        return 1000 * len(self.memory)

    @property
    def owner(self) -> str:
        """The options."""
        return f"{self._vocabulary_size} {self._options}"

    def usable(self, n_tokens: int, n_common: int) -> int:
        """All that is common, or nothing where that is not the whole and keep() forgets everything."""
        return n_common if self._options["cuttable"] or n_common == n_tokens else 0

    def keep(self, n_tokens: int) -> int:
        """Forget all but the first tokens, or everything."""
        if n_tokens < len(self.memory):
            del self.memory[n_tokens if self._options["cuttable"] else 0 :]
        return len(self.memory)

    def read(self, tokens: Sequence[int], n_logits: int = 1) -> npt.NDArray[np.float32]:
        """Logits [n_logits, vocabulary_size], standard normal."""
        if not 1 <= len(tokens) <= self.n_batch:
            raise ValueError(f"{len(tokens)} tokens in one read")
        before = len(self.memory)
        self.memory += tokens
        self.n_read += len(tokens)
        ends = range(before + len(tokens) - n_logits + 1, before + len(tokens) + 1)
        rows = [self._logits(self.memory[max(0, end - self._options["order"]) : end]) for end in ends]
        return np.array(rows, dtype=np.float32).reshape(n_logits, self._vocabulary_size)

    def ends(self, token: int) -> bool:
        """Token 0 does."""
        return token == 0

    def piece(self, token: int) -> bytes:
        """The byte itself."""
        return bytes([token]) if 0 < token < 256 else b""

    def branch(self) -> "NgramTokenModel":
        """The same model with an empty memory."""
        return NgramTokenModel(self._vocabulary_size, **self._options)

    def snapshot(self) -> npt.NDArray[np.uint8]:
        """The tokens, padded to snapshot_bytes."""
        state = np.zeros(self.snapshot_bytes, dtype=np.uint8)
        tokens = np.array(self.memory, dtype=np.int32).view(np.uint8)
        state[: tokens.nbytes] = tokens
        return state

    def restore(self, snapshot: npt.NDArray[np.uint8], tokens: Sequence[int]) -> None:
        """Take the tokens back, checking that they are those of the snapshot."""
        held = snapshot[: 4 * len(tokens)].view(np.int32).tolist()
        if held != list(tokens):
            raise ValueError("a snapshot of other tokens")
        self.memory = held

    def close(self) -> None:
        """Nothing is held."""

    def _logits(self, last: Sequence[int]) -> npt.NDArray[np.float64]:
        return np.random.default_rng([self._options["seed"], *last]).standard_normal(self._vocabulary_size)


class HashEmbeddings(Embeddings):
    """Vectors of unit length out of character n-grams: texts with much in common are near each other.

    Equal texts give equal vectors in every process and on every machine.
    """

    def __init__(self, dimension: int = 64, *, max_ngram: int = 2) -> None:
        self._dimension = dimension
        self._max_ngram = max_ngram

    @property
    def fingerprint(self) -> EmbeddingFingerprint:
        """Identity: the dimension and the longest n-gram."""
        return EmbeddingFingerprint(
            model=f"hash-{self._max_ngram}",
            dimension=self._dimension,
            query_prefix="",
            passage_prefix="",
            pooling="n-gram sum",
        )

    @property
    def setup(self) -> dict[str, str]:
        """Empty: no settings give this model."""
        return {}

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector a text, shape [len(texts), dimension]."""
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """The vector of a text, shape [dimension]."""
        vector = [0.0] * self._dimension
        for n in range(1, self._max_ngram + 1):
            for at in range(len(text) - n + 1):
                digest = blake2b(text[at : at + n].encode("utf-8", "surrogatepass"), digest_size=8).digest()
                vector[int.from_bytes(digest[:7], "big") % self._dimension] += 1.0 if digest[7] & 1 else -1.0
        length = math.sqrt(sum(x * x for x in vector))
        if length == 0.0:  # nothing in the text, or all of it cancelled out
            return [1.0] + [0.0] * (self._dimension - 1)
        return [x / length for x in vector]
