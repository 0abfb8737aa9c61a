"""Keep what a template says apart from what it quotes, down to the tokens.

A tokenizer that is told to parse control tokens does so everywhere. So a prompt is cut into pieces that
are control tokens and texts that are not, and only the former are looked up as such.
"""

import re
from collections.abc import Collection, Iterator
from itertools import groupby

from chinese_llm_rag.llms.backend import Control, Prompt, prompt_parts


def split_controls(prompt: Prompt, control_pieces: Collection[str]) -> Iterator[str]:
    """The prompt as alternating plain texts (str) and single control tokens (Control), nothing lost.

    A Control part may hold several control tokens and text between them, as a Jinja template writes it. Text on
    both sides of the border between a template and what it quotes is one text, since a tokenizer cuts it
    differently when it sees it in two.

    Args:
        prompt: text is never searched for control tokens, Control parts are.
        control_pieces: the control tokens of the model's vocabulary, as text. The longest match wins.
    """
    pieces = (piece for part in prompt_parts(prompt) for piece in _pieces(part, control_pieces))
    for is_control, group in groupby(pieces, key=lambda piece: isinstance(piece, Control)):
        if is_control:
            yield from group
        elif text := "".join(group):
            yield text


def _pieces(part: str, control_pieces: Collection[str]) -> Iterator[str]:
    if not isinstance(part, Control) or not control_pieces:
        yield str(part)
        return
    longest_first = sorted(control_pieces, key=len, reverse=True)
    at = 0
    for match in re.finditer("|".join(map(re.escape, longest_first)), part):
        yield str(part[at : match.start()])
        yield Control(match[0])
        at = match.end()
    yield str(part[at:])
