"""What every HTTP service does around its routes: ids, limits, timings, one log line and one line of metrics."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aws_lambda_powertools import Logger
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from ulid import ULID

from services.common import problems
from services.common.errors import ContentTooLarge, ModelUnavailable, ServiceError
from services.common.metrics import ServiceMetrics
from services.common.tracing import continue_trace

# What a caller may choose as its id: nothing that could be a sentence, break a log line or a header.
_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=-]{0,63}")


@dataclass
class Exchange:
    """One request and its answer, while it lasts; `request.state.exchange` in a route."""

    request_id: str
    trace: dict[str, str]
    started: float = field(default_factory=time.perf_counter)
    timings_ms: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    status: int = 500

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


class HttpConventions:
    """ASGI middleware around all routes; nothing that a route raises leaves it as anything but a problem."""

    def __init__(self, app: ASGIApp, *, logger: Logger, metrics: ServiceMetrics, max_body_bytes: int) -> None:
        self._app = app
        self._logger = logger
        self._metrics = metrics
        self._max_body_bytes = max_body_bytes
        self._cold = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        exchange = Exchange(request_id=_request_id(headers, scope), trace=continue_trace(headers))
        scope.setdefault("state", {}).update(exchange=exchange, request_id=exchange.request_id)
        # Kept in a context variable: they end with this request's task, and work submitted from it takes them along.
        self._logger.thread_safe_append_keys(
            request_id=exchange.request_id, traceparent=exchange.trace["traceparent"], cold_start=self._cold
        )
        await self._answer(scope, receive, _stamped(send, exchange), exchange)
        self._tell(scope, exchange)
        self._cold = False

    async def _answer(self, scope: Scope, receive: Receive, send: Send, exchange: Exchange) -> None:
        try:
            body = await self._read(Headers(scope=scope), receive)
            await self._app(scope, _replayed(body, receive), send)
        except ServiceError as error:
            scope["state"]["error"] = error
            await problems.of_error(error, exchange.request_id)(scope, receive, send)
        except Exception:  # the boundary of the service: whatever a route did not foresee
            self._logger.exception("Unhandled error")
            detail = "The service failed; try again, and name request_id when you report it."
            await problems.of_status(500, detail, exchange.request_id)(scope, receive, send)

    async def _read(self, headers: Headers, receive: Receive) -> bytes:
        """The whole body, refused by its declared length before it is read and by its real length while it is."""
        declared = headers.get("content-length", "0")
        if declared.isdecimal() and int(declared) > self._max_body_bytes:
            raise self._too_large()
        body = bytearray()
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > self._max_body_bytes:
                raise self._too_large()
            if not message.get("more_body", False):
                return bytes(body)

    def _too_large(self) -> ContentTooLarge:
        return ContentTooLarge(f"The body may have {self._max_body_bytes} bytes at most; send less text at once.")

    def _tell(self, scope: Scope, exchange: Exchange) -> None:
        latency_ms = exchange.elapsed_ms()
        # The template, not the path: a path is what the caller typed.
        route = getattr(scope.get("route"), "path", "unmatched")
        error = scope["state"].get("error")
        counts = {"Requests": 1, "Errors": int(exchange.status >= 500), **exchange.counts}  # noqa: PLR2004 - HTTP's own
        if self._cold:
            counts["ColdStart"] = 1
        if isinstance(error, ModelUnavailable):
            counts["ModelUnavailable"] = 1
        self._metrics.emit(counts, latency_ms=latency_ms)
        line: dict[str, Any] = {"method": _method(scope), "route": route, "status": exchange.status}
        line |= {"latency_ms": round(latency_ms, 3)} | ({"reason": error.detail} if error else {})
        self._logger.info("Request", extra=line)


def _method(scope: Scope) -> str:
    known = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
    return scope["method"] if scope["method"] in known else "other"


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


def _stamped(send: Send, exchange: Exchange) -> Send:
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
        await send(message)

    return stamp
