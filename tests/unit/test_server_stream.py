"""A server's events become pieces that keep a Backend's contract."""

import pytest

from chinese_llm_rag.errors import ConfigError, GenerationError
from chinese_llm_rag.llms.backend import TextChunk, TokenLogprob
from chinese_llm_rag.llms.servers.dialect import ServerDialect, prefix_before
from chinese_llm_rag.llms.servers.schema import check_is_json, parse_schema
from chinese_llm_rag.llms.servers.stream import AnswerReader

URL = "http://127.0.0.1:1"


class _CountsEnd(ServerDialect):
    counts_end_token = True


def dialect(*, counts_end: bool = False) -> ServerDialect:
    return (_CountsEnd if counts_end else ServerDialect)(None, "m", {})


def text(said: str, finish: str | None = None, **more) -> dict:
    return {"choices": [{"text": said, "finish_reason": finish, "index": 0, "logprobs": None}], **more}


def usage(completion: int, prompt: int = 5) -> dict:
    return {"usage": {"prompt_tokens": prompt, "completion_tokens": completion}}


def read(*events, n_prompt: int = 5, n_top: int = 0, counts_end: bool = False) -> list[TextChunk]:
    reader = AnswerReader(URL, dialect(counts_end=counts_end), n_prompt=n_prompt, n_top=n_top)
    return list(reader.read(iter(events)))


def test_usage_after_the_finish_counts_and_only_the_last_piece_has_a_finish_reason() -> None:
    pieces = read(text("图"), text("书"), text("", "stop"), {"choices": [], **usage(2)})
    assert [p.text for p in pieces] == ["图", "书", ""]
    assert [p.finish_reason for p in pieces] == [None, None, "stop"]
    assert sum(p.n_tokens for p in pieces) == 2


def test_counts_that_come_with_each_event_go_with_its_text() -> None:
    pieces = read(text("图", **usage(1)), text("", **usage(2)), text("🙂", **usage(5)), text("", "length", **usage(6)))
    assert [(p.text, p.n_tokens) for p in pieces] == [("图", 1), ("🙂", 4), ("", 1)]


def test_the_end_token_is_not_counted_where_the_server_counts_it() -> None:
    ended = (text("图", **usage(1)), text("", "stop", **usage(2)))
    assert sum(p.n_tokens for p in read(*ended, counts_end=True)) == 1
    assert sum(p.n_tokens for p in read(*ended, counts_end=False)) == 2
    cut = (text("图", **usage(1)), text("", "length", **usage(1)))
    assert sum(p.n_tokens for p in read(*cut, counts_end=True)) == 1


def test_a_character_that_max_tokens_cuts_is_left_out_and_one_that_the_model_says_is_not() -> None:
    assert "".join(p.text for p in read(text("门"), text("\ufffd"), text("", "length"))) == "门"
    assert "".join(p.text for p in read(text("门\ufffd"), text("", "stop"))) == "门\ufffd"
    assert "".join(p.text for p in read(text("\ufffd"), text("门"), text("", "length"))) == "\ufffd门"


def test_silence_is_an_empty_piece() -> None:
    assert [p.text for p in read(None, None, text("图", "stop"))] == ["", "", "图", ""]


def test_chat_deltas_and_answers_in_one_piece_are_read() -> None:
    delta = {"choices": [{"delta": {"role": "assistant", "content": None}, "finish_reason": None}]}
    said = {"choices": [{"delta": {"content": "你好"}, "finish_reason": None}]}
    end = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
    assert "".join(p.text for p in read(delta, said, end)) == "你好"
    whole = {"choices": [{"message": {"content": "你好"}, "finish_reason": "stop"}], **usage(2)}
    assert [(p.text, p.n_tokens) for p in read(whole)] == [("你好", 2), ("", 0)]


def test_a_prompt_that_was_cut_is_an_error_that_names_both_numbers() -> None:
    with pytest.raises(GenerationError, match=r"has read 3 tokens of a prompt of 5: it cut it"):
        read(text("图", "stop", **usage(1, prompt=3)))


def test_a_server_that_did_not_count_the_prompt_is_believed_nothing() -> None:
    assert read(text("图", "stop", **usage(1, prompt=0)))[-1].finish_reason == "stop"


def test_events_without_an_end_are_an_error() -> None:
    with pytest.raises(GenerationError, match="broke off in the middle of an answer"):
        read(text("图"), text("书"))


def test_an_error_object_between_the_events_is_an_error_with_the_servers_words() -> None:
    with pytest.raises(GenerationError, match="stopped with an error: out of memory"):
        read(text("图"), {"error": {"message": "out of memory", "code": 500}})


@pytest.mark.parametrize(
    "event",
    [{}, {"choices": "no"}, {"choices": [{}]}, {"choices": [{"text": 3}]}, {"choices": [{"delta": "x"}]}, {"id": 1}],
)
def test_an_event_of_another_kind_is_an_error(event: dict) -> None:
    with pytest.raises(GenerationError, match="not the OpenAI interface"):
        read(event)


def test_a_finish_that_is_no_end_is_an_error() -> None:
    with pytest.raises(GenerationError, match="ended its answer with 'abort'"):
        read(text("图", "abort"))


def test_log_probabilities_are_read_in_both_forms_likeliest_first() -> None:
    chat = {
        "content": [
            {
                "token": "图",
                "logprob": -0.1,
                "top_logprobs": [{"token": "书", "logprob": -2.5}, {"token": "图", "logprob": -0.1}],
            }
        ]
    }
    lists = {
        "tokens": ["图"],
        "token_logprobs": [-0.1],
        "top_logprobs": [{"书": -2.5, "图": -0.1}],
        "text_offset": [0],
    }
    for form in (chat, lists):
        event = text("图", "stop", **usage(1))
        event["choices"][0]["logprobs"] = form
        [piece, _] = read(event, n_top=2)
        assert piece.logprobs == (TokenLogprob("图", -0.1, (("图", -0.1), ("书", -2.5))),)
        assert read(event, n_top=1)[0].logprobs[0].top == (("图", -0.1),)
        assert read(event, n_top=0)[0].logprobs[0].top == ()


def test_what_stands_before_a_part() -> None:
    assert prefix_before([1, 7, 8], [7, 8]) == [1]
    assert prefix_before([1, 7, 8, 2], [7, 8]) == [1]
    assert prefix_before([7, 8], [7, 8]) == []
    assert prefix_before([1], [7]) == []


@pytest.mark.parametrize("schema", ["{", "[]", "3"])
def test_a_schema_that_is_no_object_is_refused_before_the_call(schema: str) -> None:
    with pytest.raises(ConfigError, match="json_schema"):
        parse_schema(schema)


def test_an_answer_that_was_to_be_json_and_is_not_is_an_error() -> None:
    check_is_json(URL, '{"a": 1}')
    with pytest.raises(GenerationError, match="did not keep to the JSON schema"):
        check_is_json(URL, "图书馆")
