"""Text to tokens, by the vocabulary of the model that the server has loaded."""

from chinese_llm_rag.llms.backend import ChatTemplateSource, Control, Prompt, Vocabulary
from chinese_llm_rag.llms.control_tokens import split_controls
from chinese_llm_rag.llms.gguf.header import GgufHeader
from chinese_llm_rag.llms.xllama.server import EmbeddedServer

_KNOWN_PARTS = 256  # templates repeat a few


class ServerVocabulary:
    """Tokenizes through the server, whose tokens are llama.cpp's own.

    Attributes:
        begin: what every prompt begins with: the BOS token, or nothing, as the file's metadata says.
    """

    def __init__(self, server: EmbeddedServer, header: GgufHeader) -> None:
        self._server = server
        self._header = header
        self._controls: dict[str, dict[str, int]] = {}
        properties = server.ask("/props")
        self._bos_token, self._eos_token = str(properties["bos_token"]), str(properties["eos_token"])
        bos = self._tokenize(self._bos_token, parse_special=True) if self._bos_token else []
        self._bos = bos[0] if len(bos) == 1 else -1
        around = server.ask("/tokenize", {"content": "", "add_special": True})["tokens"]
        self.begin: list[int] = around[:1] if around[:1] == [self._bos] else []

    def describe(self) -> Vocabulary:
        """Architecture and size, as the file states them."""
        return Vocabulary(self._header.architecture, self._header.vocabulary_size)

    def chat_template(self) -> ChatTemplateSource | None:
        """The template in the file's metadata, or None."""
        template = self._header.metadata.get("tokenizer.chat_template")
        if template is None:
            return None
        return ChatTemplateSource(str(template), bos_token=self._bos_token, eos_token=self._eos_token)

    def token_ids(self, prompt: Prompt) -> list[int]:
        """Token ids of the prompt, without BOS (which a template may have written)."""
        controls: dict[str, int] = {}
        for part in () if isinstance(prompt, str) else prompt:
            if isinstance(part, Control):
                controls.update(self._controls_in(part))
        ids: list[int] = []
        for piece in split_controls(prompt, controls):
            if isinstance(piece, Control):
                ids.append(controls[piece])
            else:
                ids += self._tokenize(piece, parse_special=False)
        return ids[1:] if ids and ids[0] == self._bos else ids

    def _controls_in(self, part: Control) -> dict[str, int]:
        """The control tokens that the characters of a Control spell.

        The server has no list of them. A control token is one that is found only when control tokens are looked for.
        """
        known = self._controls.get(part)
        if known is None:
            reply = self._server.ask(
                "/tokenize", {"content": str(part), "add_special": False, "parse_special": True, "with_pieces": True}
            )
            known = {
                token["piece"]: token["id"]
                for token in reply["tokens"]
                if isinstance(token["piece"], str)  # bytes of a character are listed as numbers
                and self._tokenize(token["piece"], parse_special=True) == [token["id"]]
                and self._tokenize(token["piece"], parse_special=False) != [token["id"]]
            }
            if len(self._controls) >= _KNOWN_PARTS:
                self._controls.clear()
            self._controls[part] = known
        return known

    def _tokenize(self, text: str, *, parse_special: bool) -> list[int]:
        # A lone surrogate is no character; it becomes a question mark rather than an error.
        content = text.encode("utf-8", "replace").decode()
        reply = self._server.ask(
            "/tokenize", {"content": content, "add_special": False, "parse_special": parse_special}
        )
        ids: list[int] = reply["tokens"]
        return ids
