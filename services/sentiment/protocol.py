"""HTTP connections with bounds that uvicorn leaves to a proxy: the size of a request's head and the time it takes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

MAX_HEAD_BYTES = 32_768
"""The request line and all headers; nginx's `large_client_header_buffers` are 4 of 8 KiB."""
HEAD_SECONDS = 10.0
"""For one request's head to arrive, and for the first request on a connection to begin."""

_TITLES = {400: "Bad Request", 408: "The request came too slowly", 431: "The headers are too large"}


class BoundedProtocol(HttpToolsProtocol):
    """One connection. What breaks a bound is told as a problem, and the connection closes."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*arguments, **named)
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._in_body = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Expects a request."""
        whole: Any = _Whole(transport, self.loop)
        super().connection_made(whole)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expects nothing any more."""
        self._head_arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counts what comes before a head is complete.

        Such a piece may hold the beginning of a body or of another request too, hence the bound is not exact: 64 KiB,
        which a piece has at most, may come on top.
        """
        if self._head_timer is not None and not self._in_body:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_timer is not None and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(431, f"The request line and the headers may have {MAX_HEAD_BYTES} bytes together.")
        elif self._head_timer is None and (self.cycle is None or self.cycle.response_complete):
            # Empty lines, or the rest of a body that nobody reads: uvicorn's own timer ended with the first byte.
            self._expect_head()

    def on_message_begin(self) -> None:
        """Expects a head, if this is not the connection's first."""
        super().on_message_begin()
        if self._head_timer is None:
            self._expect_head()

    def on_headers_complete(self) -> None:
        """Hands the request on if its head is within bounds."""
        self._head_arrived()
        self._in_body = True
        if sum(len(name) + len(value) for name, value in self.headers) + len(self.url) > MAX_HEAD_BYTES:
            self._refuse(431, f"The request line and the headers may have {MAX_HEAD_BYTES} bytes together.")
            return
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is complete, whether somebody reads it or not."""
        self._in_body = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What cannot be read as HTTP."""
        self._refuse(400, msg)

    def _expect_head(self) -> None:
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_is_late)

    def _head_arrived(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        if self._in_body:
            # The rest of a body that nobody reads, as its request was refused: that was told already.
            self.transport.close()
            return
        self._refuse(408, f"The headers did not arrive within {HEAD_SECONDS:g} s.")

    def _refuse(self, status: int, detail: str) -> None:
        self._head_arrived()
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(_problem(status, detail))
        # A pipelined request that breaks a bound: the answer before it is lost, too, as nothing may come after it.
        self.transport.close()


class _Whole:
    """A transport that sends an answer's head and body together.

    uvicorn writes them one after the other, and each write would be a system call and a packet of its own.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Sends it when the task that is running now waits for something."""
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(data)

    def close(self) -> None:
        """Sends what is held and closes."""
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever else a transport has
        return getattr(self._transport, name)

    def _flush(self) -> None:
        if self._held:
            self._transport.write(b"".join(self._held))
            self._held.clear()


def _problem(status: int, detail: str) -> bytes:
    problem = {"type": "about:blank", "title": _TITLES[status], "status": status, "detail": detail}
    body = json.dumps(problem).encode()
    head = f"content-type: application/problem+json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    return STATUS_LINE[status] + head.encode() + body
