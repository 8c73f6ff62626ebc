"""Whether the services answer, asked without making anyone wait for a function that has to start first."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import aiohttp

from quintet.sandbox.endpoints import Endpoint

_TIMEOUT = aiohttp.ClientTimeout(total=30)
"""What an HTTP API waits for its function."""

_AT_MOST_SECONDS = 0.25
_FIRST_SECONDS = 3.0
"""For a service that nobody has asked: its function starts with the first call, and that is not unhealthy."""


class Health:
    """The last known state of every service."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, str]] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}

    async def look(self, endpoints: Mapping[str, Endpoint], *, patience_seconds: float | None = None) -> None:
        """Asks every service; one that takes longer than the patience keeps its last state until it answers."""
        if patience_seconds is None:
            patience_seconds = _AT_MOST_SECONDS if endpoints.keys() <= self._known.keys() else _FIRST_SECONDS
        for name, endpoint in endpoints.items():
            if name not in self._asking:
                self._asking[name] = asyncio.create_task(self._ask(name, endpoint))
        if self._asking:
            await asyncio.wait(self._asking.values(), timeout=patience_seconds)

    def of(self, name: str) -> dict[str, str]:
        """`state` and, when that is unhealthy, `reason`."""
        return self._known.get(name, {"state": "unhealthy", "reason": "it has not answered yet"})

    async def stop(self) -> None:
        """Asks no more."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, name: str, endpoint: Endpoint) -> None:
        try:
            self._known[name] = await _state(endpoint)
        finally:
            self._asking.pop(name, None)


async def _state(endpoint: Endpoint) -> dict[str, str]:
    address = endpoint.url.rstrip("/") + endpoint.health
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session, session.get(address) as answer:
            if answer.ok:
                return {"state": "healthy"}
            return {"state": "unhealthy", "reason": f"GET {address} answers HTTP {answer.status}"}
    except (aiohttp.ClientError, TimeoutError) as error:
        return {"state": "unhealthy", "reason": f"GET {address}: {str(error) or type(error).__name__}"}
