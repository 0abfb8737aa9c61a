"""The stop cutter depends on the text alone."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.llms.backend import TextChunk
from chinese_llm_rag.llms.stopping import StopCutter, cut_at_stop

letters = st.text(alphabet="ab。\n", max_size=30)
stops = st.lists(st.text(alphabet="ab。\n", min_size=1, max_size=4), max_size=3)


def shown(text: str, stop: list[str], cuts: list[int]) -> str:
    cutter = StopCutter(stop)
    borders = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return "".join(cutter.feed(text[a:b]) for a, b in pairwise(borders)) + cutter.flush()


@given(letters, stops, st.lists(st.integers(min_value=0), max_size=10))
def test_the_result_does_not_depend_on_piece_size(text: str, stop: list[str], cuts: list[int]) -> None:
    assert shown(text, stop, cuts) == shown(text, stop, []) == shown(text, stop, list(range(len(text))))


@given(letters, stops, st.lists(st.integers(min_value=0), max_size=10))
def test_what_is_shown_holds_no_stop_string_and_is_a_beginning(text: str, stop: list[str], cuts: list[int]) -> None:
    result = shown(text, stop, cuts)
    assert text.startswith(result)
    assert not any(s in result for s in stop)
    if not any(s in text for s in stop):
        assert result == text
    else:
        assert any(text.startswith(s, len(result)) for s in stop)


def test_nothing_that_may_begin_a_stop_string_is_shown_early() -> None:
    cutter = StopCutter(["</s>", "\n问题"])
    assert [cutter.feed(piece) for piece in ["答</", "s", "是", "好\n问"]] == ["答", "", "</s是", "好"]
    assert cutter.feed("题：") == ""
    assert cutter.stopped
    assert (cutter.feed("后来"), cutter.flush()) == ("", "")


def test_of_stop_strings_that_end_together_the_longest_counts() -> None:
    assert shown("一二三四", ["三", "二三"], []) == "一"


def test_an_empty_stop_string_is_refused() -> None:
    with pytest.raises(ConfigError, match="must not be empty"):
        StopCutter(["。", ""])


def stream(closed: list[str], *texts: str):
    try:
        yield TextChunk("", prompt_tokens=9)
        for text in texts:
            yield TextChunk(text, n_tokens=1)
        yield TextChunk("", finish_reason="length")
    finally:
        closed.append("closed")


def test_the_stream_below_is_closed_when_the_stop_string_is_seen() -> None:
    closed: list[str] = []
    below = stream(closed, "甲", "乙", "丙。", "丁")  # a name keeps it alive: it must be closed, not collected
    pieces = list(cut_at_stop(below, ["。"]))
    assert "".join(p.text for p in pieces) == "甲乙丙"
    assert pieces[-1].finish_reason == "stop"
    assert sum(p.n_tokens for p in pieces) == 3  # 丁 was never generated
    assert closed == ["closed"]


def test_text_held_back_is_shown_when_the_stream_ends_without_a_stop_string() -> None:
    pieces = list(cut_at_stop(stream([], "甲", "<", "/s"), ["</s>"]))
    assert "".join(p.text for p in pieces) == "甲</s"
    assert pieces[-1].finish_reason == "length"
    assert pieces[0].prompt_tokens == 9


def test_leaving_early_closes_the_stream_below() -> None:
    closed: list[str] = []
    below = stream(closed, "甲", "乙")
    cut = cut_at_stop(below, [])
    next(cut)
    cut.close()
    assert closed == ["closed"]
