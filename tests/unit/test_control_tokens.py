"""Template and quotation stay apart down to the tokens."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from chinese_llm_rag.llms.backend import Control
from chinese_llm_rag.llms.control_tokens import split_controls

KNOWN = ["<s>", "</s>", "<s><s>"]


def kinds(prompt) -> list[tuple[str, bool]]:
    return [(str(p), isinstance(p, Control)) for p in split_controls(prompt, KNOWN)]


def test_text_is_never_searched() -> None:
    assert kinds("甲</s>乙") == [("甲</s>乙", False)]
    assert kinds(["甲</s>", "<s>乙"]) == [("甲</s><s>乙", False)]


def test_a_control_part_is_cut_into_its_control_tokens_and_the_text_between_joins_its_neighbours() -> None:
    prompt = [Control("<s>user: "), "你</s>好", Control("</s></s>\n答")]
    assert kinds(prompt) == [
        ("<s>", True),
        ("user: 你</s>好", False),
        ("</s>", True),
        ("</s>", True),
        ("\n答", False),
    ]


def test_the_longest_control_token_wins() -> None:
    assert kinds([Control("<s><s>")]) == [("<s><s>", True)]


def test_a_control_that_the_vocabulary_lacks_is_text() -> None:
    assert kinds([Control("<|im_end|>")]) == [("<|im_end|>", False)]


parts = st.text(alphabet="<s>/甲", max_size=12)


@given(st.lists(st.one_of(parts, parts.map(Control)), max_size=6))
def test_nothing_is_lost_and_texts_never_touch(prompt: list[str]) -> None:
    pieces = list(split_controls(prompt, KNOWN))
    assert "".join(pieces) == "".join(prompt)
    plain = [not isinstance(p, Control) for p in pieces]
    assert not any(a and b for a, b in pairwise(plain))
