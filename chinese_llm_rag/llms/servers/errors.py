"""What can go wrong between us and a server, each with its own message and hint."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import httpx

from chinese_llm_rag.errors import GenerationError
from chinese_llm_rag.language import say

# What httpx raises for a server that is down, slow, breaks off or speaks something else, and we for its text.
FOREIGN_ERRORS: tuple[type[Exception], ...] = (
    httpx.HTTPError,
    httpx.StreamError,
    httpx.InvalidURL,
    json.JSONDecodeError,
    UnicodeDecodeError,
)
_SHOWN_CHARS = 200

# By HTTP status: message and hint, each in English and Chinese.
_Words = tuple[str, str, str, str]
_NO_ACCESS: _Words = (
    "the server refuses access",
    "服务器拒绝访问",
    "the server wants a key: give api_key",
    "服务器需要密钥：请给出 api_key",
)
_WRONG_KEY: _Words = (
    *_NO_ACCESS[:2],
    "the api_key that was given is not the server's",
    "给出的 api_key 与服务器的不符",
)
_STATUS_WORDS: dict[int, _Words] = {
    401: _NO_ACCESS,
    403: _NO_ACCESS,
    404: (
        "the server knows no such model or address",
        "服务器没有这个模型或地址",
        'check base_url and model; a server with chat only needs mode="chat"',
        '请检查 base_url 和 model；只提供对话接口的服务器需要 mode="chat"',
    ),
    429: (
        "the server has too many requests",
        "服务器请求过多",
        "try again later; nothing is retried by itself",
        "请稍后再试；程序不会自动重试",
    ),
    503: (
        "the server is not ready",
        "服务器尚未就绪",
        "it may still be loading the model: wait, then try again",
        "可能仍在加载模型：请稍后再试",
    ),
}
_SERVER_FAILED: _Words = ("the server failed", "服务器出错", "see the server's own log", "请查看服务器日志")
_ELSEWHERE: _Words = (
    "the server points elsewhere",
    "服务器要求跳转",
    "give the address it points to as base_url",
    "请把跳转后的地址作为 base_url",
)
_REFUSED: _Words = (
    "the server refuses the request",
    "服务器拒绝该请求",
    "the server's words say what it does not take",
    "原因见服务器返回的说明",
)


class ServerRefusedError(GenerationError):
    """The server answered with an HTTP status that is an error; `status` is which."""

    def __init__(self, message: str, *, status: int, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.status = status


@contextmanager
def errors_of(url: str) -> Iterator[None]:
    """Foreign errors leave as GenerationError."""
    try:
        yield
    except FOREIGN_ERRORS as error:
        message, hint = _describe(error, url)
        raise GenerationError(message, hint=hint) from error


def _describe(error: Exception, url: str) -> tuple[str, str]:
    """Message and hint for an error of FOREIGN_ERRORS."""
    if isinstance(error, httpx.ConnectTimeout | httpx.ConnectError | httpx.ProxyError):
        return (
            say(f"no server answers at {url}: {error}", f"{url} 没有服务器响应：{error}"),
            say("start the server, or correct base_url", "请启动服务器，或改正 base_url"),
        )
    if isinstance(error, httpx.TimeoutException):
        return (
            say(f"the server at {url} was silent for too long", f"{url} 的服务器太久没有动静"),
            say(
                "reading a long prompt is silence too: give a larger timeout_s, or a shorter prompt",
                "读取长提示词时服务器也没有输出：请增大 timeout_s，或缩短提示词",
            ),
        )
    if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError):
        return cut_off(url, str(error))
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError | httpx.DecodingError):
        return _foreign_answer(url, str(error))
    return (
        say(f"the request to {url} failed: {error}", f"向 {url} 发送请求失败：{error}"),
        say("check base_url and api_key", "请检查 base_url 和 api_key"),
    )


def cut_off(url: str, reason: str) -> tuple[str, str]:
    """Message and hint for an answer without an end."""
    return (
        say(
            f"the server at {url} broke off in the middle of an answer ({reason})",
            f"{url} 的服务器在回答中途断开（{reason}）",
        ),
        say(
            "see the server's own log: it may have been stopped, or run out of memory",
            "请查看服务器日志：它可能已被停止，或内存不足",
        ),
    )


def raise_foreign_answer(url: str, answer: object) -> NoReturn:
    """For an answer that is not what the OpenAI interface says."""
    text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    message, hint = _foreign_answer(url, repr(shortened(text)))
    raise GenerationError(message, hint=hint)


def _foreign_answer(url: str, what: str) -> tuple[str, str]:
    return (
        say(
            f"{url} answers with something that is not the OpenAI interface: {what}",
            f"{url} 返回的内容不符合 OpenAI 接口：{what}",
        ),
        say(
            "base_url may name another program, or a login page or proxy in between",
            "base_url 可能指向了别的程序，或中间有登录页面、代理",
        ),
    )


def raise_for_status(url: str, status: int, body: str, *, has_key: bool) -> NoReturn:
    """For any HTTP status that is not success."""
    said = server_message(body)
    message, hint = _status_words(status, has_key=has_key)
    raise ServerRefusedError(f"{url}: {message} ({status}): {said}", status=status, hint=hint)


def _status_words(status: int, *, has_key: bool) -> tuple[str, str]:
    """What an HTTP status means here, and what to do about it."""
    words = _STATUS_WORDS.get(status)
    if words is None:
        words = _SERVER_FAILED if status >= 500 else _ELSEWHERE if status < 400 else _REFUSED
    if words is _NO_ACCESS and has_key:
        words = _WRONG_KEY
    return say(words[0], words[1]), say(words[2], words[3])


def raise_stream_error(url: str, error: object) -> NoReturn:
    """For an error object in place of an event."""
    said = server_message(json.dumps({"error": error}))
    raise GenerationError(
        say(f"the server at {url} stopped with an error: {said}", f"{url} 的服务器中途报错：{said}"),
        hint=say("see the server's own log", "请查看服务器日志"),
    )


def server_message(body: str) -> str:
    """What a server says in the body of an error: the message in its JSON, else the beginning of the text."""
    try:
        said: Any = json.loads(body)
    except json.JSONDecodeError:
        return shortened(body)
    for key in ("error", "message", "detail"):  # OpenAI, vLLM before 0.9, FastAPI
        if isinstance(said, dict) and key in said:
            said = said[key]
    return shortened(said if isinstance(said, str) else json.dumps(said, ensure_ascii=False))


def shortened(text: str) -> str:
    """At most _SHOWN_CHARS characters, on one line."""
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…"
