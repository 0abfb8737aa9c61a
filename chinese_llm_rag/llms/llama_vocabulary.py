"""Text to tokens and back, as the vocabulary in a GGUF file has it."""

import ctypes
from typing import Any

from chinese_llm_rag.llms.backend import ChatTemplateSource, Control, Prompt, Vocabulary
from chinese_llm_rag.llms.control_tokens import split_controls


class LlamaVocabulary:
    """The vocabulary of a model that llama-cpp-python has loaded.

    Attributes:
        begin: what every prompt begins with: the BOS token, or nothing, as the file's metadata says.
        trained_window: tokens the model was trained for.
    """

    def __init__(self, api: Any, llama: Any) -> None:  # noqa: ANN401  # llama_cpp and llama_cpp.Llama, imported late
        self._api = api
        self._llama = llama
        self._model: Any = llama._model  # noqa: SLF001  # the only way to the flags of tokens
        self._bos = int(self._model.token_bos())
        self._controls: dict[str, int] | None = None
        self._pieces: dict[int, bytes] = {}
        self.begin = [self._bos] if self._model.add_bos_token() else []
        self.trained_window = int(self._model.n_ctx_train())

    def describe(self) -> Vocabulary:
        """Architecture and size, as the file states them."""
        return Vocabulary(str(self._llama.metadata.get("general.architecture", "")), int(self._llama.n_vocab()))

    def chat_template(self) -> ChatTemplateSource | None:
        """The template in the file's metadata, or None."""
        template = self._llama.metadata.get("tokenizer.chat_template")
        if template is None:
            return None
        return ChatTemplateSource(
            template=template,
            bos_token=self._text(self._bos),
            eos_token=self._text(int(self._model.token_eos())),
        )

    def token_ids(self, prompt: Prompt) -> list[int]:
        """Token ids of the prompt, without BOS (which a template may have written)."""
        ids: list[int] = []
        controls = {} if isinstance(prompt, str) else self._control_tokens()
        for piece in split_controls(prompt, controls):
            if isinstance(piece, Control):
                ids.append(controls[piece])
            else:
                # A lone surrogate is no character; it becomes a question mark rather than an error.
                ids += self._llama.tokenize(piece.encode("utf-8", "replace"), add_bos=False, special=False)
        return ids[1:] if ids and ids[0] == self._bos else ids

    def ends(self, token: int) -> bool:
        """Whether the token ends the text: EOS, or any end of turn that the vocabulary knows."""
        return bool(self._api.llama_vocab_is_eog(self._model.vocab, token))

    def piece(self, token: int) -> bytes:
        """The bytes a token stands for; none for a control token."""
        known = self._pieces.get(token)
        if known is None:
            size = 32
            while (n := self._write_piece(token, buffer := ctypes.create_string_buffer(size), size)) < 0:
                size = -n
            known = self._pieces[token] = buffer.raw[:n]
        return known

    def _write_piece(self, token: int, buffer: "ctypes.Array[ctypes.c_char]", size: int) -> int:
        """Bytes written, or minus the bytes needed."""
        return int(self._api.llama_token_to_piece(self._model.vocab, token, buffer, size, 0, False))  # noqa: FBT003

    def _text(self, token: int) -> str:
        return str(self._model.token_get_text(token)) if token >= 0 else ""

    def _control_tokens(self) -> dict[str, int]:
        """The control tokens: those that llama.cpp parses out of a text only when asked to."""
        if self._controls is None:
            flags = self._api.LLAMA_TOKEN_ATTR_CONTROL | self._api.LLAMA_TOKEN_ATTR_UNKNOWN
            self._controls = {
                text: token
                for token in range(self._llama.n_vocab())
                if self._api.llama_vocab_get_attr(self._model.vocab, token) & flags and (text := self._text(token))
            }
        return self._controls
