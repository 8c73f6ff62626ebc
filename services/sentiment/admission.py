"""What a request for predictions passes before the model sees it: its deadline, its caller's limits."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import Request

from services.common.errors import DeadlineExceeded, InvalidHeader
from services.common.http import Exchange
from services.sentiment.disconnects import unless_gone

if TYPE_CHECKING:
    from services.sentiment.wiring import Services

TIMEOUT_HEADER = "x-request-timeout-ms"
TIMEOUT_PARAMETER: dict[str, Any] = {
    "name": "X-Request-Timeout-Ms",
    "in": "header",
    "required": False,
    "description": "For how many milliseconds the answer is of use; cut down to the service's own limit.",
    "schema": {"type": "integer", "minimum": 1, "maximum": 999_999_999},
}
GRACE_SECONDS = 0.25
"""What a request may take beyond its deadline: who drops expired work can say more precisely what happened."""

_MILLISECONDS = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)

ResultT = TypeVar("ResultT")


def deadline_of(request: Request) -> float:
    """When nobody waits for the answer any more, on the clock of `time.monotonic`; raises `InvalidHeader`."""
    services: Services = request.app.state.services
    longest = services.settings.request_timeout_ms
    offered = request.headers.get(TIMEOUT_HEADER)
    if offered is not None:
        if not _MILLISECONDS.fullmatch(offered):
            raise InvalidHeader("X-Request-Timeout-Ms must be a whole number of milliseconds from 1 to 999999999.")
        longest = min(longest, int(offered))
    return time.monotonic() + longest / 1000


async def admitted(request: Request, texts: int, deadline: float, call: Callable[[], Awaitable[ResultT]]) -> ResultT:
    """Calls the model for a caller that is within its limits, for as long as somebody waits for it.

    Args:
        request: The caller's, its body read, `request.state.identity` known.
        texts: How many texts it counts for.
        deadline: On the clock of `time.monotonic`.
        call: Begins the work.

    Raises:
        TooManyRequests: The caller asks for more than it may.
        DeadlineExceeded: The work was not done by the deadline.
        ClientGone: The client went away.
    """
    services: Services = request.app.state.services
    exchange: Exchange = request.state.exchange
    identity: str = request.state.identity
    with services.concurrency.hold(identity), exchange.timed("predict"):
        if services.rate_limit is not None:
            await services.rate_limit.take(identity, texts)
        return await unless_gone(request.receive, _by(deadline, call()))


async def _by(deadline: float, work: Awaitable[ResultT]) -> ResultT:
    try:
        async with asyncio.timeout(deadline + GRACE_SECONDS - time.monotonic()):
            return await work
    except TimeoutError as error:
        raise DeadlineExceeded("No answer within the request's time; send less or wait longer.") from error
