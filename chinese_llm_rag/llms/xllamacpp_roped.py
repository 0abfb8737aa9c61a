"""The server that a request needs: a server computes positions in one way only, adaptive NTK does not."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from chinese_llm_rag.errors import GenerationError
from chinese_llm_rag.language import say
from chinese_llm_rag.llms.gguf_plan import GgufPlan
from chinese_llm_rag.llms.rope import RopeSpec, request_rope
from chinese_llm_rag.llms.xllamacpp_server import Answer, EmbeddedServer, Reply


class RopedServer:
    """A server that is started anew where a request needs another RoPE, after the answers under way have ended.

    Args:
        start: starts one; None is the RoPE that the file's metadata says.
        plan: window and RoPE.
        name: of the model, for error messages.
    """

    def __init__(self, start: Callable[[RopeSpec | None], EmbeddedServer], plan: GgufPlan, name: str) -> None:
        self._start = start
        self._plan = plan
        self._name = name
        self._rope = request_rope(plan.rope, 1)
        self._lock = threading.RLock()  # held while a request finds its server and begins
        self._server: EmbeddedServer | None = start(plan.rope_to_set)

    @property
    def rope(self) -> RopeSpec:
        """How positions are computed now."""
        return self._rope

    def ask(self, path: str, body: dict[str, Any] | None) -> Reply:
        """See EmbeddedServer.ask."""
        with self._lock:
            return self._open().ask(path, body)

    def begin(self, request: Mapping[str, object], n_tokens: int) -> Answer:
        """Begin the answer to a request that can become n_tokens long."""
        with self._lock:
            return self.for_length(n_tokens).begin(request)

    def for_length(self, n_tokens: int) -> EmbeddedServer:
        """The server whose RoPE is right for a request that can become n_tokens long."""
        with self._lock:
            server = self._open()
            rope = request_rope(self._plan.rope, n_tokens, context_window=self._plan.context_window)
            if rope != self._rope:
                server.close()
                self._server = None
                server = self._server = self._start(rope)
                self._rope = rope
            return server

    def close(self) -> None:
        """End the server when the answers under way have ended. May be called twice."""
        with self._lock:
            if self._server is not None:
                self._server.close()
                self._server = None

    def _open(self) -> EmbeddedServer:
        if self._server is None:
            raise GenerationError(say(f"the model {self._name!r} is closed", f"模型 {self._name!r} 已关闭"))
        return self._server
