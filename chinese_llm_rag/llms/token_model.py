"""The lower seam: what a model in this process must give, in tokens.

Everything above it exists once for all such runtimes: sampling (sampler.py), the loop (decoding.py), drafts
(speculation.py), guidance, prefix reuse (prefix_memory.py) and the Backend itself (in_process.py). So the same
logits give the same text, whoever computed them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

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
class SavesMemory(Protocol):
    """A TokenModel whose memory can be put aside and taken back, exactly."""

    def snapshot(self) -> bytes:
        """The memory as bytes."""
        ...

    def restore(self, snapshot: bytes, tokens: Sequence[int]) -> None:
        """Make the memory what it was at snapshot(), when it held these tokens."""
        ...

    def save_memory(self, path: Path) -> int:
        """Write the memory and its tokens to a file; the result is its size in bytes."""
        ...

    def load_memory(self, path: Path) -> None:
        """Make the memory what a file of save_memory() holds.

        Raises:
            ModelLoadError: the file is damaged, or of another model or window.
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
