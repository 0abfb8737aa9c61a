"""Where the server listens, taken before anything heavy is loaded: who comes early waits, and is answered then.

The page of a home notes its address in the home, so that a second start shows that page instead of making another.
"""

import http.client
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from chinese_llm_rag.errors import ConfigError
from chinese_llm_rag.language import say

_WAIT_S = 2.0


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 is any free one.

    Raises:
        ConfigError: the address is taken, or none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ConfigError(
            say(f"cannot listen on {host}:{port}: {error.strerror}", f"无法监听 {host}:{port}：{error.strerror}"),
            setting="serve_port",
            hint=say("choose another port (--port)", "请换一个端口（--port）"),
        ) from error
    return listener


def address_of(listener: socket.socket) -> str:
    """The address as a browser wants it, without a slash at its end."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def noted(home: Path, address: str) -> Iterator[None]:
    """The address stands in the home meanwhile."""
    file = _file(home)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.write_text(address, encoding="utf-8")
    try:
        yield
    finally:
        with suppress(OSError):
            if file.read_text(encoding="utf-8") == address:
                file.unlink()


def page_of(home: Path) -> str | None:
    """The address of the page that is open over this home; None where none answers."""
    try:
        address = _file(home).read_text(encoding="utf-8").strip()
    except OSError:
        return None
    parts = urlsplit(address)
    if parts.hostname != "127.0.0.1" or parts.port is None:
        return None
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=_WAIT_S)
    try:
        connection.request("GET", "/health")
        reply = connection.getresponse()
        return address if reply.status == 200 and b"model_state" in reply.read() else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _file(home: Path) -> Path:
    return home / "page" / "address"
