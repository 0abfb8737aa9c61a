"""A server that is down, slow, breaks off, or answers with something else: each has its own message and hint."""

import asyncio
import json
import re
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler

import httpx
import pytest

from chinese_llm_rag.errors import ContextWindowExceededError, GenerationError, ModelLoadError
from chinese_llm_rag.llms.backend import GenerationParams
from chinese_llm_rag.llms.server import ServerBackend
from chinese_llm_rag.llms.servers.errors import FOREIGN_ERRORS, errors_of

played_server = sys.modules["played_server"]
DONE = played_server.DONE
begin_stream = played_server.begin_stream
piece = played_server.piece
refusing = played_server.refusing
reply = played_server.reply
streaming = played_server.streaming
usage = played_server.usage
vllm = played_server.vllm

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

PARAMS = GenerationParams(temperature=0.0, max_tokens=4)


def text_of(backend: ServerBackend, prompt="你好", params: GenerationParams = PARAMS) -> str:
    return "".join(p.text for p in backend.generate(prompt, params))


class TestMisbehaving:
    def test_a_server_that_is_down_is_named(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ModelLoadError, match=f"no server answers at {url}") as caught:
            ServerBackend(url)
        assert "start the server" in str(caught.value.hint)

    def test_a_server_that_goes_down_later_is_named_too(self, play, opened) -> None:
        backend = opened(play(vllm()))
        backend._connection._client.base_url = "http://127.0.0.1:1"
        with pytest.raises(GenerationError, match="no server answers at"):
            text_of(backend)

    def test_a_silent_server_is_left_after_the_timeout(self, play, opened) -> None:
        released = threading.Event()
        played = play(vllm(completions=lambda _h, _b: released.wait(20)))
        backend = opened(played, timeout_s=0.3)
        started = time.monotonic()
        with pytest.raises(GenerationError, match="silent for too long") as caught:
            text_of(backend)
        released.set()
        assert time.monotonic() - started < 10
        assert "timeout_s" in str(caught.value.hint)

    @pytest.mark.parametrize(
        "events",
        [(), (piece("图"),), (piece("图"), 'data: {"choices": [{"te')],
        ids=["nothing", "one piece", "half an event"],
    )
    def test_a_stream_that_breaks_off_is_an_error_after_its_pieces(self, play, opened, events) -> None:
        stream = opened(play(vllm(completions=streaming(*events)))).generate("你好", PARAMS)
        texts: list[str] = []
        with pytest.raises(GenerationError, match="broke off in the middle of an answer"):
            texts.extend(said.text for said in stream)
        assert "".join(texts) == ("图" if events else "")

    def test_a_connection_that_is_reset_in_mid_stream_is_the_same_error(self, play, opened) -> None:
        def reset(handler: BaseHTTPRequestHandler, _body: dict) -> None:
            handler.send_response(200)
            handler.send_header("Content-Type", "text/event-stream")
            handler.send_header("Content-Length", "5000")
            handler.end_headers()
            handler.wfile.write(f"data: {json.dumps(piece('图'))}\n\n".encode())
            handler.close_connection = True

        with pytest.raises(GenerationError, match="broke off") as caught:
            text_of(opened(play(vllm(completions=reset))))
        assert isinstance(caught.value.__cause__, httpx.RemoteProtocolError)

    @pytest.mark.parametrize(
        "body",
        ["<html><body>Please log in</body></html>", "[1, 2]", '{"object": "list"}', '{"data": [{"name": 1}]}', ""],
    )
    def test_another_programs_answer_is_shown(self, play, body: str) -> None:
        kind = "text/html" if "<" in body else "application/json"
        played = play({"/v1/models": lambda handler, _b: reply(handler, body, kind)})
        with pytest.raises(ModelLoadError, match="not the OpenAI interface") as caught:
            ServerBackend(played.url)
        assert body[:20] in str(caught.value)
        assert "base_url" in str(caught.value.hint)

    @pytest.mark.parametrize(
        "answer",
        [
            lambda handler, _b: reply(handler, "<html>hello</html>", "text/html"),
            lambda _h, _b: {"answer": 42},
            streaming("data: <html>\n\n"),
            streaming({"id": "x"}),
            streaming("data: 3\n\n"),
        ],
        ids=["html", "json", "html event", "no choices", "number"],
    )
    def test_an_answer_that_is_none_is_shown(self, play, opened, answer) -> None:
        with pytest.raises(GenerationError, match="not the OpenAI interface"):
            text_of(opened(play(vllm(completions=answer))))

    def test_bytes_that_are_no_text_are_said_to_be_none(self, play, opened) -> None:
        def raw(handler: BaseHTTPRequestHandler, _body: dict) -> None:
            begin_stream(handler)
            handler.wfile.write(b"data: \xff\xfe\n\n")

        with pytest.raises(GenerationError, match="not the OpenAI interface"):
            text_of(opened(play(vllm(completions=raw))))

    @pytest.mark.parametrize(
        ("status", "body", "message", "hint"),
        [
            (400, '{"error": {"message": "too hot"}}', "refuses the request (400): too hot", "does not take"),
            (401, '{"error": "no key"}', "refuses access (401): no key", "give api_key"),
            (403, "forbidden", "refuses access (403): forbidden", "give api_key"),
            (404, '{"message": "no model x"}', "no such model or address (404): no model x", 'mode="chat"'),
            (422, '{"detail": [{"loc": ["prompt"]}]}', '(422): [{"loc": ["prompt"]}]', "does not take"),
            (429, '{"error": {"message": "slow down"}}', "too many requests (429): slow down", "nothing is retried"),
            (500, "<html>oops</html>", "the server failed (500): <html>oops</html>", "own log"),
            (503, '{"error": {"message": "Loading model"}}', "not ready (503): Loading model", "loading the model"),
            (307, "", "points elsewhere (307)", "base_url"),
        ],
    )
    def test_each_status_has_its_words_and_is_not_retried(self, play, opened, status, body, message, hint) -> None:
        played = play(vllm(completions=refusing(status, body)))
        backend = opened(played)
        with pytest.raises(GenerationError, match=re.escape(message)) as caught:
            text_of(backend)
        assert hint in str(caught.value.hint)
        assert len(played.bodies("/v1/completions")) == 1

    def test_an_error_inside_the_stream_has_the_servers_words(self, play, opened) -> None:
        events = (piece("图"), {"error": {"message": "CUDA out of memory", "code": 500}}, DONE)
        with pytest.raises(GenerationError, match="stopped with an error: CUDA out of memory"):
            text_of(opened(play(vllm(completions=streaming(*events)))))

    def test_a_prompt_that_the_server_cut_is_an_error_with_both_numbers(self, play, opened) -> None:
        events = (piece("图", "stop", **usage(2, 1)), DONE)
        with pytest.raises(GenerationError, match="has read 2 tokens of a prompt of 3: it cut it") as caught:
            text_of(opened(play(vllm(completions=streaming(*events)))))
        assert "context_window" in str(caught.value.hint)

    def test_a_prompt_that_does_not_fit_is_not_sent(self, play, opened) -> None:
        played = play(vllm())
        backend = opened(played, context_window=10)
        with pytest.raises(ContextWindowExceededError) as caught:
            text_of(backend, "一二三四五六")
        assert (caught.value.prompt_tokens, caught.value.max_tokens, caught.value.context_window) == (7, 4, 10)
        assert played.bodies("/v1/completions") == []

    def test_a_reader_that_stops_while_the_server_is_silent_closes_the_connection_at_once(self, play, opened) -> None:
        gone = threading.Event()

        def silent(handler: BaseHTTPRequestHandler, _body: dict) -> None:
            handler.connection.settimeout(20)
            if handler.connection.recv(1) == b"":
                gone.set()
            handler.close_connection = True

        stream = opened(play(vllm(completions=silent))).generate("你好", PARAMS)
        assert next(stream).prompt_tokens == 3
        assert next(stream).text == ""  # the server says nothing, and the reader gets its chance
        stream.close()
        assert gone.wait(10)


