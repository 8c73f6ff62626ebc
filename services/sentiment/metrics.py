"""What Prometheus reads at /metrics. Every label's values are a closed set, whatever callers send."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from services.common.errors import (
    ClientGone,
    ContentTooLarge,
    DeadlineExceeded,
    Overloaded,
    ServiceError,
    Unauthorized,
)
from services.common.http import Exchange
from services.sentiment.contracts import LABELS
from services.sentiment.limits import RateLimited, TooManyAtOnce
from services.sentiment.observer import Drop, LookUp, Store

_REFUSALS: dict[type[ServiceError], str] = {
    Overloaded: "queue_full",
    RateLimited: "rate_limited",
    TooManyAtOnce: "concurrency",
    DeadlineExceeded: "expired",
    ClientGone: "disconnected",
    Unauthorized: "unauthorized",
    ContentTooLarge: "too_large",
}

ROUTES = frozenset({"/predict", "/predict/batch", "/healthz", "/livez", "/readyz", "/metrics", "/model/info"})
OTHER = "other"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_WAITS = (0.0005, *_SECONDS)
_TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_TOKENS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)


class Metrics:
    """The service's metrics, in a registry of their own. Callable from any thread."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        # The time at which a series began is a series more for each of them.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus_client has not typed it
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = self._counter("requests", "Answered requests.", "route", "method", "status")
        self._duration = self._histogram("request_duration_seconds", "From a request to its answer.", _SECONDS, "route")
        self._queue_texts = self._gauge("queue_texts", "Texts that wait for an inference.")
        self._queue_tokens = self._gauge("queue_tokens", "Tokens that wait for an inference.")
        self._queue_wait = self._histogram("queue_wait_seconds", "How long a text waited.", _WAITS)
        self._batch_texts = self._histogram("batch_texts", "Texts of one inference.", _TEXTS)
        self._batch_tokens = self._histogram("batch_tokens", "Padded tokens of one inference.", _TOKENS)
        self._inference = self._histogram("inference_seconds", "Duration of one inference.", _SECONDS)
        self._tokens = self._counter("tokens", "Tokens that were computed.", "kind")
        self._look_ups = self._counter("cache_requests", "Look-ups of the cache.", "store", "result")
        self._coalesced_texts = self._counter("coalesced", "Texts that shared the inference of an identical one.")
        self._predictions = self._counter("predictions", "Texts that were given a label.", "label")
        self._refused = self._counter("refused", "Requests that were not answered with a label.", "reason")
        self._failures = self._counter("backend_failures", "Inferences that failed.")
        self._model = self._gauge("model_info", "1 for the model that answers.", "model_version", "backend")
        self._ready = self._gauge("ready", "1 while the service takes requests.")
        self._touch()

    def exposition(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(self._registry)

    def request(self, exchange: Exchange, *, method: str, route: str, latency_ms: float) -> None:
        """See `services.common.http.RequestMetrics`."""
        known = route if route in ROUTES else OTHER
        self._requests.labels(known, method, str(exchange.status)).inc()
        self._duration.labels(known).observe(latency_ms / 1000)
        if exchange.error is not None and (reason := _REFUSALS.get(type(exchange.error))):
            self._refused.labels(reason).inc()

    def batch(self, *, texts: int, tokens: int, padding: int, seconds: float) -> None:
        """See `services.sentiment.observer.Observer`."""
        self._batch_texts.observe(texts)
        self._batch_tokens.observe(tokens + padding)
        self._tokens.labels("real").inc(tokens)
        self._tokens.labels("padding").inc(padding)
        self._inference.observe(seconds)

    def waited(self, seconds: float) -> None:
        """See `services.sentiment.observer.Observer`."""
        self._queue_wait.observe(seconds)

    def backend_failed(self) -> None:
        """See `services.sentiment.observer.Observer`."""
        self._failures.inc()

    def cache(self, store: Store, result: LookUp) -> None:
        """See `services.sentiment.observer.Observer`."""
        self._look_ups.labels(store, result).inc()

    def coalesced(self) -> None:
        """See `services.sentiment.observer.Observer`."""
        self._coalesced_texts.inc()

    def dropped(self, reason: Drop) -> None:
        """See `services.sentiment.observer.Observer`; nothing here, as `request` counts why a request was refused."""

    def prediction(self, label: str) -> None:
        """See `services.sentiment.observer.Observer`."""
        self._predictions.labels(label).inc()

    def queue(self, *, texts: int, tokens: int) -> None:
        """What waits now."""
        self._queue_texts.set(texts)
        self._queue_tokens.set(tokens)

    def model_loaded(self, *, model_version: str, backend: str) -> None:
        """From now on this model answers, and no other."""
        self._model.clear()
        self._model.labels(model_version, backend).set(1)

    def ready(self, *, ready: bool) -> None:
        """Whether the service takes requests."""
        self._ready.set(ready)

    def _touch(self) -> None:
        """Shows every series from the start: a rate over one that appears with its first event misses that event."""
        for label in LABELS:
            self._predictions.labels(label)
        for reason in _REFUSALS.values():
            self._refused.labels(reason)
        for kind in ("real", "padding"):
            self._tokens.labels(kind)

    def _counter(self, name: str, documentation: str, *labels: str) -> Counter:
        return Counter(f"sentiment_{name}", documentation, labels, registry=self._registry)

    def _gauge(self, name: str, documentation: str, *labels: str) -> Gauge:
        return Gauge(f"sentiment_{name}", documentation, labels, registry=self._registry)

    def _histogram(self, name: str, documentation: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"sentiment_{name}", documentation, labels, buckets=buckets, registry=self._registry)
