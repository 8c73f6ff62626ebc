"""The daemon's HTTP interface on 127.0.0.1, for the command of the same user and nobody else."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from aiohttp import web

from quintet.errors import Exit, QuintetError
from quintet.sandbox.events import Event, failure

Emit = Callable[[Event], None]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Sandbox(Protocol):
    """What the interface controls."""

    async def up(self, request: Event, emit: Emit) -> None:
        """Deploys; tells what happens and ends with `done` or `error`. Raises nothing."""
        ...

    async def status(self) -> Event:
        """The document of `quintet status --json`."""
        ...

    @property
    def endpoint_url(self) -> str:
        """The emulated AWS; empty while it does not run."""
        ...

    async def serve(self) -> bool:
        """Answers the real engine; whether that should refresh.

        Raises:
            QuintetError: It cannot.
        """
        ...

    async def settle(self) -> None:
        """Waits until no function works any more."""
        ...


class Control:
    """Routes, the token and the rule that one deployment runs at a time."""

    def __init__(self, sandbox: Sandbox, token: str) -> None:
        self._sandbox = sandbox
        self._token = token
        self._deployment: asyncio.Task[None] | None = None
        self.stopping = asyncio.Event()

    def application(self) -> web.Application:
        """The routes."""
        application = web.Application(middlewares=[self._authenticate])
        application.add_routes(
            [
                web.get("/status", self._status),
                web.get("/endpoint", self._endpoint),
                web.post("/settle", self._settle),
                web.post("/serve", self._serve),
                web.post("/up", self._up),
                web.post("/stop", self._stop),
            ]
        )
        return application

    @web.middleware
    async def _authenticate(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            raise web.HTTPUnauthorized
        return await handler(request)

    async def _status(self, _: web.Request) -> web.Response:
        return web.json_response(await self._sandbox.status())

    async def _endpoint(self, _: web.Request) -> web.Response:
        return web.json_response({"url": self._sandbox.endpoint_url})

    async def _settle(self, _: web.Request) -> web.Response:
        await self._sandbox.settle()
        return web.json_response({})

    async def _serve(self, _: web.Request) -> web.Response:
        if self.stopping.is_set():
            return _refused(_busy(stopping=True))
        try:
            return web.json_response({"lost": await self._sandbox.serve()})
        except QuintetError as error:
            return _refused(error)

    async def _stop(self, _: web.Request) -> web.Response:
        self.stopping.set()
        return web.json_response({})

    async def _up(self, request: web.Request) -> web.StreamResponse:
        if self.stopping.is_set() or (self._deployment and not self._deployment.done()):
            return _refused(_busy(stopping=self.stopping.is_set()))
        events: asyncio.Queue[Event | None] = asyncio.Queue()
        body: dict[str, Any] = await request.json()
        # A task of its own: when the command is killed, the deployment goes on to its end.
        self._deployment = asyncio.create_task(self._sandbox.up(body, events.put_nowait))
        self._deployment.add_done_callback(lambda _: events.put_nowait(None))
        return await _stream(request, events)


def _busy(*, stopping: bool) -> QuintetError:
    what = "is stopping" if stopping else "still works on an earlier `quintet up`"
    return QuintetError(
        f"The sandbox of this checkout {what}.",
        advice="Wait for it, or end it with `quintet down`.",
        exit_code=Exit.BUSY,
    )


def _refused(error: QuintetError) -> web.Response:
    return web.json_response(failure(error), status=web.HTTPConflict.status_code)


async def _stream(request: web.Request, events: asyncio.Queue[Event | None]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    try:
        while (event := await events.get()) is not None:
            await response.write(json.dumps(event).encode() + b"\n")
        await response.write_eof()
    except ConnectionError:
        return response  # nobody listens any more
    return response
