"""What every HTTP service does around its routes: ids, limits, timings, one log line and one set of metrics."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from aws_lambda_powertools import Logger
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from ulid import ULID

from services.common import problems
from services.common.errors import ServiceError
from services.common.request_body import read_body
from services.common.tracing import continue_trace

# What a caller may choose as its id: nothing that could be a sentence, break a log line or a header.
_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=-]{0,63}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SERVER_ERROR = 500


@dataclass
class Exchange:
    """One request and its answer, while it lasts; `request.state.exchange` in a route.

    Attributes:
        cold: Whether it is the first request of this process.
        counts: Metrics of the service's own, written with those of every request.
        error: The service's error that it was answered with, if any.
    """

    request_id: str
    trace: dict[str, str]
    cold: bool = False
    started: float = field(default_factory=time.perf_counter)
    timings_ms: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    status: int = 500
    error: ServiceError | None = None

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Adds the block's duration to the Server-Timing header under this name."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.timings_ms[name] = self.timings_ms.get(name, 0.0) + (time.perf_counter() - started) * 1000

    def count(self, metric: str, number: int = 1) -> None:
        """Adds to a metric that is written with the request's own."""
        self.counts[metric] = self.counts.get(metric, 0) + number

    def elapsed_ms(self) -> float:
        """Milliseconds since the request reached the service."""
        return (time.perf_counter() - self.started) * 1000


class RequestMetrics(Protocol):
    """Where requests are counted: lines of the log in Lambda, Prometheus in a pod."""

    def request(self, exchange: Exchange, *, method: str, route: str, latency_ms: float) -> None:
        """Counts one answered request.

        Args:
            exchange: The request and its answer.
            method: Of a closed set; "other" for what HTTP does not know.
            route: The route's template, or "unmatched".
            latency_ms: From its first byte here to the last of its answer.
        """
        ...


class HttpConventions:
    """ASGI middleware around all routes; nothing that a route raises leaves it as anything but a problem."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        logger: Logger,
        metrics: RequestMetrics,
        max_body_bytes: int | None,
        log_from_ms: float = 0.0,
        probes: Collection[str] = (),
        closing: Callable[[], bool] = lambda: False,
    ) -> None:
        """Wraps an app.

        Args:
            app: What answers.
            logger: Where requests are told.
            metrics: Where requests are counted.
            max_body_bytes: The longest body, which is read before the app is called; None leaves it to the routes.
            log_from_ms: A request that took less and did not fail is told at DEBUG instead of INFO.
            probes: Routes that are asked every second or so, and told at DEBUG whatever they answer: who answers them
                tells a change.
            closing: Whether clients shall go elsewhere, so that their connections close after the answer.
        """
        self._app = app
        self._logger = logger
        self._metrics = metrics
        self._max_body_bytes = max_body_bytes
        self._log_from_ms = log_from_ms
        self._probes = frozenset(probes)
        self._closing = closing
        self._cold = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        exchange = Exchange(_request_id(headers, scope), continue_trace(headers), cold=self._cold)
        self._cold = False
        scope.setdefault("state", {}).update(exchange=exchange, request_id=exchange.request_id)
        # Kept in a context variable: they end with this request's task, and work submitted from it takes them along.
        self._logger.thread_safe_append_keys(
            request_id=exchange.request_id, traceparent=exchange.trace["traceparent"], cold_start=exchange.cold
        )
        await self._answer(scope, receive, self._stamped(send, exchange), exchange)
        self._tell(scope, exchange)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, exchange: Exchange) -> None:
        try:
            if self._max_body_bytes is not None:
                body = await read_body(Headers(scope=scope), receive, max_bytes=self._max_body_bytes)
                receive = _replayed(body, receive)
            await self._app(scope, receive, send)
        except ServiceError as error:
            exchange.error = error
            await problems.of_error(error, exchange.request_id)(scope, receive, send)
        except Exception:  # the boundary of the service: whatever a route did not foresee
            self._logger.exception("Unhandled error")
            detail = "The service failed; try again, and name request_id when you report it."
            await problems.of_status(500, detail, exchange.request_id)(scope, receive, send)

    def _stamped(self, send: Send, exchange: Exchange) -> Send:
        """Adds the ids and the timings to the answer's head and keeps its status."""

        async def stamp(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = exchange.request_id
                for name, value in exchange.trace.items():
                    headers[name] = value
                timings = {**exchange.timings_ms, "total": exchange.elapsed_ms()}
                headers["Server-Timing"] = ", ".join(f"{name};dur={ms:.2f}" for name, ms in timings.items())
                if self._closing():
                    headers["Connection"] = "close"
            await send(message)

        return stamp

    def _tell(self, scope: Scope, exchange: Exchange) -> None:
        latency_ms = exchange.elapsed_ms()
        # The template, not the path: a path is what the caller typed.
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.request(exchange, method=method, route=route, latency_ms=latency_ms)
        quiet = route in self._probes or (latency_ms < self._log_from_ms and exchange.status < _SERVER_ERROR)
        if quiet and self._logger.log_level > logging.DEBUG:
            return
        line: dict[str, Any] = {"method": method, "route": route, "status": exchange.status}
        line |= {"latency_ms": round(latency_ms, 3)}
        line |= {"reason": exchange.error.detail} if exchange.error else {}
        (self._logger.debug if quiet else self._logger.info)("Request", extra=line)


def _request_id(headers: Headers, scope: Scope) -> str:
    """The caller's X-Request-Id where it is one, else Lambda's id of the invocation, else a new one."""
    offered = headers.get("x-request-id", "")
    if _REQUEST_ID.fullmatch(offered):
        return offered
    return getattr(scope.get("aws.context"), "aws_request_id", None) or str(ULID())


def _replayed(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay
