"""Text to tokens and back, as the vocabulary in a GGUF file has it."""

import ctypes
from typing import Any

from chinese_llm_rag.llms.backend import ChatTemplateSource, Control, Prompt, Vocabulary
from chinese_llm_rag.llms.control_tokens import split_controls

_PIECE_BYTES = 32  # of the first buffer; longer pieces get a second one


class LlamaVocabulary:
    """The vocabulary of a model that llama.cpp has loaded.

    Attributes:
        begin: what every prompt begins with: the BOS token, or nothing, as the file's metadata says.
        trained_window: tokens the model was trained for.
        size: how many tokens there are.
    """

    def __init__(self, api: Any, model: Any) -> None:  # noqa: ANN401  # the module llama_cpp and a llama_model pointer
        self._api = api
        self._model = model
        self._vocab: Any = api.llama_model_get_vocab(model)
        self._bos = int(api.llama_vocab_bos(self._vocab))
        self._controls: dict[str, int] | None = None
        self._pieces: dict[int, bytes] = {}
        self.begin = [self._bos] if api.llama_vocab_get_add_bos(self._vocab) else []
        self.trained_window = int(api.llama_model_n_ctx_train(model))
        self.size = int(api.llama_vocab_n_tokens(self._vocab))

    def describe(self) -> Vocabulary:
        """Architecture and size, as the file states them."""
        return Vocabulary(self.metadata("general.architecture") or "", self.size)

    def chat_template(self) -> ChatTemplateSource | None:
        """The template in the file's metadata, or None."""
        template = self.metadata("tokenizer.chat_template")
        if template is None:
            return None
        eos = int(self._api.llama_vocab_eos(self._vocab))
        return ChatTemplateSource(template=template, bos_token=self._text(self._bos), eos_token=self._text(eos))

    def equals(self, other: "LlamaVocabulary") -> bool:
        """Whether every token is the same text in both."""
        return self.size == other.size and self.texts() == other.texts()

    def texts(self) -> list[str]:
        """The text of every token, in order."""
        return [self._text(token) for token in range(self.size)]

    def token_ids(self, prompt: Prompt) -> list[int]:
        """Token ids of the prompt, without BOS (which a template may have written)."""
        ids: list[int] = []
        controls = {} if isinstance(prompt, str) else self._control_tokens()
        for piece in split_controls(prompt, controls):
            if isinstance(piece, Control):
                ids.append(controls[piece])
            else:
                # A lone surrogate is no character; it becomes a question mark rather than an error.
                ids += self._tokenize(piece.encode("utf-8", "replace"))
        return ids[1:] if ids and ids[0] == self._bos else ids

    def ends(self, token: int) -> bool:
        """Whether the token ends the text: EOS, or any end of turn that the vocabulary knows."""
        return bool(self._api.llama_vocab_is_eog(self._vocab, token))

    def piece(self, token: int) -> bytes:
        """The bytes a token stands for; none for a control token."""
        known = self._pieces.get(token)
        if known is None:
            size = _PIECE_BYTES
            while (n := self._write_piece(token, buffer := ctypes.create_string_buffer(size), size)) < 0:
                size = -n
            known = self._pieces[token] = buffer.raw[:n]
        return known

    def _tokenize(self, text: bytes) -> list[int]:
        room = len(text) + 2  # never more tokens than bytes, and a space before the text
        tokens = (ctypes.c_int32 * room)()
        n = int(self._api.llama_tokenize(self._vocab, text, len(text), tokens, room, False, False))  # noqa: FBT003
        if n < 0:
            raise RuntimeError(f"{-n} tokens for {len(text)} bytes")
        return tokens[:n]

    def _write_piece(self, token: int, buffer: "ctypes.Array[ctypes.c_char]", size: int) -> int:
        """Bytes written, or minus the bytes needed."""
        return int(self._api.llama_token_to_piece(self._vocab, token, buffer, size, 0, False))  # noqa: FBT003

    def _text(self, token: int) -> str:
        if token < 0:
            return ""
        text: bytes = self._api.llama_vocab_get_text(self._vocab, token)
        return text.decode("utf-8", "replace")

    def metadata(self, key: str) -> str | None:
        """A value of the file's metadata as text, or None."""
        size = 256
        while True:
            buffer = ctypes.create_string_buffer(size)
            n = int(self._api.llama_model_meta_val_str(self._model, key.encode(), buffer, size))
            if n < 0:
                return None
            if n < size:
                return buffer.value.decode("utf-8", "replace")
            size = n + 1

    def _control_tokens(self) -> dict[str, int]:
        """The control tokens: those that llama.cpp parses out of a text only when asked to."""
        if self._controls is None:
            flags = self._api.LLAMA_TOKEN_ATTR_CONTROL | self._api.LLAMA_TOKEN_ATTR_UNKNOWN
            self._controls = {
                text: token
                for token in range(self.size)
                if self._api.llama_vocab_get_attr(self._vocab, token) & flags and (text := self._text(token))
            }
        return self._controls
