"""llama.cpp's own server inside this process, where nobody else can ask it anything.

xllamacpp always starts it with a listener, which we need anyway: tokens, properties and saved slots have no other
way in. It listens on a Unix socket in a folder that only this user may enter; where Python has none (Windows), on a
random port of 127.0.0.1. Either way every path begins with random letters and every request needs a random key.
"""

import contextlib
import http.client
import json
import queue
import secrets
import shutil
import socket
import tempfile
import threading
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Reply = dict[str, Any]

_POLL_S = 0.1
_GOODBYE_S = 10.0  # at the end of the process, for a step that is under way
_LOG_NOTHING = -1  # its log goes to the terminal and nowhere else


class EmbeddedServer:
    """A running server with its model. It ends with close(), with this object, or with the process.

    Args:
        api: the module xllamacpp.
        params: its CommonParams, complete but for what locks the listener.
        unix_socket: whether to listen on one; the default is what this platform's Python can speak.

    Attributes:
        slot_folder: where saved slots are read and written; nobody else may enter it.

    Raises:
        RuntimeError: the server did not start, which it does not explain.
    """

    def __init__(self, api: Any, params: Any, *, unix_socket: bool = hasattr(socket, "AF_UNIX")) -> None:  # noqa: ANN401
        folder = Path(tempfile.mkdtemp(prefix="xllamacpp-"))
        self.slot_folder = folder
        self._key = secrets.token_hex(32)
        self._prefix = f"/{secrets.token_hex(16)}"
        params.hostnames = [str(folder / "server.sock")] if unix_socket else ["127.0.0.1"]
        params.port = 0
        params.api_keys = [self._key]
        params.api_prefix = self._prefix
        params.ui = params.endpoint_slots = params.endpoint_props = params.endpoint_metrics = False
        params.slot_save_path = f"{folder}/"
        params.verbosity = _LOG_NOTHING
        try:
            self._life = _Life(api.Server(params), folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._address: str = self._life.server.listening_address
        self._end = weakref.finalize(self, self._life.end, at_once=True)
        # A server told to end before its loop has begun waits for ever, with the interpreter locked. So it first
        # has to answer something that goes through the loop.
        self.ask("/slots/0?action=erase", {})

    @property
    def address(self) -> str:
        """Where it listens, as a URL."""
        return self._address

    @property
    def closed(self) -> bool:
        """Whether it has ended."""
        return not self._end.alive

    def ask(self, path: str, body: Mapping[str, object] | None = None) -> Reply:
        """The reply to a request over the listener: GET without a body, POST with one.

        Raises:
            RuntimeError: the server refuses; the message is its own.
            OSError: the server is gone.
        """
        connection = _connection(self._address)
        try:
            connection.request(
                "GET" if body is None else "POST",
                self._prefix + path,
                None if body is None else json.dumps(body),
                {"Authorization": f"Bearer {self._key}"},
            )
            reply: Reply = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return _accepted(reply)

    def begin(self, request: Mapping[str, object]) -> "Answer":
        """Hand in a completion request; its answer begins at once, in a thread of the server."""
        return self._life.begin(dict(request))

    def close(self) -> None:
        """End it when the answers that are under way have ended. May be called twice."""
        if self._end.detach() is not None:
            self._life.end(at_once=False)


class Answer:
    """What the server says to one completion request.

    The server computes without waiting for the reader. Iterating gives its replies, and None where nothing has come
    for a while; it raises RuntimeError, with the server's own words, where the server refuses.
    """

    def __init__(self) -> None:
        self._items: queue.SimpleQueue[Reply | Exception | None] = queue.SimpleQueue()
        self._stopped = False

    def __iter__(self) -> Iterator[Reply | None]:
        while True:
            try:
                item = self._items.get(timeout=_POLL_S)
            except queue.Empty:
                yield None
                continue
            if item is None:
                return
            if isinstance(item, Exception):
                raise item
            yield _accepted(item)

    def stop(self) -> None:
        """Let the server end after the step it is at."""
        self._stopped = True

    def work(self, server: Any, request: Reply) -> None:  # noqa: ANN401  # xllamacpp.Server
        """Have the server answer; returns when it has."""
        try:
            server.handle_completions(request, self._receive)
        except Exception as error:  # noqa: BLE001  # whatever it is, the reader's thread raises it
            self._items.put(error)
        finally:
            self._items.put(None)

    def _receive(self, reply: Reply) -> bool:
        """The callback; True stops the answer. It must not raise: the server would go on to the end."""
        self._items.put(reply)
        return self._stopped


class _Life:
    """The server and what is under way. Does not know the object that owns it, so that one can be collected."""

    def __init__(self, server: Any, folder: Path) -> None:  # noqa: ANN401  # xllamacpp.Server
        self.server = server
        self._folder = folder
        self._answers: dict[threading.Thread, Answer] = {}

    def begin(self, request: Reply) -> Answer:
        answer = Answer()
        thread = threading.Thread(target=self._work, args=(request, answer), name="xllamacpp-answer", daemon=True)
        self._answers[thread] = answer
        thread.start()
        return answer

    def _work(self, request: Reply, answer: Answer) -> None:
        answer.work(self.server, request)
        self._answers.pop(threading.current_thread(), None)

    def end(self, *, at_once: bool) -> None:
        for thread, answer in list(self._answers.items()):
            if at_once:
                answer.stop()
            thread.join(_GOODBYE_S if at_once else None)
        self.server = None  # the last reference: the server ends here
        shutil.rmtree(self._folder, ignore_errors=True)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with contextlib.ExitStack() as unless_connected:
            unless_connected.callback(self.sock.close)
            self.sock.connect(self._path)
            unless_connected.pop_all()


def _connection(address: str) -> http.client.HTTPConnection:
    url = urlsplit(address)
    return _UnixConnection(url.path) if url.scheme == "unix" else http.client.HTTPConnection(url.netloc)


def _accepted(reply: Reply) -> Reply:
    if "error" in reply:
        error = reply["error"]
        raise RuntimeError(str(error.get("message", error)) if isinstance(error, dict) else str(error))
    return reply
