"""One question to a process: does its port open, and what does a path answer. Every question is a new connection."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

_STATUS_LINE_BYTES = 4096


async def tcp_connects(host: str, port: int) -> None:
    """Opens a connection and closes it.

    Raises:
        OSError: Nobody listens.
    """
    _, writer = await asyncio.open_connection(host, port)
    writer.close()


async def http_status(
    host: str, port: int, path: str, headers: Mapping[str, str] | None = None, *, agent: str = "ELB-HealthChecker/2.0"
) -> int:
    """The status that a GET answers with; a redirect is not followed.

    Raises:
        OSError: No connection, or one that was cut.
        ValueError: What answers does not speak HTTP.
    """
    reader, writer = await asyncio.open_connection(host, port, limit=_STATUS_LINE_BYTES)
    try:
        sent = {
            "Host": f"{host}:{port}",
            "User-Agent": agent,
            "Accept": "*/*",
            **(headers or {}),
            "Connection": "close",
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        writer.write(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
        await writer.drain()
        first = await reader.readline()
    finally:
        writer.close()
    if not first:
        raise ConnectionResetError("the connection was closed without an answer")
    words = first.split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/1"):  # noqa: PLR2004  version and status
        raise ValueError("what answers does not speak HTTP/1")
    return int(words[1])
