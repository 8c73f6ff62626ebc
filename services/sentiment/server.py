"""uvicorn, told to stop as Kubernetes does it: not ready at once, gone only when nobody asks any more."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from types import FrameType

import uvicorn
from aws_lambda_powertools import Logger
from starlette.types import ASGIApp

from services.sentiment.protocol import BoundedProtocol

KEEP_ALIVE_SECONDS = 75
"""Longer than nginx keeps an idle connection (60 s), so that it is never this side that closes one just in use."""
BACKLOG = 2048


class Server(uvicorn.Server):
    """Goes on serving for a while after the first SIGTERM: endpoints and proxies learn of it only by and by."""

    def __init__(
        self, config: uvicorn.Config, *, drain_seconds: float, on_drain: Callable[[], None], logger: Logger
    ) -> None:
        super().__init__(config)
        self._drain_seconds = drain_seconds
        self._on_drain = on_drain
        self._logger = logger
        self._draining = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first SIGTERM begins to drain; another one, or SIGINT, ends the draining."""
        if sig == signal.SIGTERM and not self._draining and self._loop is not None:
            self._draining = True
            # A signal arrives between any two instructions: the rest runs in the loop.
            self._loop.call_soon_threadsafe(self._drain, self._loop)
            return
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]  # passed on as it is
        """See `uvicorn.Server`; keeps the loop for the signal."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)  # type: ignore[arg-type]  # as above

    def _drain(self, loop: asyncio.AbstractEventLoop) -> None:
        self._logger.info("Draining", extra={"seconds": self._drain_seconds})
        self._on_drain()
        loop.call_later(self._drain_seconds, self._stop)

    def _stop(self) -> None:
        self.should_exit = True


def server(
    app: ASGIApp,
    *,
    host: str,
    port: int,
    drain_seconds: float,
    request_timeout_ms: int,
    on_drain: Callable[[], None],
    logger: Logger,
) -> Server:
    """The server of an app.

    Args:
        app: What answers.
        host: The address to listen on.
        port: The port to listen on.
        drain_seconds: How long new requests are still taken after SIGTERM.
        request_timeout_ms: The longest that a request may take; what is under way at the end has this long.
        on_drain: Called in the event loop when draining begins.
        logger: Where this is told.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http=BoundedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        # Callers are known by what nginx says in its own header, not by what anybody may claim.
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=request_timeout_ms // 1000 + 1,
    )
    return Server(config, drain_seconds=drain_seconds, on_drain=on_drain, logger=logger)
