"""Server-sent events come out the same however the bytes arrive."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chinese_llm_rag.llms.servers.events import EventParser


def parse(received: bytes, size: int = 1) -> list[str]:
    parser = EventParser()
    return [e for at in range(0, len(received), size) for e in parser.feed(received[at : at + size])]


def test_an_event_is_its_data() -> None:
    assert parse(b'data: {"a": 1}\n\ndata:[DONE]\n\n') == ['{"a": 1}', "[DONE]"]


def test_lines_of_one_event_are_joined_and_other_fields_and_comments_are_left_out() -> None:
    received = b": ping\nevent: message\nid: 3\ndata: one\ndata: two\n\n: ping\n\n"
    assert parse(received) == ["one\ntwo"]


def test_line_ends_may_have_a_carriage_return() -> None:
    assert parse(b"data: one\r\n\r\ndata: two\r\n\r\n") == ["one", "two"]


def test_an_event_that_was_cut_off_is_none() -> None:
    assert parse(b'data: one\n\ndata: {"te') == ["one"]


def test_the_error_line_of_older_llama_servers_is_an_event() -> None:
    assert parse(b'error: {"code": 500}\n\n') == ['{"code": 500}']


def test_bytes_that_are_no_text_are_an_error() -> None:
    with pytest.raises(UnicodeDecodeError):
        parse(b"data: \xff\xfe\n\n")


@given(st.lists(st.text(max_size=20), max_size=5), st.integers(1, 7))
def test_any_text_arrives_whole_however_it_is_cut(texts: list[str], size: int) -> None:
    # U+2028 and U+0085 are line ends to str.splitlines(), and ordinary characters here.
    texts = [text.encode("utf-8", "replace").decode() + "\u2028\x85" for text in texts]
    received = "".join(f"data: {json.dumps({'text': t}, ensure_ascii=False)}\n\n" for t in texts).encode()
    assert [json.loads(event)["text"] for event in parse(received, size)] == texts
