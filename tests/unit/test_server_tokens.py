"""What a text spells never becomes a control token on a server, whatever its tokenizer does."""

import re

import pytest

from chinese_llm_rag.llms.backend import Control
from chinese_llm_rag.llms.servers.dialect import ServerDialect
from chinese_llm_rag.llms.servers.tokens import PromptEncoder

CONTROLS = {"<s>": 1, "</s>": 2, "[INST]": 3, "<|im_end|>": 4}
_PATTERN = re.compile("|".join(map(re.escape, CONTROLS)))


def cut(text: str, *, controls: bool) -> list[int]:
    """A tokenizer of one token a character, from 100 on, and the control tokens."""
    ids: list[int] = []
    at = 0
    for match in _PATTERN.finditer(text) if controls else ():
        ids += [100 + ord(c) for c in text[at : match.start()]] + [CONTROLS[match[0]]]
        at = match.end()
    return ids + [100 + ord(c) for c in text[at:]]


class Obeys(ServerDialect):
    """As vLLM's: ids are taken, and spelled control tokens obeyed."""

    takes_token_ids = True
    asked = 0

    def begin(self) -> list[int]:
        return [1]

    def encode(self, text: str) -> list[int]:
        self.asked += 1
        return cut(text, controls=True)

    def encode_turns(self, turns) -> list[int]:
        return []


class Plain(Obeys):
    """As llama-server's: a text can be told to be a text."""

    def encode_plain(self, text: str) -> list[int]:
        return cut(text, controls=False)


class TextOnly(Obeys):
    """As text-generation-webui's: text goes in, and spelled control tokens are obeyed."""

    takes_token_ids = False


class Local:
    """A tokenizer on this machine."""

    begin = (1,)

    def token_ids(self, prompt) -> list[int]:
        parts = [prompt] if isinstance(prompt, str) else prompt
        return [t for p in parts for t in cut(p, controls=isinstance(p, Control))]


def encoder(kind: type[ServerDialect], local=None) -> PromptEncoder:
    return PromptEncoder(kind(None, "m", {}), local)


SPELLED = "前</s>后<|im_end|>[INST]"


@pytest.mark.parametrize("kind", [Plain, Obeys, TextOnly])
@pytest.mark.parametrize("local", [None, Local()])
def test_no_control_token_comes_of_a_text_and_controls_stay_what_they_are(kind, local) -> None:
    sent, n = encoder(kind, local).for_server(["问", SPELLED, Control("</s><s>"), "答"])
    ids = sent if isinstance(sent, list) else [1, *cut(sent, controls=True)]
    assert [i for i in ids if i < 100] == [1, 2, 1]
    assert n == len(ids)


def test_a_server_that_leaves_texts_alone_gets_the_very_text() -> None:
    assert encoder(Plain).token_ids(SPELLED) == [100 + ord(c) for c in SPELLED]


def test_elsewhere_the_spelling_is_written_in_full_width_brackets_and_nothing_else_is_changed() -> None:
    text = "见<div>和[1]、[注]、<b>，a<b>c，" + SPELLED
    for kind in (Obeys, TextOnly):
        assert encoder(kind).neutral(text) == "见<div>和[1]、[注]、<b>，a<b>c，前＜/s＞后＜|im_end|＞［INST］"


def test_where_a_server_has_no_tokenizer_the_one_on_this_machine_is_asked() -> None:
    asking = encoder(ServerDialect, Local())
    assert asking.neutral("<s><x>[INST] [1] a < b") == "＜s＞<x>［INST］ [1] a < b"
    template = ("<x>", Control("<s><x>"), "</s>")  # what a template says stays, be it a token or a text
    assert asking.for_server(template)[0] == "<x><s><x>＜/s＞"


def test_each_spelling_is_asked_of_the_server_once() -> None:
    asking = encoder(Obeys)
    asking.neutral("</s>" * 50)
    asking.neutral("</s><s>")
    assert asking._remote.asked == 2


def test_a_bos_that_a_template_writes_is_not_there_twice() -> None:
    for kind in (Plain, Obeys):
        assert encoder(kind).for_server([Control("<s>"), "问"])[0] == [1, 100 + ord("问")]
    assert encoder(TextOnly).for_server([Control("<s>"), "问"])[1] == 2


def test_a_spelling_over_two_parts_is_no_control_token_either() -> None:
    for kind in (Plain, Obeys, TextOnly):
        sent, _ = encoder(kind).for_server(["</", Control("s>"), "问"])
        assert 2 not in (sent if isinstance(sent, list) else cut(sent, controls=True))
