"""The lower seam: what a model in this process must give, in tokens.

Everything above it exists once for all such runtimes: sampling (sampler.py), the loop (decoding.py), drafts
(speculation.py), guidance, prefix reuse (prefix_memory.py) and the Backend itself (backend.py). So the same
logits give the same text, whoever computed them.
"""

from collections.abc import Sequence
from typing import Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from chinese_llm_rag.llms.backend import Prompt
from chinese_llm_rag.llms.rope import RopeSpec

Logits = npt.NDArray[np.float32]


class TokenModel(Protocol):
    """A language model with one memory (KV cache) of the tokens that it has read.

    Not thread-safe: its owner lets one caller in at a time.
    """

    @property
    def memory(self) -> Sequence[int]:
        """The tokens read so far, in order."""
        ...

    @property
    def n_batch(self) -> int:
        """Tokens that one read() may have at most."""
        ...

    def keep(self, n_tokens: int) -> int:
        """Forget all but the first n_tokens of the memory.

        The result is how many are left: less than asked for where this memory cannot be cut at any place.
        """
        ...

    def read(self, tokens: Sequence[int], n_logits: int = 1) -> Logits:
        """Add tokens to the memory.

        Args:
            tokens: between 1 and n_batch ids.
            n_logits: for how many of the last tokens the logits are wanted; 0 is none, which is quicker.

        Returns:
            float32 [n_logits, vocabulary]; may be a view that the next read() overwrites.
        """
        ...

    def ends(self, token: int) -> bool:
        """Whether the token ends the text: EOS or an end of turn."""
        ...

    def piece(self, token: int) -> bytes:
        """The UTF-8 bytes a token stands for; none for a control token."""
        ...

    def branch(self) -> Self:
        """A second, empty memory over the same weights."""
        ...

    def close(self) -> None:
        """Free it. May be called twice."""
        ...


@runtime_checkable
class SetsRope(Protocol):
    """A TokenModel whose RoPE can be changed after loading."""

    def set_rope(self, rope: RopeSpec) -> None:
        """Compute positions so from now on. The memory is forgotten, since it was computed otherwise."""
        ...


@runtime_checkable
class SavesMemory(Protocol):
    """A TokenModel whose memory can be put aside and taken back, exactly."""

    @property
    def snapshot_bytes(self) -> int:
        """What a snapshot would take now."""
        ...

    @property
    def owner(self) -> str:
        """What a snapshot can be used with, but for the RoPE: the weights and the type of the cache."""
        ...

    def snapshot(self) -> npt.NDArray[np.uint8]:
        """The memory as bytes, shape [snapshot_bytes]."""
        ...

    def restore(self, snapshot: npt.NDArray[np.uint8], tokens: Sequence[int]) -> None:
        """Make the memory what it was at snapshot(), when it held these tokens."""
        ...

    def usable(self, n_tokens: int, n_common: int) -> int:
        """How many tokens of a snapshot are of use to a prompt: of its n_tokens the first n_common are the prompt's.

        Fewer than n_common, where a memory that was taken back cannot be cut there.
        """
        ...


class TokenConstraint(Protocol):
    """A grammar in progress: which tokens may come next."""

    def allowed(self, tokens: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """For each of the tokens, whether it may come next."""
        ...

    def accept(self, token: int) -> None:
        """The token came."""
        ...


@runtime_checkable
class ConstrainsTokens(Protocol):
    """A TokenModel that can keep an answer to a JSON schema."""

    def json_constraint(self, schema: str) -> TokenConstraint:
        """A constraint for one answer.

        Raises:
            ConfigError: the text is not a JSON schema, or of a kind that cannot be kept to.
        """
        ...


class Tokenizer(Protocol):
    """Text to tokens, as the model's own vocabulary has it."""

    @property
    def begin(self) -> Sequence[int]:
        """What every prompt begins with: the BOS token, or nothing."""
        ...

    def token_ids(self, prompt: Prompt) -> list[int]:
        """Token ids without BOS (which a template may have written)."""
        ...
