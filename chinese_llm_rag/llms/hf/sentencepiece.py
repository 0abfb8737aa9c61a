"""The tokenizer of folders with a tokenizer.model, equal to sentencepiece because it is sentencepiece.

The fast Llama tokenizer of transformers 5 breaks ties between pieces of equal score otherwise, and the family's
23,296 added pieces all have the same score: more than one token in a hundred differs.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from chinese_llm_rag._optional import optional_import
from chinese_llm_rag.errors import ModelLoadError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.backend import Control, Prompt
from chinese_llm_rag.llms.control_tokens import split_controls

_SPACE = "\u2581"


class SentencePieceTokenizer:
    """A sentencepiece vocabulary, and the tokens that a model folder adds to it.

    As in llama.cpp, each text between two control tokens is encoded as a text of its own, the vocabulary's dummy
    prefix included.

    Args:
        path: a tokenizer.model file.
        bos: id of the BOS token, or None where the model has none.
        add_bos: whether every prompt begins with it.
        ends: ids that end a text.
        added: tokens beside the vocabulary, by their text; they are found in Control parts only.
        special: those of the added tokens that stand for nothing to read.

    Raises:
        MissingDependencyError: sentencepiece is not installed.
        ModelLoadError: the file is missing or no sentencepiece model.
    """

    def __init__(
        self,
        path: Path,
        *,
        bos: int | None,
        add_bos: bool = True,
        ends: Collection[int],
        added: Mapping[str, int] | None = None,
        special: Collection[str] = (),
    ) -> None:
        library = optional_import("sentencepiece", extra="hf")
        try:
            self._processor: Any = library.SentencePieceProcessor(model_proto=path.read_bytes())
        except (OSError, RuntimeError, ValueError) as error:
            raise ModelLoadError(
                say(f"{str(path)!r} is not a sentencepiece model: {error}", f"{str(path)!r} 不是 sentencepiece 模型"),
                hint=say("copy the model's folder again, with all its files", "请重新复制模型文件夹及其全部文件"),
            ) from error
        self.n_pieces = int(self._processor.get_piece_size())
        self._bos = bos
        self._ends = frozenset(ends)
        self.begin: tuple[int, ...] = (bos,) if add_bos and bos is not None else ()
        added = added or {}
        self._bytes = [self._bytes_of(token) for token in range(self.n_pieces)]
        self._added_bytes = {token: b"" if text in special else text.encode() for text, token in added.items()}
        self._controls = {self._text(token): token for token in range(self.n_pieces) if self._is_control(token)}
        self._controls |= added

    @property
    def named_tokens(self) -> tuple[int | None, int | None]:
        """BOS and EOS, as the file itself names them; None where it has none."""
        bos, eos = int(self._processor.bos_id()), int(self._processor.eos_id())
        return bos if bos >= 0 else None, eos if eos >= 0 else None

    def token_ids(self, prompt: Prompt) -> list[int]:
        """Token ids without BOS (which a template may have written)."""
        ids: list[int] = []
        for part in split_controls(prompt, () if isinstance(prompt, str) else self._controls):
            if isinstance(part, Control):
                ids.append(self._controls[part])
            else:
                # A lone surrogate is no character; it becomes a question mark rather than an error.
                ids += self._processor.encode(part.encode("utf-8", "replace").decode())
        return ids[1:] if ids and ids[0] == self._bos else ids

    def piece(self, token: int) -> bytes:
        """The UTF-8 bytes a token stands for; none for a control token or one that no text has."""
        if token in self._added_bytes:
            return self._added_bytes[token]
        return self._bytes[token] if token < self.n_pieces else b""

    def ends(self, token: int) -> bool:
        """Whether the token ends the text."""
        return token in self._ends

    def text(self, token: int | None) -> str:
        """How a template writes the token; nothing for None."""
        if token is None:
            return ""
        by_id = {known: text for text, known in self._controls.items()}
        return by_id[token] if token in by_id else self._text(token)

    def _text(self, token: int) -> str:
        return str(self._processor.id_to_piece(token))

    def _is_control(self, token: int) -> bool:
        return bool(self._processor.is_control(token) or self._processor.is_unknown(token))

    def _bytes_of(self, token: int) -> bytes:
        if self._is_control(token) or self._processor.is_unused(token):
            return b""
        text = self._text(token)
        if self._processor.is_byte(token):
            return bytes([int(text[1:-1], 16)])  # <0xE4>
        return text.replace(_SPACE, " ").encode()


def read_sentencepiece(path: Path) -> SentencePieceTokenizer:
    """A tokenizer.model alone: BOS, and what ends a text, are those that the file itself names.

    Raises:
        MissingDependencyError: sentencepiece is not installed.
        ModelLoadError: it is no sentencepiece model.
    """
    own = SentencePieceTokenizer(path, bos=None, ends=()).named_tokens
    return SentencePieceTokenizer(path, bos=own[0], ends=[token for token in own[1:] if token is not None])
