"""Prompts as a server takes them: what a template says apart from what it quotes, also on the other side of HTTP.

Where a server takes token ids and its tokenizer leaves texts alone, a text that spells a control token stays text,
exactly. Elsewhere the server would obey it, so the spelling is written in full-width brackets before it is sent:
``</s>`` becomes ``＜/s＞``, which reads the same and means nothing. Which spellings those are is asked of the
server's tokenizer, or of the one that was given in its place.
"""

import re

from chinese_llm_rag.llms.backend import Control, Prompt, prompt_parts
from chinese_llm_rag.llms.control_tokens import split_controls
from chinese_llm_rag.llms.in_process.token_model import Tokenizer
from chinese_llm_rag.llms.servers.dialect import EncodesPlainText, EncodesText, ServerDialect

# <s>, <|im_end|>, <｜User｜>, <start_of_turn>, [INST], [/INST], [gMASK]
_LOOKS_LIKE_CONTROL = re.compile(r"<[^<>\s]{1,60}>|\[/?[A-Za-z_]{1,30}\]")
_FULL_WIDTH = str.maketrans("<>[]", "＜＞［］")


class PromptEncoder:
    """Token ids and texts of prompts for one server.

    Args:
        dialect: the server.
        local: the model's tokenizer on this machine, used in place of the server's; it must be the same.

    Attributes:
        begin: what stands before every prompt: BOS, or nothing.
    """

    def __init__(self, dialect: ServerDialect, local: Tokenizer | None) -> None:
        self._local = local
        self._takes_token_ids = dialect.takes_token_ids
        self._remote = dialect if isinstance(dialect, EncodesText) else None
        self._plain = dialect if isinstance(dialect, EncodesPlainText) else None
        self._known: dict[str, bool] = {}
        if local is not None:
            self.begin = list(local.begin)
        else:
            self.begin = self._remote.begin() if self._remote is not None else []

    def for_server(self, prompt: Prompt) -> tuple[list[int] | str, int]:
        """What to send as the prompt, and how many tokens it has there, BOS included."""
        ids = self.token_ids(prompt)
        sent: list[int] | str = [*self.begin, *ids] if self._takes_token_ids else self._as_text(prompt)
        return sent, len(self.begin) + len(ids)

    def token_ids(self, prompt: Prompt) -> list[int]:
        """Token ids of the prompt, without BOS (which a template may have written)."""
        if self._local is not None:
            return self._local.token_ids(prompt if self._takes_token_ids else self._neutral_parts(prompt))
        assert self._remote is not None, "a server without a tokenizer needs a local one"
        if not self._takes_token_ids:
            return self._without_begin(self._remote.encode(self._as_text(prompt)))
        ids: list[int] = []
        for piece in split_controls(prompt, self._controls_in(prompt)):
            if isinstance(piece, Control):
                ids += self._remote.encode(piece)
            elif self._plain is not None:
                ids += self._plain.encode_plain(piece)
            else:
                ids += self._remote.encode(self.neutral(piece))
        return self._without_begin(ids)

    def neutral(self, text: str) -> str:
        """The text, with the control tokens that it spells written in full-width brackets."""
        return _LOOKS_LIKE_CONTROL.sub(
            lambda match: match[0].translate(_FULL_WIDTH) if self._is_control(match[0]) else match[0], text
        )

    def _neutral_parts(self, prompt: Prompt) -> list[str]:
        pieces = split_controls(prompt, self._controls_in(prompt))
        return [piece if isinstance(piece, Control) else self.neutral(piece) for piece in pieces]

    def _as_text(self, prompt: Prompt) -> str:
        return "".join(self._neutral_parts(prompt))

    def _without_begin(self, ids: list[int]) -> list[int]:
        n = len(self.begin)
        return ids[n:] if n and ids[:n] == self.begin else ids

    def _controls_in(self, prompt: Prompt) -> set[str]:
        """The control tokens in the Control parts of a prompt."""
        controls = [part for part in prompt_parts(prompt) if isinstance(part, Control)]
        return {match for part in controls for match in _LOOKS_LIKE_CONTROL.findall(part) if self._is_control(match)}

    def _is_control(self, spelling: str) -> bool:
        if spelling not in self._known:
            self._known[spelling] = self._is_one_token(spelling)
        return self._known[spelling]

    def _is_one_token(self, spelling: str) -> bool:
        """Whether the tokenizer makes one token of it where control tokens are looked for."""
        if self._remote is None:
            assert self._local is not None, "a server without a tokenizer needs a local one"
            return len(self._local.token_ids([Control(spelling)])) == 1
        ids = self._remote.encode(spelling)
        is_text = self._plain is not None and self._plain.encode_plain(spelling) == ids
        return len(ids) == 1 and not is_text
