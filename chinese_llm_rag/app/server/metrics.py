"""Counts and times in the form that Prometheus reads."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

if TYPE_CHECKING:
    from chinese_llm_rag.app.controller import Health

CONTENT_TYPE = CONTENT_TYPE_LATEST
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")
_SECONDS = (0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300)


class Metrics:
    """The metrics of one server.

    Args:
        health: what the program is at.
        n_jobs: jobs by state.
    """

    def __init__(self, health: "Callable[[], Health]", n_jobs: Callable[[], dict[str, int]]) -> None:
        self._registry = CollectorRegistry()
        self._n_jobs = n_jobs
        labels = ("method", "route", "status")
        self._requests = Counter("clrag_requests", "Requests by route and status", labels, registry=self._registry)
        self._seconds = Histogram(
            "clrag_request_seconds", "Seconds of a request", ("route",), buckets=_SECONDS, registry=self._registry
        )
        self._tokens = Counter("clrag_tokens", "Tokens read and generated", ("kind",), registry=self._registry)
        self._jobs = Gauge("clrag_jobs", "Jobs by state", ("state",), registry=self._registry)
        for name, text, value in (
            ("clrag_model_ready", "1 where the model is loaded", lambda: float(health().model_state == "ready")),
            ("clrag_model_requests_waiting", "Requests that wait for the model", lambda: health().n_waiting),
            ("clrag_model_requests_running", "Requests that the model answers", lambda: health().n_running),
            ("clrag_requests_refused", "Requests that were one too many", lambda: health().n_refused),
        ):
            Gauge(name, text, registry=self._registry).set_function(value)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request has ended."""
        self._requests.labels(method if method in _METHODS else "other", route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def tokens(self, read: int, generated: int) -> None:
        """An answer has ended."""
        self._tokens.labels("read").inc(read)
        self._tokens.labels("generated").inc(generated)

    def text(self) -> bytes:
        """All of them."""
        for state, n in self._n_jobs().items():
            self._jobs.labels(state).set(n)
        return generate_latest(self._registry)
