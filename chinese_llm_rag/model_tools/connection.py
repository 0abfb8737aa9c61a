"""HTTP with bounded patience: what is likely to pass is tried again, everything else is said in words at once."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx

from chinese_llm_rag import __version__
from chinese_llm_rag.errors import ConfigError, ModelLoadError
from chinese_llm_rag.language import say

_CONNECT_TIMEOUT_S = 15.0
_READ_TIMEOUT_S = 60.0
_LONGEST_WAIT_S = 120.0  # a server that asks for a longer pause than this is asked again by the user
_TOO_MANY, _SERVER_ERROR = 429, 500


class TemporaryError(Exception):
    """Trouble that may pass; `error` is what to raise if it does not, `wait_s` the pause the server asked for."""

    def __init__(self, error: ModelLoadError, wait_s: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.wait_s = wait_s


@dataclass(slots=True)
class Patience:
    """How often something is tried again: `tries` times in a row without success, with longer and longer pauses."""

    tries: int = 4
    pause: Callable[[float], None] = time.sleep
    _failed: int = field(default=0, init=False)

    def after(self, trouble: TemporaryError) -> None:
        """Pause, or raise the error where patience is at its end."""
        self._failed += 1
        wait_s = trouble.wait_s if trouble.wait_s is not None else 2.0 ** (self._failed - 1)
        if self._failed >= self.tries or wait_s > _LONGEST_WAIT_S:
            raise trouble.error from trouble
        self.pause(wait_s)

    def succeeded(self) -> None:
        """Something arrived: count again from the start."""
        self._failed = 0


class Connection:
    """GET requests, redirects followed; a token goes to `token_host` only and never along with a redirect."""

    def __init__(
        self,
        *,
        tries: int = 4,
        pause: Callable[[float], None] = time.sleep,
        read_timeout_s: float = _READ_TIMEOUT_S,
        token: str | None = None,
        token_host: str | None = None,
    ) -> None:
        self._tries, self._pause = tries, pause
        self._token, self._token_host = token, token_host
        self._client = httpx.Client(
            follow_redirects=True,
            timeout=httpx.Timeout(read_timeout_s, connect=_CONNECT_TIMEOUT_S),
            # A compressed body has other lengths and ranges than the file.
            headers={"User-Agent": f"chinese-llm-rag/{__version__}", "Accept-Encoding": "identity"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def patience(self) -> Patience:
        """A fresh count of tries."""
        return Patience(self._tries, self._pause)

    def get_json(self, url: str) -> tuple[Any, str | None]:
        """The JSON that `url` answers, and the address of the next page where the answer names one."""
        patience = self.patience()
        while True:
            try:
                with self.stream(url) as response:
                    body = response.read()
                return _parsed(response, body), response.links.get("next", {}).get("url")
            except TemporaryError as trouble:
                patience.after(trouble)

    @contextmanager
    def stream(self, url: str, headers: Mapping[str, str] | None = None) -> Iterator[httpx.Response]:
        """An answer with status 2xx or 416, its body not yet read.

        Raises:
            TemporaryError: no answer, an answer cut off, or one that says to come back later.
            ModelLoadError: any other answer.
            ConfigError: the address is none.
        """
        sent = dict(headers or {})
        try:
            parsed = httpx.URL(url)
            if self._token and parsed.host == self._token_host and parsed.scheme == "https":
                sent["Authorization"] = f"Bearer {self._token}"
            with self._client.stream("GET", parsed, headers=sent) as response:
                _check(response)
                yield response
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise ConfigError(
                say(f"not an address: {url!r} ({error})", f"无效的地址：{url!r}（{error}）"),
                setting="source",
                hint=say("huggingface, modelscope or https://...", "应为 huggingface、modelscope 或 https://..."),
            ) from error
        except httpx.TimeoutException as error:
            raise TemporaryError(
                ModelLoadError(
                    say(f"no answer in time from {_host(url)}", f"{_host(url)} 响应超时"),
                    hint=say(
                        "run the same command again: what has arrived is kept; or use another --source",
                        "再次运行同一命令即可续传；也可换用其他 --source",
                    ),
                )
            ) from error
        except httpx.RequestError as error:
            raise TemporaryError(
                ModelLoadError(
                    say(f"no connection to {_host(url)}: {error}", f"无法连接 {_host(url)}：{error}"),
                    hint=say(
                        "check the network and the proxy (HTTPS_PROXY), run the same command again to go on, "
                        "or use another --source",
                        "请检查网络和代理（HTTPS_PROXY），再次运行同一命令即可续传；也可换用其他 --source",
                    ),
                )
            ) from error


def _host(url: str) -> str:
    return httpx.URL(url).host


def _check(response: httpx.Response) -> None:
    status = response.status_code
    if response.is_success or status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        return
    where = str(response.url)
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise ModelLoadError(
            say(f"not allowed (status {status}): {where}", f"没有访问权限（状态码 {status}）：{where}"),
            hint=say(
                "accept its terms on the hub's page and set HF_TOKEN or MODELSCOPE_API_TOKEN; "
                "a name that does not exist may answer like this too",
                "请在模型页面同意许可，并设置 HF_TOKEN 或 MODELSCOPE_API_TOKEN；名称不存在时也可能如此",
            ),
        )
    if status == httpx.codes.NOT_FOUND:
        raise ModelLoadError(
            say(f"does not exist there: {where}", f"不存在：{where}"),
            hint=say(
                "the authors publish GGUF files on Hugging Face only; try --source huggingface or a mirror of it",
                "作者只在 Hugging Face 发布 GGUF 文件，请使用 --source huggingface 或其镜像",
            ),
        )
    if status == _TOO_MANY or status >= _SERVER_ERROR:
        later = say("the server is busy or broken", "服务器繁忙或出错")
        raise TemporaryError(
            ModelLoadError(
                f"{later} ({status}): {where}",
                hint=say("try again later, or another --source", "请稍后再试，或换用其他 --source"),
            ),
            wait_s=_retry_after(response),
        )
    raise ModelLoadError(
        say(f"unexpected status {status}: {where}", f"意外的状态码 {status}：{where}"),
        hint=say("try another --source", "请换用其他 --source"),
    )


def _retry_after(response: httpx.Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else None


def _parsed(response: httpx.Response, body: bytes) -> Any:  # noqa: ANN401  (JSON)
    try:
        return json.loads(body)
    except ValueError as error:
        kind = response.headers.get("Content-Type", "?")
        raise ModelLoadError(
            say(
                f"{response.url} answered with {kind!r} instead of JSON",
                f"{response.url} 返回的是 {kind!r} 而不是 JSON",
            ),
            hint=say(
                "a login page or a proxy may stand between; open the address in a browser, or use another --source",
                "可能被登录页或代理拦截；请用浏览器打开该地址，或换用其他 --source",
            ),
        ) from error
