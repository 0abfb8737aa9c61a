r"""The Alpaca-2 chat format, exactly as the model family's own scripts write it.

One turn is ``[INST] <<SYS>>\n{system}\n<</SYS>>\n\n{instruction} [/INST]``, then a space and the answer,
then ``</s>``. A later turn begins with ``<s>`` and has no system part. The very first ``<s>`` (BOS) is put
there by the runtime.

In this format ``</s>`` and ``<s>`` are control tokens, and only the template writes them: they are
Control parts, while whatever a message says is plain text. ``[INST]`` and ``<<SYS>>`` on the other hand
are ordinary text to the tokenizer, so the same letters in a message would look like a turn of the
template's. They are therefore written with full-width brackets, which read the same and mean nothing.
"""

import re
from collections.abc import Sequence

from chinese_llm_rag.llms.backend import Control, Prompt
from chinese_llm_rag.llms.conversation import Turn

DEFAULT_SYSTEM_PROMPT = "You are a helpful assistant. 你是一个乐于助人的助手。"
# The family appends this to the system prompt where long answers are wanted.
LONG_ANSWER_SUFFIX = "请你提供专业、有逻辑、内容真实、有价值的详细回复。"

_BEGIN = Control("<s>")
_END = Control("</s>")
_MARKERS = re.compile(r"\[(/?INST)\]|<<(/?SYS)>>")


def neutral(text: str) -> str:
    """The text with the template's own markers written in full-width brackets."""
    return _MARKERS.sub(lambda m: f"［{m[1]}］" if m[1] else f"＜＜{m[2]}＞＞", text)


def alpaca2_prompt(turns: Sequence[Turn], *, system_prompt: str | None = None) -> Prompt:
    """The prompt that asks an Alpaca-2 model for its next words.

    Args:
        turns: roles in turn, as conversation() gives them. When the last one is the assistant's, the
            prompt ends inside that answer, and the model goes on with it.
        system_prompt: used when the turns hold none; None is the family's default.
    """
    system = system_prompt if system_prompt is not None else DEFAULT_SYSTEM_PROMPT
    parts: list[str] = []
    text = ""
    first = True
    for index, turn in enumerate(turns):
        content = neutral(turn.text)
        if turn.role == "system":
            system = content
            continue
        if turn.role == "user" or first:  # an assistant who speaks first answers an empty instruction
            text = _instruction(content if turn.role == "user" else "", system if first else None)
            first = False
        if turn.role == "assistant":
            text = f"{text} {content}"
            if index < len(turns) - 1:
                parts += [text, _END, _BEGIN]
                text = ""
    return (*parts, text or _instruction("", system))


def _instruction(instruction: str, system: str | None) -> str:
    head = "" if system is None else f"<<SYS>>\n{system}\n<</SYS>>\n\n"
    return f"[INST] {head}{instruction} [/INST]"
