"""Stand-ins for models, for tests of what is built on this package: real interfaces, no weights.

Nothing in production uses them.
"""

import math
import threading
from collections.abc import Iterable, Iterator
from hashlib import blake2b

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
