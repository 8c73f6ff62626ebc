"""Reading a request's body within bounds of size and time."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.types import Receive

from services.common.errors import ClientGone, ContentTooLarge, RequestTimeout


async def read_body(headers: Headers, receive: Receive, *, max_bytes: int, seconds: float | None = None) -> bytes:
    """The whole body, refused by its declared length before it is read and by its real length while it is.

    Args:
        headers: The request's.
        receive: ASGI's.
        max_bytes: The longest body that is read.
        seconds: How long the client may take to send it; None waits as long as the server does.

    Raises:
        ContentTooLarge: The body is longer.
        RequestTimeout: The client was too slow.
        ClientGone: The client went away before it had sent everything.
    """
    declared = headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise _too_large(max_bytes)
    try:
        async with asyncio.timeout(seconds):
            return await _receive_all(receive, max_bytes)
    except TimeoutError as error:
        raise RequestTimeout(f"The body did not arrive within {seconds:g} s; send it faster or in parts.") from error


async def _receive_all(receive: Receive, max_bytes: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone("The client went away before it had sent the body.")
        body += message.get("body", b"")
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
        if not message.get("more_body", False):
            return bytes(body)


def _too_large(max_bytes: int) -> ContentTooLarge:
    return ContentTooLarge(f"The body may have {max_bytes} bytes at most; send less text at once.")
