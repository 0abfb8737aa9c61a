"""Failures as HTTP: a status, and an error in OpenAI's form, whatever went wrong and wherever."""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from chinese_llm_rag.app.failures import Failure, FailureKind
from chinese_llm_rag.language import say

STATUS: dict[FailureKind, int] = {
    "invalid": 400,
    "too_long": 400,
    "not_found": 404,
    "conflict": 409,
    "too_large": 413,
    "unsupported": 415,
    "busy": 429,
    "unavailable": 503,
    "timeout": 504,
    "slow": 408,
    "internal": 500,
}
_CODES: dict[FailureKind, str] = {
    "too_long": "context_length_exceeded",
    "not_found": "not_found",
    "busy": "rate_limit_exceeded",
    "too_large": "too_large",
    "unsupported": "unsupported_type",
    "unavailable": "unavailable",
    "timeout": "timeout",
    "conflict": "conflict",
}
_LOG = logging.getLogger("chinese_llm_rag.app")
CLIENT_GONE = 499  # nobody reads it


class ErrorBody(BaseModel):
    """What went wrong."""

    message: str
    type: str = Field(description="invalid_request_error, rate_limit_error, authentication_error or server_error")
    param: str | None = Field(description="the field at fault")
    code: str | None
    hint: str | None = Field(None, description="what to do")


class ErrorReply(BaseModel):
    """An error in OpenAI's form."""

    error: ErrorBody


class FailedRequestError(Exception):
    """Ends a request with a Failure."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class ClientGoneError(Exception):
    """Nobody waits for the reply any more."""


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route says in the OpenAPI document about its errors, those of every route included."""
    return {status: {"model": ErrorReply} for status in sorted({400, 401, 403, 408, 413, *statuses})}


def error_dict(failure: Failure) -> dict[str, Any]:
    """The body of an error."""
    message = failure.message if failure.hint is None else f"{failure.message} ({failure.hint})"
    body = ErrorBody(
        message=message,
        type=_type(STATUS[failure.kind]),
        param=failure.setting,
        code=_CODES.get(failure.kind),
        hint=failure.hint,
    )
    return {"error": body.model_dump()}


def error_reply(failure: Failure) -> Response:
    """The reply that tells of a failure."""
    headers = {} if failure.retry_after_s is None else {"Retry-After": str(failure.retry_after_s)}
    return JSONResponse(error_dict(failure), STATUS[failure.kind], headers)


def plain_error(
    status: int, message: str, *, code: str | None = None, headers: dict[str, str] | None = None
) -> Response:
    """The reply to what was refused before any route saw it."""
    body = ErrorBody(message=message, type=_type(status), param=None, code=code, hint=None)
    return JSONResponse({"error": body.model_dump()}, status, headers)


def _type(status: int) -> str:
    if status == 429:
        return "rate_limit_error"
    if status in (401, 403):
        return "authentication_error"
    return "invalid_request_error" if status < 500 else "server_error"


def install_error_replies(app: FastAPI) -> None:
    """Have everything that goes wrong in the application end as an error in OpenAI's form."""
    app.add_exception_handler(FailedRequestError, _on_failed)
    app.add_exception_handler(ClientGoneError, _on_gone)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_unexpected)


async def _on_failed(_: Request, error: Exception) -> Response:
    assert isinstance(error, FailedRequestError)
    return error_reply(error.failure)


async def _on_gone(_: Request, error: Exception) -> Response:
    del error
    return Response(status_code=CLIENT_GONE)


async def _on_invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or None
    if first["type"] == "extra_forbidden":
        message = say(f"unknown field {where!r}", f"未知字段 {where!r}")
    elif first["type"] == "json_invalid":
        message, where = say("the body is no JSON", "请求体不是 JSON"), None
    else:
        message = f"{where or 'body'}: {first['msg']}"
    return error_reply(Failure("invalid", message.encode("utf-8", "backslashreplace").decode(), setting=where))


async def _on_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return plain_error(error.status_code, str(error.detail), headers=dict(error.headers or {}))


async def _on_unexpected(_: Request, error: Exception) -> Response:
    _LOG.error("unexpected error", exc_info=error)
    return plain_error(500, say("a mistake of this program", "程序内部错误"))
