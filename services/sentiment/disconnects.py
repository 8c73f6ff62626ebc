"""Work for a client ends when the client goes away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from starlette.types import Receive

from services.common.errors import ClientGone

ResultT = TypeVar("ResultT")


async def unless_gone(receive: Receive, work: Awaitable[ResultT]) -> ResultT:
    """Awaits work, which is cancelled as soon as the client's connection is lost.

    Args:
        receive: ASGI's, after the body has been read.
        work: What the client waits for.

    Raises:
        ClientGone: Nobody waits for the result any more.
    """
    waiting = asyncio.current_task()
    assert waiting is not None  # noqa: S101 - a coroutine runs in a task; tells mypy
    watch = _Watch(receive, waiting)
    watching = asyncio.create_task(watch.run())
    try:
        return await work
    except asyncio.CancelledError:
        if not watch.gone:
            raise
        waiting.uncancel()
        raise ClientGone("The client went away before its answer.") from None
    finally:
        watching.cancel()


class _Watch:
    def __init__(self, receive: Receive, waiting: asyncio.Task[object]) -> None:
        self._receive = receive
        self._waiting = waiting
        self.gone = False

    async def run(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        self._waiting.cancel()