@pytest.mark.parametrize(
    "foreign",
    [
        *(httpx.ConnectError, httpx.ConnectTimeout, httpx.ReadTimeout, httpx.WriteTimeout, httpx.PoolTimeout),
        *(httpx.ReadError, httpx.WriteError, httpx.CloseError, httpx.RemoteProtocolError, httpx.LocalProtocolError),
        *(httpx.ProxyError, httpx.UnsupportedProtocol, httpx.DecodingError, httpx.TooManyRedirects),
        *(httpx.InvalidURL, httpx.StreamClosed, httpx.StreamConsumed, httpx.ResponseNotRead),
    ],
)
def test_each_foreign_error_becomes_ours_and_keeps_its_cause(foreign: type[Exception]) -> None:
    error = foreign() if issubclass(foreign, httpx.StreamError) else foreign("because")
    with pytest.raises(GenerationError) as caught, errors_of("http://host"):
        raise error
    assert caught.value.__cause__ is error
    assert caught.value.hint
    assert "http://host" in str(caught.value)
    assert isinstance(error, FOREIGN_ERRORS)


def test_no_other_exception_of_httpx_can_pass_through() -> None:
    all_of_them = [e for e in vars(httpx).values() if isinstance(e, type) and issubclass(e, Exception)]
    passing = {e.__name__ for e in all_of_them if not issubclass(e, FOREIGN_ERRORS)}
    assert passing == {"CookieConflict"}  # two cookies of one name, when a program reads one


async def test_an_async_caller_is_not_hindered_by_the_thread_of_requests(play, opened) -> None:
    backend = opened(play(vllm()))
    texts = await asyncio.gather(*(asyncio.to_thread(text_of, backend) for _ in range(4)))
    assert texts == ["图"] * 4
