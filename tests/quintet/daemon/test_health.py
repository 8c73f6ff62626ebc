"""Whether services answer, against servers that take their time."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from quintet.sandbox.endpoints import Endpoint
from quintet.sandbox.health import Health


@asynccontextmanager
async def service(*seconds: float, path: str = "/health") -> AsyncIterator[str]:
    """A service whose answers take so long, one after another; the last time holds for all that follow."""
    waits = list(seconds)

    async def health(_: web.Request) -> web.Response:
        await asyncio.sleep(waits.pop(0) if len(waits) > 1 else waits[0])
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_get(path, health)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_service_that_has_to_start_first_is_waited_for_once() -> None:
    health = Health()
    async with service(0.8) as url:
        await health.look({"slow": Endpoint(url)})

        assert health.of("slow") == {"state": "healthy"}


async def test_a_service_that_is_known_keeps_nobody_waiting() -> None:
    health = Health()
    async with service(0, 2.0) as url:
        await health.look({"busy": Endpoint(url)})
        began = time.monotonic()

        await health.look({"busy": Endpoint(url)})

        assert time.monotonic() - began < 1.5
        assert health.of("busy") == {"state": "healthy"}
        await health.stop()


async def test_a_service_that_is_gone_is_unhealthy_with_the_reason() -> None:
    health = Health()
    async with service(0) as url:
        pass

    await health.look({"gone": Endpoint(url)})

    assert health.of("gone")["state"] == "unhealthy"
    assert f"GET {url}/health" in health.of("gone")["reason"]


async def test_a_service_is_asked_at_the_path_that_its_endpoint_names() -> None:
    health = Health()
    async with service(0, path="/healthz") as url:
        await health.look({"named": Endpoint(url, "/healthz"), "usual": Endpoint(url)})

    assert health.of("named") == {"state": "healthy"}
    assert "answers HTTP 404" in health.of("usual")["reason"]
